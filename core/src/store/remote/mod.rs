//! What stores in database servers have in common: a session that comes and goes, driven by a runtime of the store's own.

mod plan;

use std::future::Future;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

use super::{Batch, Each, StoreError, StoreErrorKind};

#[cfg(feature = "mysql")]
pub(super) use plan::powers;
pub(super) use plan::{Plan, chunks};

/// A database server, and how a queue lies in it.
pub(super) trait Database: Send + Sync + 'static {
    /// A connection that has the queue for itself.
    type Session: Send + 'static;

    /// What and where it is.
    fn describe(&self) -> String;

    /// The limit of every wait for it.
    fn timeout(&self) -> Duration;

    /// Connects and takes the queue for this store alone; the first time makes what is missing and takes over what gearmand
    /// has left, later only where nobody else has used the queue meanwhile.
    async fn connect(&self, last: Option<Claim>) -> Result<(Self::Session, Claim), StoreError>;

    /// Connects, hands out all that is there, gearmand's jobs as they would be taken over, and leaves everything as it was.
    async fn read(&self, each: Each<'_>) -> Result<(), StoreError>;

    /// Bytes that a job may have.
    fn max_job(&self, session: &Self::Session) -> usize;

    /// As [`super::Store::replay`].
    async fn replay(&self, session: &mut Self::Session, each: Each<'_>) -> Result<(), StoreError>;

    /// Does all of `plan` in one transaction.
    async fn commit(&self, session: &mut Self::Session, plan: &Plan<'_>) -> Result<(), StoreError>;

    /// Sees whether the session is alive.
    async fn ping(&self, session: &mut Self::Session) -> Result<(), StoreError>;

    /// Says goodbye, so that the queue is free at once.
    async fn close(&self, session: Self::Session);
}

/// How a store that has lost its connection finds out whether the queue is still its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Claim {
    /// How often the queue has been opened, this store's opening included. Whoever opens it counts.
    pub(super) opening: u64,
    /// The session's number at the database server. A session that the network has lost lives on there and keeps the queue
    /// locked: the next one ends it.
    pub(super) session: u64,
}

/// A queue in a database server. After any error the session is given up, and the next call makes one attempt at another.
pub(super) struct Remote<D: Database> {
    database: D,
    runtime: Owned,
    session: Option<D::Session>,
    claim: Claim,
    max_job: usize,
    /// When the session has answered last.
    heard: Instant,
}

impl<D: Database> Remote<D> {
    /// How long those who submit wait for a database that is away: for as long as it needs to start anew.
    pub(super) const PATIENCE: Duration = Duration::from_secs(10);
    /// How often a session without work is tried, so that one that is lost is replaced, and its lock taken again, before
    /// somebody needs it.
    pub(super) const HEARTBEAT: Duration = Duration::from_secs(60);

    pub(super) fn open(database: D) -> Result<Self, StoreError> {
        let runtime = Owned::new()?;
        let (session, claim) = outside(|| runtime.get().block_on(database.connect(None)))?;
        let max_job = database.max_job(&session);
        Ok(Self { database, runtime, session: Some(session), claim, max_job, heard: now() })
    }

    pub(super) fn describe(&self) -> String {
        self.database.describe()
    }

    pub(super) fn max_job(&self) -> usize {
        self.max_job
    }

    pub(super) fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        self.within_session(async |database, session| database.replay(session, each).await)
    }

    pub(super) fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let plan = Plan::new(batch);
        self.within_session(async |database, session| database.commit(session, &plan).await)
    }

    pub(super) fn tidy(&mut self) -> Result<bool, StoreError> {
        if now().duration_since(self.heard) >= Self::HEARTBEAT {
            self.within_session(async |database, session| database.ping(session).await)?;
        }
        Ok(false)
    }

    fn within_session(
        &mut self,
        work: impl AsyncFnOnce(&D, &mut D::Session) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Self { database, runtime, session, claim, max_job, heard } = self;
        // Of failures as well: they are tried again by who wants to commit, and as seldom as ever by the heartbeat.
        *heard = now();
        runtime.get().block_on(async {
            let mut open = match session.take() {
                Some(open) => open,
                None => {
                    let (open, new) = database.connect(Some(*claim)).await?;
                    (*claim, *max_job) = (new, database.max_job(&open));
                    tracing::info!("connected again to {}", database.describe());
                    open
                }
            };
            // Nobody knows what a session is in the middle of after an error: dropping it takes back what it has begun.
            work(database, &mut open).await?;
            *session = Some(open);
            Ok(())
        })
    }
}

impl<D: Database> Drop for Remote<D> {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let Self { database, runtime, .. } = self;
        let farewell = || runtime.get().block_on(within(database.timeout(), database.close(session)));
        // Who does not answer finds out by itself.
        let _ = outside(farewell);
    }
}

/// Hands out what is in a queue, and changes nothing.
pub(super) fn read(database: &impl Database, each: Each<'_>) -> Result<(), StoreError> {
    Owned::new()?.get().block_on(database.read(each))
}

/// A runtime that may be dropped anywhere, in a task of another runtime as well.
struct Owned(Option<Runtime>);

impl Owned {
    fn new() -> Result<Self, StoreError> {
        // One thread, for names that have to be looked up.
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
        runtime.map(|it| Self(Some(it))).map_err(|error| {
            StoreError::new(StoreErrorKind::Io, format!("no event loop for a store in a database: {error}"))
        })
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().unwrap_or_else(|| unreachable!("taken by drop only"))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Does `work` where it may block: a program may open or drop its store in a task of its own runtime.
fn outside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if Handle::try_current().is_err() {
        return work();
    }
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The one clock of these stores.
fn now() -> Instant {
    Instant::now()
}

/// Bytes a second that a database takes at least, however slow the way to it is.
const SLOWEST: u64 = 1 << 20;

/// The limit of a wait for an answer to so many bytes.
pub(super) fn allowance(timeout: Duration, bytes: usize) -> Duration {
    timeout + Duration::from_secs(bytes as u64 / SLOWEST)
}

/// What `work` answers; `None` where it does not in time.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// The names of our tables, for gearmand's table `table`: the jobs', and that of version and counter.
///
/// # Errors
/// For a name that a database would cut off, or that is none.
pub(super) fn our_tables(table: &str, flag: &str) -> Result<(String, String), StoreError> {
    let (jobs, meta) = (format!("lineshaft_{table}"), format!("lineshaft_{table}_meta"));
    if table.is_empty() || table.contains('\0') || meta.len() > MAX_NAME {
        let most = MAX_NAME + table.len() - meta.len();
        return Err(StoreError::new(
            StoreErrorKind::Settings,
            format!("{table:?} is no name of a table for {flag}: take one of 1 to {most} bytes"),
        ));
    }
    Ok((jobs, meta))
}

/// Bytes of the longest name of a table in every database.
const MAX_NAME: usize = 63;

/// The version of the tables that this build writes.
pub(super) const VERSION: i32 = 1;

/// The error for tables of another version.
pub(super) fn newer(place: &str, meta: &str, version: i32) -> StoreError {
    StoreError::new(
        StoreErrorKind::Newer,
        format!(
            "{place}: table {meta} says version {version}, and this program knows {VERSION}: use the newer one that wrote it"
        ),
    )
}

/// The error where another server has had the queue while this one was away.
pub(super) fn overtaken(place: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Locked,
        format!(
            "{place}: another server has used this queue while the connection was away: stop one of them and start the other again"
        ),
    )
}

/// The error where another server has the queue.
pub(super) fn locked(place: &str, holder: impl std::fmt::Display) -> StoreError {
    StoreError::new(
        StoreErrorKind::Locked,
        format!(
            "{place}: another server uses this queue (session {holder}): stop that one, or take another table"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_fit_every_database() {
        let name = "n".repeat(48);
        let ours = our_tables(&name, "--x").map(|(_, meta)| meta.len());
        assert_eq!(ours, Ok(63));
        for bad in [&format!("{name}n"), "", "a\0b"] {
            let error = our_tables(bad, "--x").expect_err(bad);
            assert_eq!(error.kind(), StoreErrorKind::Settings);
            assert!(error.to_string().ends_with("for --x: take one of 1 to 48 bytes"), "{error}");
        }
    }

    #[test]
    fn work_outside_may_block_in_a_task() {
        let runtime = Owned::new().expect("a runtime");
        let answer = runtime.get().block_on(async {
            let inner = Owned::new().expect("a runtime");
            outside(|| inner.get().block_on(async { 5 }))
        });
        assert_eq!(answer, 5);
    }

    #[test]
    fn large_commits_may_take_longer() {
        let second = Duration::from_secs(1);
        assert_eq!(allowance(second, 100), second);
        assert_eq!(allowance(second, 64 << 20), 65 * second);
    }
}
