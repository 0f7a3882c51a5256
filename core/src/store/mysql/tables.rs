//! Our tables, and gearmand's.

use bytes::Bytes;
use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row, Value};

use super::error::error;
use super::session::{in_time, late};
use super::settings::Place;
use crate::store::remote::{VERSION, newer, within};
use crate::store::{StoreError, StoreErrorKind, StoredJob};
use crate::types::{Data, Priority};

/// How long moving gearmand's jobs may take: the database does all of it in one statement.
const TAKEOVER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(600);

/// Statements with the names of our tables.
pub(super) struct Sql {
    /// Behind it, a count and the condition.
    pub(super) returned: String,
    /// Behind it, the condition.
    pub(super) end: String,
    /// Behind it, the number.
    pub(super) counter: String,
    pub(super) get_counter: String,
    pub(super) get_opening: String,
    pub(super) replay: String,
}

const COLUMNS: &str =
    "number, function_name, unique_key, reducer, priority, due, `returns`, schedule, cron, workload";

impl Sql {
    pub(super) fn new(place: &Place) -> Self {
        let (jobs, meta) = (quoted(&place.jobs), quoted(&place.meta));
        Self {
            returned: format!("UPDATE {jobs} SET `returns` = "),
            end: format!("DELETE FROM {jobs}"),
            counter: format!("UPDATE {meta} SET counter = "),
            get_counter: format!("SELECT counter FROM {meta}"),
            get_opening: format!("SELECT opening FROM {meta}"),
            replay: format!("SELECT {COLUMNS} FROM {jobs} ORDER BY number"),
        }
    }

    /// The INSERT of so many rows. A number that is there stays as it is; unlike INSERT IGNORE this forgives nothing else.
    pub(super) fn add(place: &Place, rows: usize) -> String {
        let mut values = "(?,?,?,?,?,?,?,?,?,?),".repeat(rows);
        values.pop();
        let jobs = quoted(&place.jobs);
        format!(
            "INSERT INTO {jobs} ({COLUMNS}) VALUES {values} ON DUPLICATE KEY UPDATE number = {jobs}.number"
        )
    }
}

/// The statements that make our tables; temporary ones are seen by their session alone.
fn create(place: &Place, temporary: bool) -> [String; 3] {
    let (jobs, meta) = (quoted(&place.jobs), quoted(&place.meta));
    let create = if temporary { "CREATE TEMPORARY TABLE" } else { "CREATE TABLE IF NOT EXISTS" };
    let kind = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC";
    [
        format!(
            "{create} {jobs} (\
                 number BIGINT UNSIGNED PRIMARY KEY, function_name MEDIUMBLOB NOT NULL, \
                 unique_key MEDIUMBLOB NOT NULL, reducer MEDIUMBLOB, priority TINYINT UNSIGNED NOT NULL, \
                 due BIGINT UNSIGNED NOT NULL, `returns` SMALLINT UNSIGNED NOT NULL, \
                 schedule BIGINT UNSIGNED NOT NULL, cron MEDIUMBLOB, workload LONGBLOB NOT NULL) {kind}"
        ),
        format!(
            "{create} {meta} (\
                 one TINYINT PRIMARY KEY, version INT NOT NULL, counter BIGINT UNSIGNED NOT NULL, \
                 opening BIGINT UNSIGNED NOT NULL) {kind}"
        ),
        format!("INSERT INTO {meta} VALUES (1, {VERSION}, 0, 0) ON DUPLICATE KEY UPDATE one = 1"),
    ]
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Makes what is missing and takes over gearmand's jobs. Answers how often the queue has been opened.
pub(super) async fn open(place: &Place, conn: &mut Conn) -> Result<u64, StoreError> {
    make(place, conn, false).await?;
    let meta = quoted(&place.meta);
    // No number is handed out twice, whatever somebody has done to the table of one row.
    let count = format!("UPDATE {meta} SET opening = opening + 1, counter = {}; COMMIT", highest(place));
    in_time(place, 0, conn.query_drop(count)).await?;
    let sql = Sql::new(place);
    let opening: Option<u64> = in_time(place, 0, conn.query_first(&sql.get_opening)).await?;
    if let Some(old) = Old::find(place, conn).await? {
        // Where an engine has no transactions, ours is durable first.
        let between = if old.transactions { "" } else { "COMMIT;" };
        let theirs = quoted(&place.table);
        let delete = format!("{between} DELETE FROM {theirs} WHERE {WANTED}; COMMIT");
        copy(place, conn, &format!("{}; {delete}", old.copy)).await?;
        let count = old.count;
        tracing::info!("{}: {count} jobs taken over from gearmand's table {}", place.text, place.table);
    }
    in_time(place, 0, conn.query_drop("COMMIT")).await?;
    Ok(opening.unwrap_or_default())
}

/// Makes everything look as [`open`] would make it, in the transaction of this session.
pub(super) async fn look(place: &Place, conn: &mut Conn) -> Result<(), StoreError> {
    make(place, conn, true).await?;
    match Old::find(place, conn).await? {
        Some(old) => copy(place, conn, &old.copy).await,
        None => Ok(()),
    }
}

/// Looks at the version, and makes our tables where they are not there.
async fn make(place: &Place, conn: &mut Conn, temporary: bool) -> Result<(), StoreError> {
    let meta = quoted(&place.meta);
    let version = match columns(place, conn, &place.meta).await?.is_empty() {
        true => None,
        false => in_time(place, 0, conn.query_first(format!("SELECT version FROM {meta}"))).await?,
    };
    match version {
        Some(VERSION) => {}
        Some(version) => return Err(newer(&place.text, &place.meta, version)),
        None => {
            for statement in create(place, temporary) {
                in_time(place, 0, conn.query_drop(statement)).await?;
            }
        }
    }
    Ok(())
}

/// The highest number that may have been used, for an UPDATE of the counter.
fn highest(place: &Place) -> String {
    format!("GREATEST(counter, (SELECT COALESCE(MAX(number), 0) FROM {}))", quoted(&place.jobs))
}

/// Does what takes as long as there are jobs.
async fn copy(place: &Place, conn: &mut Conn, sql: &str) -> Result<(), StoreError> {
    let done = within(TAKEOVER_TIMEOUT, conn.query_drop(sql)).await;
    done.ok_or_else(|| late(place, TAKEOVER_TIMEOUT))?.map_err(|why| error(&place.text, &why))
}

/// The columns of a table, names and types; none where there is no such table.
async fn columns(place: &Place, conn: &mut Conn, table: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT LOWER(COLUMN_NAME), LOWER(DATA_TYPE) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
    in_time(place, 0, conn.exec(sql, (table,))).await
}

/// What gearmand has left.
struct Old {
    /// The statements that copy it into our table, and count on.
    copy: String,
    count: u64,
    /// Its table's engine has them.
    transactions: bool,
}

impl Old {
    /// `None` where there is no table of gearmand's, or nothing in it.
    async fn find(place: &Place, conn: &mut Conn) -> Result<Option<Self>, StoreError> {
        let columns = columns(place, conn, &place.table).await?;
        let Some(copy) = copying(place, &columns) else { return Ok(None) };
        let engine =
            "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
        let engine: Option<Option<String>> =
            in_time(place, 0, conn.exec_first(engine, (&place.table,))).await?;
        let transactions = engine.flatten().is_some_and(|engine| engine.eq_ignore_ascii_case("InnoDB"));
        let waiting = format!("SELECT COUNT(*) FROM {} WHERE {WANTED}", quoted(&place.table));
        let waiting: Option<u64> = in_time(place, 0, conn.query_first(waiting)).await?;
        let Some(count @ 1..) = waiting else { return Ok(None) };
        let copy = format!("{copy}; UPDATE {} SET counter = {}", quoted(&place.meta), highest(place));
        Ok(Some(Self { copy, count, transactions }))
    }
}

/// Only rows without a function stay, since nobody can do them.
const WANTED: &str = "function_name <> ''";

/// The statement for gearmand's table of these columns; `None` where it is none of gearmand's. What may be missing or null is
/// put right.
fn copying(place: &Place, columns: &[(String, String)]) -> Option<String> {
    let column = |name: &str| columns.iter().find(|(there, _)| there == name);
    // What gearmand gets it says in utf8mb4, and the database keeps texts in the encoding of their column.
    let bytes = |name: &str| {
        let (name, kind) = column(name)?;
        let text = kind.ends_with("char") || kind.ends_with("text");
        Some(if text { format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)") } else { name.clone() })
    };
    let (function, unique, data) = (bytes("function_name")?, bytes("unique_key")?, bytes("data")?);
    column("priority")?;
    let due = column("when_to_run").map_or("0", |_| "when_to_run");
    let (theirs, jobs, meta) = (quoted(&place.table), quoted(&place.jobs), quoted(&place.meta));
    Some(format!(
        "INSERT INTO {jobs} ({COLUMNS}) \
         SELECT (SELECT counter FROM {meta}) + ROW_NUMBER() OVER (), {function}, \
             TRIM(TRAILING '\\0' FROM COALESCE({unique}, '')), NULL, \
             CASE WHEN priority IN (0, 2) THEN priority ELSE 1 END, GREATEST(COALESCE({due}, 0), 0), 0, 0, NULL, \
             COALESCE({data}, '') \
         FROM {theirs} WHERE {WANTED}"
    ))
}

/// The parameters of a job, in the order of the columns.
pub(super) fn params_of(job: &StoredJob<'_>) -> [Value; 10] {
    let optional = |bytes: Option<&[u8]>| bytes.map_or(Value::NULL, Value::from);
    [
        job.number.into(),
        job.function.into(),
        job.unique.into(),
        optional(job.reducer),
        (job.priority as u8).into(),
        job.due.into(),
        job.returns.into(),
        job.schedule.into(),
        optional(job.cron),
        (&*job.workload).into(),
    ]
}

/// The job of a row of ours.
pub(super) struct Stored {
    pub(super) number: u64,
    function: Vec<u8>,
    unique: Vec<u8>,
    reducer: Option<Vec<u8>>,
    priority: Priority,
    due: u64,
    returns: u16,
    schedule: u64,
    cron: Option<Vec<u8>>,
    workload: Bytes,
}

impl Stored {
    pub(super) fn borrow(&self) -> StoredJob<'_> {
        let workload = match self.workload.len() {
            Data::SHARE_FROM.. => Data::Shared(self.workload.clone()),
            _ => Data::Borrowed(&self.workload),
        };
        StoredJob {
            number: self.number,
            function: &self.function,
            unique: &self.unique,
            reducer: self.reducer.as_deref(),
            priority: self.priority,
            due: self.due,
            returns: self.returns,
            schedule: self.schedule,
            cron: self.cron.as_deref(),
            workload,
        }
    }
}

pub(super) fn job_of(place: &Place, mut row: Row) -> Result<Stored, StoreError> {
    let number = take(place, &mut row, 0, 0)?;
    let priority: u8 = take(place, &mut row, number, 4)?;
    let priority = Priority::ALL.get(usize::from(priority)).ok_or_else(|| damaged(place, number, 4))?;
    Ok(Stored {
        number,
        function: take(place, &mut row, number, 1)?,
        unique: take(place, &mut row, number, 2)?,
        reducer: take(place, &mut row, number, 3)?,
        priority: *priority,
        due: take(place, &mut row, number, 5)?,
        returns: take(place, &mut row, number, 6)?,
        schedule: take(place, &mut row, number, 7)?,
        cron: take(place, &mut row, number, 8)?,
        workload: take::<Vec<u8>>(place, &mut row, number, 9)?.into(),
    })
}

fn take<T: FromValue>(place: &Place, row: &mut Row, number: u64, at: usize) -> Result<T, StoreError> {
    match row.take_opt(at) {
        Some(Ok(value)) => Ok(value),
        _ => Err(damaged(place, number, at)),
    }
}

fn damaged(place: &Place, number: u64, at: usize) -> StoreError {
    let column = COLUMNS.split(", ").nth(at).unwrap_or_default();
    let text =
        format!("{}: job {number} has a value in {column} that this program does not know", place.text);
    StoreError::new(StoreErrorKind::Damaged, text)
}
