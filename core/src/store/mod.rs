//! Where jobs survive: the trait of all stores, what is stored, and one file or folder for each store.
//!
//! A server gives its store changes in batches, from one thread of its own, while the next batch gathers; JOB_CREATED of a
//! background job is sent when its batch is durable. At the start the store says what it has, and the queue is built from that.

mod address;
mod batch;
mod error;
#[cfg(feature = "net")]
pub mod log;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "redis", feature = "memcached"))]
mod names;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod remote;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "tokyocabinet")]
mod tokyo;

use std::time::Duration;

pub use address::{open, read};
pub use batch::{Batch, Record};
pub use error::{StoreError, StoreErrorKind};
#[cfg(feature = "net")]
pub use log::{Log, LogSettings};
#[cfg(feature = "memcached")]
pub use memcached::{Memcached, MemcachedSettings};
#[cfg(feature = "mysql")]
pub use mysql::{MySql, MySqlSettings};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresSettings};
pub use record::{Change, RecordError, StoredJob};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisSettings};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteSettings};
#[cfg(feature = "tokyocabinet")]
pub use tokyo::TokyoCabinet;

/// A place where background jobs survive the server's end. Its methods are called by one thread at a time and may block it.
pub trait Store: Send + 'static {
    /// What and where it is, for logs and errors: `log /var/lib/lineshaft/queue`. No passwords.
    fn describe(&self) -> String;

    /// Hands everything that is stored to `each`, once, before anything is committed: every live job by a [`Change::Add`], in
    /// the order of their numbers wherever that can be had for nothing, schedules before the jobs they made; a
    /// [`Change::Counter`] at the end. Jobs that have ended may be there too, if their [`Change::End`] follows. An error of
    /// `each` ends it and is answered.
    ///
    /// # Errors
    /// What makes the store unusable. It is left as it was.
    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError>;

    /// Makes the whole batch durable: when it returns `Ok`, not even a power failure takes it back. Where it fails, none of the
    /// batch is to be counted on, and what is there of it does no harm: the server tries again later, with the same batch or
    /// with one in which an [`Change::End`] stands for each [`Change::Add`] that it has given up. Everything that was durable
    /// before stays so.
    ///
    /// # Errors
    /// Why it is not durable. A later call may succeed: the store does by itself what that needs, reconnecting for instance.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Bytes that function, unique, reducer and workload of one job may have together. Larger jobs are refused to those who
    /// submit them in the background. The default is no limit.
    fn max_job(&self) -> usize {
        usize::MAX
    }

    /// How long those who submit in the background wait for their answer while commits fail, before they and all that come after
    /// them get an ERROR. Default none, which is right where failing means a broken disk: it will not heal by itself.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// How often [`Store::tidy`] wants to be called where nothing happens. Default never.
    fn heartbeat(&self) -> Option<Duration> {
        None
    }

    /// A piece of work that can wait, done while there is nothing to commit; it should take some milliseconds at most. True
    /// where there is more of it.
    ///
    /// # Errors
    /// What went wrong. It is reported; nothing that was durable is lost by it.
    fn tidy(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

impl Store for Box<dyn Store> {
    fn describe(&self) -> String {
        (**self).describe()
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        (**self).replay(each)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }

    fn max_job(&self) -> usize {
        (**self).max_job()
    }

    fn patience(&self) -> Duration {
        (**self).patience()
    }

    fn heartbeat(&self) -> Option<Duration> {
        (**self).heartbeat()
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        (**self).tidy()
    }
}

/// Takes what a store has, one after the other.
pub type Each<'a> = &'a mut dyn FnMut(&Change<'_>) -> Result<(), StoreError>;
