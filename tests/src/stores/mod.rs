//! One body of tests over every store. A store takes part by a [`Subject`] and a line in [`SUBJECTS`].

mod body;
mod content;
mod faulty;
mod log;
mod memcached;
mod memory;
mod property;
mod redis;
mod sql;
mod sqlite;
mod steps;

use anyhow::Result;
use lineshaft::store::{Store, StoreError, StoreErrorKind};
use std::time::Duration;

use crate::clock::poll;

pub use body::{CASES, Case};
pub use content::{Content, Job, Opened};
pub use faulty::{FAULTS, Fault, Faulty};
pub use memory::Memory;
pub use steps::{add, content, end, fails, numbers};

/// A place for a store, empty at first, that goes away when this is dropped.
pub trait Subject: Send + Sync {
    /// Opens what is there; whoever opened it before has dropped it.
    ///
    /// # Errors
    /// Those of the store.
    fn open(&self) -> Result<Box<dyn Store>, StoreError>;

    /// Whether a second one may open it while it is open.
    fn may_be_shared(&self) -> bool {
        false
    }

    /// How many stories the property test tells; fewer where every commit goes to another process.
    fn stories(&self) -> u32 {
        64
    }
}

/// Opens what has been dropped a moment ago. A program that another test starts at that moment has all files and connections of this
/// process until it is on its way, locks included.
fn open_soon(subject: &dyn Subject) -> Result<Box<dyn Store>, StoreError> {
    let opened = poll(Duration::from_secs(5), || match subject.open() {
        Err(error) if error.kind() == StoreErrorKind::Locked => None,
        opened => Some(opened),
    });
    opened.unwrap_or_else(|| subject.open())
}

/// Makes an empty place.
pub type Make = fn() -> Result<Box<dyn Subject>>;

/// Every store, by the name of its tests.
pub const SUBJECTS: &[(&str, Make)] = &[
    ("memory", || Ok(Box::new(Memory::default()))),
    ("log", || Ok(Box::new(log::Folder::new(64 << 20)?))),
    ("log_in_small_segments", || Ok(Box::new(log::Folder::new(64 << 10)?))),
    ("memcached", memcached::subject),
    ("memcached_twice", memcached::two),
    ("redis", redis::subject),
    ("mysql", sql::mysql),
    ("postgres", sql::postgres),
    ("sqlite", sqlite::subject),
];
