//! A connection that has the queue for itself, and what is done with it.

use std::fmt::Write;
use std::future::Future;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params, Value};

use super::error::error;
use super::settings::Place;
use super::tables::{self, Sql, job_of, params_of};
use crate::store::remote::{Claim, Plan, allowance, chunks, locked, overtaken, powers, within};
use crate::store::{Change, Each, StoreError, StoreErrorKind};

/// Rows of one INSERT at most, a power of two.
const CHUNK_ROWS: usize = 256;
/// Bytes of one INSERT at most, unless a single job has more or the server's `max_allowed_packet` is less.
const CHUNK_BYTES: usize = 4 << 20;
/// Numbers in one list of a DELETE or UPDATE at most; less where `max_allowed_packet` is small.
const CHUNK_NUMBERS: usize = 10_000;
/// Bytes that a row of an INSERT needs beside those of its job, at most.
const ROW: usize = 128;
/// Bytes of the longest row: the highest `max_allowed_packet`.
const MAX_ROW: usize = 1 << 30;
/// Bytes that an INSERT of one row needs beside the row, at most.
const STATEMENT: usize = 1024;

pub(super) struct Session {
    conn: Conn,
    /// The server's `max_allowed_packet`.
    packet: usize,
}

impl Session {
    pub(super) async fn connect(place: &Place, last: Option<Claim>) -> Result<(Self, Claim), StoreError> {
        let mut conn = connect(place).await?;
        let about = in_time(place, 0, conn.query_first("SELECT CONNECTION_ID(), @@max_allowed_packet"));
        let about: Option<(u64, u64)> = about.await?;
        let (number, packet) = about.unwrap_or_default();
        let opening = if let Some(claim) = last {
            // Before the lock, so that nobody else's session is ended; and behind it, when nobody else can come any more.
            still_ours(place, &mut conn, claim).await?;
            end_session(place, &mut conn, claim.session).await?;
            lock(place, &mut conn).await?;
            still_ours(place, &mut conn, claim).await?;
            claim.opening
        } else {
            lock(place, &mut conn).await?;
            tables::open(place, &mut conn).await?
        };
        let packet = usize::try_from(packet).unwrap_or(usize::MAX);
        Ok((Self { conn, packet }, Claim { opening, session: number }))
    }

    pub(super) fn max_job(&self) -> usize {
        self.packet.saturating_sub(STATEMENT + ROW)
    }

    /// All that opening would do is done in a transaction that is taken back, in tables that only this session sees where ours
    /// are not there yet.
    pub(super) async fn read(place: &Place, each: Each<'_>) -> Result<(), StoreError> {
        let mut conn = connect(place).await?;
        lock(place, &mut conn).await?;
        tables::look(place, &mut conn).await?;
        replay(place, &mut conn, each).await?;
        in_time(place, 0, conn.query_drop("ROLLBACK")).await?;
        // What there was to say has been said.
        let _ = within(place.timeout, conn.disconnect()).await;
        Ok(())
    }

    pub(super) async fn replay(&mut self, place: &Place, each: Each<'_>) -> Result<(), StoreError> {
        replay(place, &mut self.conn, each).await?;
        in_time(place, 0, self.conn.query_drop("COMMIT")).await
    }

    /// The session has no autocommit: the first statement begins a transaction. All that needs no parameters goes out together
    /// with the COMMIT, since each statement waits for its answer.
    pub(super) async fn commit(&mut self, place: &Place, plan: &Plan<'_>) -> Result<(), StoreError> {
        let bytes = CHUNK_BYTES.min(self.max_job());
        for (chunk, _) in chunks(&plan.adds, CHUNK_ROWS, bytes, ROW) {
            for rows in powers(chunk) {
                let sql = Sql::add(place, rows.len());
                let params: Vec<Value> = rows.iter().flat_map(params_of).collect();
                let size = rows.iter().map(|job| job.len() + ROW).sum();
                in_time(place, size, self.conn.exec_drop(sql, Params::Positional(params))).await?;
            }
        }
        let mut text = String::new();
        for statement in plain(place, plan, CHUNK_NUMBERS.min(self.packet / 64).max(1)) {
            if text.len() + statement.len() + STATEMENT > CHUNK_BYTES.min(self.packet) {
                in_time(place, text.len(), self.conn.query_drop(std::mem::take(&mut text))).await?;
            }
            text.push_str(&statement);
            text.push(';');
        }
        text.push_str("COMMIT");
        in_time(place, text.len(), self.conn.query_drop(text)).await
    }

    pub(super) async fn ping(&mut self, place: &Place) -> Result<(), StoreError> {
        in_time(place, 0, self.conn.ping()).await
    }

    pub(super) async fn close(self) {
        // Who does not answer finds out by itself.
        let _ = self.conn.disconnect().await;
    }
}

async fn replay(place: &Place, conn: &mut Conn, each: Each<'_>) -> Result<(), StoreError> {
    let sql = Sql::new(place);
    let counter: Option<u64> = in_time(place, 0, conn.query_first(&sql.get_counter)).await?;
    let mut counter = counter.unwrap_or_default();
    // Rows come as they are asked for: the connection reads no further before.
    let mut rows = in_time(place, 0, conn.exec_iter(&sql.replay, ())).await?;
    while let Some(row) = in_time(place, MAX_ROW, rows.next()).await? {
        let job = job_of(place, row)?;
        counter = counter.max(job.number);
        each(&Change::Add(job.borrow()))?;
    }
    each(&Change::Counter { number: counter })
}

/// The statements of a plan that need numbers only.
fn plain(place: &Place, plan: &Plan<'_>, most: usize) -> Vec<String> {
    let sql = Sql::new(place);
    let mut statements = Vec::new();
    let mut returned: Vec<(u16, u64)> =
        plan.returned.iter().map(|(number, returns)| (*returns, *number)).collect();
    returned.sort_unstable();
    for same in returned.chunk_by(|one, other| one.0 == other.0) {
        for numbers in same.chunks(most) {
            let list = list(numbers.iter().map(|(_, number)| *number));
            statements.push(format!("{}{} WHERE number IN ({list})", sql.returned, numbers[0].0));
        }
    }
    for numbers in plan.ends.chunks(most) {
        statements.push(format!("{} WHERE number IN ({})", sql.end, list(numbers.iter().copied())));
    }
    statements.extend(plan.counter.map(|number| format!("{}{number}", sql.counter)));
    statements
}

fn list(numbers: impl Iterator<Item = u64>) -> String {
    let mut text = String::new();
    for number in numbers {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{number}");
    }
    text
}

async fn connect(place: &Place) -> Result<Conn, StoreError> {
    let connected = within(place.timeout, Conn::new(place.opts.clone())).await;
    let connected = connected.ok_or_else(|| late(place, place.timeout))?;
    let mut conn = connected.map_err(|why| error(&place.text, &why))?;
    let seconds = place.timeout.as_secs().max(1);
    // Strict: a value that does not fit is an error and is not cut off. A session whose client
    // the network has lost ends, and unlocks the queue, when ten heartbeats have failed to come.
    let set = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 0, \
         innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}, wait_timeout = 600"
    );
    in_time(place, 0, conn.query_drop(set)).await?;
    Ok(conn)
}

/// The name of the lock on the queue, which is one for the whole server: `?` is the name of our table.
const LOCK: &str = "CONCAT('lineshaft.', SHA1(CONCAT(DATABASE(), '.', ?)))";

/// Takes the lock on the queue; waits as long as the timeout says, for a server that is just ending.
async fn lock(place: &Place, conn: &mut Conn) -> Result<(), StoreError> {
    let take = format!("SELECT GET_LOCK({LOCK}, ?)");
    let seconds = place.timeout.as_secs().max(1);
    let limit = place.timeout + Duration::from_secs(2);
    let taken = within(limit, conn.exec_first(take, (&place.jobs, seconds))).await;
    let taken: Option<Option<i64>> =
        taken.ok_or_else(|| late(place, limit))?.map_err(|why| error(&place.text, &why))?;
    if taken.flatten() == Some(1) {
        return Ok(());
    }
    Err(locked(&place.text, holder(place, conn).await?.unwrap_or_default()))
}

/// The number of the session that holds the lock.
async fn holder(place: &Place, conn: &mut Conn) -> Result<Option<u64>, StoreError> {
    let asked = conn.exec_first(format!("SELECT IS_USED_LOCK({LOCK})"), (&place.jobs,));
    let holder: Option<Option<u64>> = in_time(place, 0, asked).await?;
    Ok(holder.flatten())
}

/// Ends our own last session where the server has not noticed that it is over.
async fn end_session(place: &Place, conn: &mut Conn, number: u64) -> Result<(), StoreError> {
    if holder(place, conn).await? == Some(number) {
        // It may have ended by itself just now.
        let _ = in_time(place, 0, conn.query_drop(format!("KILL {number}"))).await;
    }
    Ok(())
}

/// Whether nobody has opened the queue since we did.
async fn still_ours(place: &Place, conn: &mut Conn, claim: Claim) -> Result<(), StoreError> {
    let sql = Sql::new(place);
    let opening: Option<u64> = in_time(place, 0, conn.query_first(&sql.get_opening)).await?;
    // What comes next sees what others have done meanwhile.
    in_time(place, 0, conn.query_drop("COMMIT")).await?;
    if opening == Some(claim.opening) { Ok(()) } else { Err(overtaken(&place.text)) }
}

/// The answer of the database within the timeout, which is longer where many bytes were sent.
pub(super) async fn in_time<T>(
    place: &Place,
    bytes: usize,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    let limit = allowance(place.timeout, bytes);
    match within(limit, work).await {
        Some(answer) => answer.map_err(|why| error(&place.text, &why)),
        None => Err(late(place, limit)),
    }
}

pub(super) fn late(place: &Place, limit: Duration) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("{}: no answer within {limit:?}", place.text))
}
