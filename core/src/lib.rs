//! Lineshaft: the Gearman job system.
//!
//! The rooms, lowest first; a room uses only those above it in this list:
//! [`types`], [`protocol`], `queue`, [`store`], [`broker`], then, with the feature `net`, `net`, `server`, `client` and `worker`.
#![forbid(unsafe_code)]

pub mod broker;
pub mod client;
pub mod error;
#[cfg(feature = "net")]
mod facade;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;
mod queue;
#[cfg(feature = "net")]
pub mod server;
pub mod store;
pub mod types;
pub mod worker;

#[cfg(feature = "net")]
pub use client::Client;
#[cfg(feature = "net")]
pub use client::admin::Admin;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "net")]
pub use worker::Worker;

/// Clients and workers that own no thread and no runtime.
#[cfg(feature = "net")]
pub mod blocking {
    pub use crate::client::admin::BlockingAdmin as Admin;
    pub use crate::client::blocking::Client;
    pub use crate::client::blocking_task::{Map, Task};
    pub use crate::worker::BlockingJob as Job;
    pub use crate::worker::blocking::{Stopper, Worker};
}
