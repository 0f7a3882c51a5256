//! A connection that has the queue for itself, and what is done with it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use futures_core::Stream;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Statement};

use super::error::error;
use super::settings::Place;
use super::tables::{self, Sql, job_of};
use crate::store::remote::{Claim, Plan, allowance, chunks, locked, overtaken, within};
use crate::store::{Change, Each, StoreError, StoreErrorKind, StoredJob};

/// Rows of one statement at most.
const CHUNK_ROWS: usize = 10_000;
/// Bytes of one statement at most, unless a single job has more.
const CHUNK_BYTES: usize = 8 << 20;
/// The first half of the key of our advisory locks, "LSFT"; the second is a hash of the queue's name.
const LOCK_CLASS: i32 = 0x4c53_4654;

pub(super) struct Session {
    client: Client,
    connection: Connection,
    add: Statement,
    returned: Statement,
    end: Statement,
    counter: Statement,
}

/// The task that moves the bytes. It knows why it has ended, where a request only learns that it has.
struct Connection(JoinHandle<Result<(), Error>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    pub(super) async fn connect(place: &Place, last: Option<Claim>) -> Result<(Self, Claim), StoreError> {
        let (client, connection) = connect(place).await?;
        let (session, opening) = if let Some(claim) = last {
            // Before the lock, so that nobody else's session is ended; and behind it, when nobody else can come any more.
            still_ours(place, &client, claim).await?;
            end_session(place, &client, claim.session).await?;
            let session = lock(place, &client).await?;
            still_ours(place, &client, claim).await?;
            (session, claim.opening)
        } else {
            let session = lock(place, &client).await?;
            in_time(place, 0, client.batch_execute("BEGIN")).await?;
            let opening = tables::open(place, &client).await?;
            in_time(place, 0, client.batch_execute("COMMIT")).await?;
            (session, opening)
        };
        let sql = Sql::new(place);
        let prepared = in_time(place, 0, async {
            tokio::try_join!(
                client.prepare(&sql.add),
                client.prepare(&sql.returned),
                client.prepare(&sql.end),
                client.prepare(&sql.counter),
            )
        });
        let (add, returned, end, counter) = prepared.await?;
        Ok((Self { client, connection, add, returned, end, counter }, Claim { opening, session }))
    }

    /// All that opening would do is done in a transaction, which ends with the connection.
    pub(super) async fn read(place: &Place, each: Each<'_>) -> Result<(), StoreError> {
        let (client, _connection) = connect(place).await?;
        lock(place, &client).await?;
        in_time(place, 0, client.batch_execute("BEGIN")).await?;
        tables::open(place, &client).await?;
        replay(place, &client, each).await?;
        in_time(place, 0, client.batch_execute("ROLLBACK")).await
    }

    pub(super) async fn replay(&mut self, place: &Place, each: Each<'_>) -> Result<(), StoreError> {
        replay(place, &self.client, each).await
    }

    pub(super) async fn commit(&mut self, place: &Place, plan: &Plan<'_>) -> Result<(), StoreError> {
        let done = self.transaction(place, plan).await;
        match done {
            Err(why) if self.client.is_closed() => Err(self.connection.why(place).await.unwrap_or(why)),
            other => other,
        }
    }

    /// What is sent goes out at once, and the answers are read behind: a transaction of one chunk takes one round trip.
    async fn transaction(&self, place: &Place, plan: &Plan<'_>) -> Result<(), StoreError> {
        let mut added: Vec<_> = chunks(&plan.adds, CHUNK_ROWS, CHUNK_BYTES, 64).collect();
        let last = added.pop();
        let mut begun = false;
        for chunk in added {
            if !begun {
                in_time(place, 0, self.client.batch_execute("BEGIN")).await?;
                begun = true;
            }
            in_time(place, chunk.1, self.add(chunk.0)).await?;
        }
        let size = last.map_or(0, |chunk| chunk.1) + 24 * (plan.ends.len() + plan.returned.len());
        let flight = async {
            tokio::try_join!(
                biased;
                when(!begun, self.client.batch_execute("BEGIN")),
                when(last.is_some(), self.add(last.map_or(&[], |chunk| chunk.0))),
                when(!plan.returned.is_empty(), self.returned(plan)),
                when(!plan.ends.is_empty(), self.end(&plan.ends)),
                when(plan.counter.is_some(), self.counter(plan.counter.unwrap_or_default())),
                self.client.batch_execute("COMMIT"),
            )
        };
        in_time(place, size, flight).await.map(drop)
    }

    async fn add(&self, jobs: &[StoredJob<'_>]) -> Result<(), Error> {
        let numbers: Vec<i64> = jobs.iter().map(|job| job.number as i64).collect();
        let functions: Vec<&[u8]> = jobs.iter().map(|job| job.function).collect();
        let uniques: Vec<&[u8]> = jobs.iter().map(|job| job.unique).collect();
        let reducers: Vec<Option<&[u8]>> = jobs.iter().map(|job| job.reducer).collect();
        let priorities: Vec<i16> = jobs.iter().map(|job| job.priority as i16).collect();
        let dues: Vec<i64> = jobs.iter().map(|job| job.due as i64).collect();
        let returns: Vec<i32> = jobs.iter().map(|job| job.returns.into()).collect();
        let schedules: Vec<i64> = jobs.iter().map(|job| job.schedule as i64).collect();
        let crons: Vec<Option<&[u8]>> = jobs.iter().map(|job| job.cron).collect();
        let workloads: Vec<&[u8]> = jobs.iter().map(|job| &*job.workload).collect();
        let columns: [&(dyn ToSql + Sync); 10] = [
            &numbers,
            &functions,
            &uniques,
            &reducers,
            &priorities,
            &dues,
            &returns,
            &schedules,
            &crons,
            &workloads,
        ];
        self.client.execute(&self.add, &columns).await.map(drop)
    }

    async fn returned(&self, plan: &Plan<'_>) -> Result<(), Error> {
        let numbers: Vec<i64> = plan.returned.keys().map(|number| *number as i64).collect();
        let returns: Vec<i32> = plan.returned.values().map(|&returns| returns.into()).collect();
        self.client.execute(&self.returned, &[&numbers, &returns]).await.map(drop)
    }

    async fn end(&self, numbers: &[u64]) -> Result<(), Error> {
        let numbers: Vec<i64> = numbers.iter().map(|number| *number as i64).collect();
        self.client.execute(&self.end, &[&numbers]).await.map(drop)
    }

    async fn counter(&self, number: u64) -> Result<(), Error> {
        self.client.execute(&self.counter, &[&(number as i64)]).await.map(drop)
    }

    pub(super) async fn ping(&mut self, place: &Place) -> Result<(), StoreError> {
        in_time(place, 0, self.client.check_connection()).await
    }

    pub(super) async fn close(self) {
        let Self { client, mut connection, .. } = self;
        drop(client);
        // It says goodbye when it sees that nobody asks any more; there is nothing to do where it cannot.
        let _ = (&mut connection.0).await;
    }
}

impl Connection {
    /// Why it has ended, where that is more than that it has.
    async fn why(&mut self, place: &Place) -> Option<StoreError> {
        let ended = within(Duration::from_secs(1), &mut self.0).await?;
        ended.ok()?.err().map(|why| error(&place.text, &why))
    }
}

async fn when(wanted: bool, work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    if wanted { work.await } else { Ok(()) }
}

async fn connect(place: &Place) -> Result<(Client, Connection), StoreError> {
    let config = place.config();
    let connected = within(place.connect_timeout, config.connect(NoTls)).await;
    let connected = connected.ok_or_else(|| late(place, place.connect_timeout))?;
    let (client, connection) = connected.map_err(|why| error(&place.text, &why))?;
    let connection = Connection(tokio::spawn(connection));
    let milliseconds = place.timeout.as_millis().max(1).to_string();
    // Only those that this version of the server has. The network's are for the server: a session whose client the network
    // has lost must not keep the queue locked for the hours that are their defaults.
    let wanted = [
        ("lock_timeout", milliseconds.as_str()),
        ("idle_session_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("statement_timeout", "0"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "5"),
        ("tcp_user_timeout", "15000"),
        // The key has the order of a replay: sorting a million rows on disk first is never better.
        ("enable_sort", "off"),
    ];
    let (names, values): (Vec<&str>, Vec<&str>) = wanted.into_iter().unzip();
    let set = "SELECT count(set_config(s.name, w.value, false)) FROM pg_settings s \
         JOIN unnest($1::text[], $2::text[]) AS w(name, value) ON w.name = s.name";
    in_time(place, 0, client.query_one(set, &[&names, &values])).await?;
    // What is committed is durable, whatever the server's default is; settings that are stronger stay.
    let durable = "SELECT set_config(name, 'on', false) FROM pg_settings \
         WHERE name = 'synchronous_commit' AND setting = 'off'";
    in_time(place, 0, client.query_opt(durable, &[])).await?;
    Ok((client, connection))
}

/// The second half of the lock's key: `$1` is the name of our table, which may lie in another schema than new ones would.
const LOCK_KEY: &str = "hashtext(COALESCE((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.oid = to_regclass(quote_ident($1::text))), current_schema()) || '.' || $1::text)";

async fn replay(place: &Place, client: &Client, each: Each<'_>) -> Result<(), StoreError> {
    let sql = Sql::new(place);
    let row = in_time(place, 0, client.query_one(&sql.get_counter, &[])).await?;
    let mut counter = get::<i64>(place, row.try_get(0))? as u64;
    let rows = client.query_raw(&sql.replay, Vec::<i32>::new());
    let mut rows = pin!(in_time(place, 0, rows).await?);
    // Rows come as they are asked for: the connection reads no further before.
    while let Some(row) = {
        let next = poll_fn(|context| rows.as_mut().poll_next(context));
        in_time(place, super::Postgres::MAX_JOB, async { next.await.transpose() }).await?
    } {
        let job = job_of(place, &row)?;
        counter = counter.max(job.number);
        each(&Change::Add(job))?;
    }
    each(&Change::Counter { number: counter })
}

/// Takes the lock on the queue; waits as long as the timeout says, for a server that is just ending. Answers the session's
/// number.
async fn lock(place: &Place, client: &Client) -> Result<u64, StoreError> {
    let take = format!("SELECT pg_backend_pid(), pg_advisory_lock({LOCK_CLASS}, {LOCK_KEY})");
    // The server's own timeout answers first.
    let limit = place.timeout + Duration::from_secs(1);
    let taken = within(limit, client.query_one(&take, &[&place.jobs])).await;
    match taken.ok_or_else(|| late(place, limit))? {
        Ok(row) => get::<i32>(place, row.try_get(0)).map(|pid| pid as u64),
        Err(why) if why.code() == Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE) => {
            let holder = in_time(place, 0, client.query_opt(&holder(""), &[&place.jobs])).await?;
            let holder: i32 = holder.map_or(Ok(0), |row| get(place, row.try_get(0)))?;
            Err(locked(&place.text, holder))
        }
        Err(why) => Err(error(&place.text, &why)),
    }
}

/// The process of the server that holds the lock.
fn holder(further: &str) -> String {
    format!(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 \
         AND classid::int8 = {LOCK_CLASS} AND objid::int8 = {LOCK_KEY}::int8 & 4294967295 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) {further}"
    )
}

/// Ends our own last session where the server has not noticed that it is over.
async fn end_session(place: &Place, client: &Client, pid: u64) -> Result<(), StoreError> {
    let end = format!("SELECT pg_terminate_backend(pid) FROM ({}) holder", holder("AND pid = $2"));
    in_time(place, 0, client.query_opt(&end, &[&place.jobs, &(pid as i32)])).await.map(drop)
}

/// Whether nobody has opened the queue since we did.
async fn still_ours(place: &Place, client: &Client, claim: Claim) -> Result<(), StoreError> {
    let row = in_time(place, 0, client.query_one(&Sql::new(place).get_opening, &[])).await?;
    let opening: i64 = get(place, row.try_get(0))?;
    if opening as u64 == claim.opening { Ok(()) } else { Err(overtaken(&place.text)) }
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

/// A value of one of our tables.
pub(super) fn get<T>(place: &Place, value: Result<T, Error>) -> Result<T, StoreError> {
    value.map_err(|why| {
        let why = super::error::causes(&why);
        let text = format!("{}: the table is not as this program makes it: {why}", place.text);
        StoreError::new(StoreErrorKind::Damaged, text)
    })
}
