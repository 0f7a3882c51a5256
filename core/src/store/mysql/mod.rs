//! A queue in a MySQL or MariaDB database (feature `mysql`).
//!
//! Two tables of our own beside gearmand's table `gearman_queue`: `lineshaft_gearman_queue`, a row for each job, keyed by its
//! number, and `lineshaft_gearman_queue_meta`, one row with the version and the counter. A batch is one transaction. What
//! gearmand has left in its table, and Drizzle's plug-in in one of the same columns, is moved to ours at the opening.

mod error;
mod session;
mod settings;
mod tables;

use std::time::Duration;

use super::address::Address;
use super::remote::{self, Claim, Database, Plan, Remote};
use super::{Batch, Each, Store, StoreError};
use session::Session;
use settings::Place;

pub use settings::MySqlSettings;

/// A store in a MySQL or MariaDB database. One server at a time uses it: a lock that the database keeps for the session
/// (GET_LOCK) sees to that.
pub struct MySql(Remote<Place>);

impl MySql {
    /// Connects, makes our tables where they are missing, and takes over what is in gearmand's.
    ///
    /// # Errors
    /// [`Settings`](super::StoreErrorKind::Settings) for settings that cannot be used: a wrong password, a database that is not
    /// there, tables that may not be made. [`Unavailable`](super::StoreErrorKind::Unavailable) where the database does not
    /// answer within the timeout. [`Locked`](super::StoreErrorKind::Locked) where another server uses the queue, and still does
    /// when the timeout has passed. [`Newer`](super::StoreErrorKind::Newer) for tables of a newer version.
    pub fn open(settings: &MySqlSettings) -> Result<Self, StoreError> {
        Remote::open(Place::new(settings)?).map(Self)
    }

    /// Hands everything in the queue to `each`, as [`Store::replay`] does, gearmand's jobs behind ours with the numbers that
    /// opening would give them, and leaves everything as it was.
    ///
    /// # Errors
    /// As [`MySql::open`]; those of `each`.
    pub fn read(settings: &MySqlSettings, each: Each<'_>) -> Result<(), StoreError> {
        remote::read(&Place::new(settings)?, each)
    }
}

/// Opens the store at an address.
pub(super) fn open(address: &Address<'_>) -> Result<Box<dyn Store>, StoreError> {
    Ok(Box::new(MySql::open(&MySqlSettings::read(address)?)?))
}

/// As [`open`].
pub(super) fn read(address: &Address<'_>, each: Each<'_>) -> Result<(), StoreError> {
    MySql::read(&MySqlSettings::read(address)?, each)
}

impl Store for MySql {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        self.0.replay(each)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }

    /// What fits into the server's `max_allowed_packet`, as it was when the session began.
    fn max_job(&self) -> usize {
        self.0.max_job()
    }

    fn patience(&self) -> Duration {
        Remote::<Place>::PATIENCE
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(Remote::<Place>::HEARTBEAT)
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        self.0.tidy()
    }
}

impl Database for Place {
    type Session = Session;

    fn describe(&self) -> String {
        self.text.clone()
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    async fn connect(&self, last: Option<Claim>) -> Result<(Session, Claim), StoreError> {
        Session::connect(self, last).await
    }

    async fn read(&self, each: Each<'_>) -> Result<(), StoreError> {
        Session::read(self, each).await
    }

    fn max_job(&self, session: &Session) -> usize {
        session.max_job()
    }

    async fn replay(&self, session: &mut Session, each: Each<'_>) -> Result<(), StoreError> {
        session.replay(self, each).await
    }

    async fn commit(&self, session: &mut Session, plan: &Plan<'_>) -> Result<(), StoreError> {
        session.commit(self, plan).await
    }

    async fn ping(&self, session: &mut Session) -> Result<(), StoreError> {
        session.ping(self).await
    }

    async fn close(&self, session: Session) {
        session.close().await;
    }
}
