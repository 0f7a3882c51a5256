//! Our tables, and gearmand's.

use tokio_postgres::{Client, Row};

use super::error::error;
use super::session::{get, in_time, late};
use super::settings::Place;
use crate::store::remote::{VERSION, newer, within};
use crate::store::{StoreError, StoreErrorKind, StoredJob};
use crate::types::{Data, Priority};

/// How long moving gearmand's jobs may take: the database does all of it in one statement.
const TAKEOVER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(600);

/// Statements with the names of our tables. Numbers and times are unsigned: they are kept as the signed numbers of the same
/// bits.
pub(super) struct Sql {
    pub(super) add: String,
    pub(super) returned: String,
    pub(super) end: String,
    pub(super) counter: String,
    pub(super) get_counter: String,
    pub(super) get_opening: String,
    pub(super) replay: String,
}

const COLUMNS: &str =
    "number, function_name, unique_key, reducer, priority, due, returns, schedule, cron, workload";

impl Sql {
    pub(super) fn new(place: &Place) -> Self {
        let (jobs, meta) = (quoted(&place.jobs), quoted(&place.meta));
        Self {
            add: format!(
                "INSERT INTO {jobs} ({COLUMNS}) SELECT * FROM unnest($1::int8[], $2::bytea[], $3::bytea[], \
                 $4::bytea[], $5::int2[], $6::int8[], $7::int4[], $8::int8[], $9::bytea[], $10::bytea[]) \
                 ON CONFLICT (number) DO NOTHING"
            ),
            returned: format!(
                "UPDATE {jobs} j SET returns = r.returns FROM unnest($1::int8[], $2::int4[]) AS r(number, returns) \
                 WHERE j.number = r.number"
            ),
            end: format!("DELETE FROM {jobs} WHERE number = ANY($1::int8[])"),
            counter: format!("UPDATE {meta} SET counter = $1"),
            get_counter: format!("SELECT counter FROM {meta}"),
            get_opening: format!("SELECT opening FROM {meta}"),
            replay: format!("SELECT {COLUMNS} FROM {jobs} ORDER BY number"),
        }
    }
}

fn create(place: &Place) -> String {
    let (jobs, meta) = (quoted(&place.jobs), quoted(&place.meta));
    format!(
        "CREATE TABLE IF NOT EXISTS {jobs} (\
             number int8 PRIMARY KEY, function_name bytea NOT NULL, unique_key bytea NOT NULL, reducer bytea, \
             priority int2 NOT NULL, due int8 NOT NULL, returns int4 NOT NULL, schedule int8 NOT NULL, cron bytea, \
             workload bytea NOT NULL); \
         CREATE TABLE {meta} (\
             one int2 PRIMARY KEY DEFAULT 1 CHECK (one = 1), version int4 NOT NULL, counter int8 NOT NULL, \
             opening int8 NOT NULL); \
         INSERT INTO {meta} (version, counter, opening) VALUES ({VERSION}, 0, 0)"
    )
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes what is missing and takes over gearmand's jobs, in a transaction of the caller's. Answers how often the queue has been opened.
pub(super) async fn open(place: &Place, client: &Client) -> Result<u64, StoreError> {
    let exists = "SELECT to_regclass(quote_ident($1::text)) IS NOT NULL";
    let row = in_time(place, 0, client.query_one(exists, &[&place.meta])).await?;
    if get(place, row.try_get(0))? {
        let version = format!("SELECT version FROM {}", quoted(&place.meta));
        let row = in_time(place, 0, client.query_one(&version, &[])).await?;
        let version: i32 = get(place, row.try_get(0))?;
        if version != VERSION {
            return Err(newer(&place.text, &place.meta, version));
        }
    } else {
        in_time(place, 0, client.batch_execute(&create(place))).await?;
    }
    // No number is handed out twice, whatever somebody has done to the table of one row.
    let count = format!(
        "UPDATE {} SET opening = opening + 1, \
             counter = GREATEST(counter, (SELECT max(number) FROM {})) RETURNING opening",
        quoted(&place.meta),
        quoted(&place.jobs)
    );
    let row = in_time(place, 0, client.query_one(&count, &[])).await?;
    let opening: i64 = get(place, row.try_get(0))?;
    take_over(place, client).await?;
    Ok(opening as u64)
}

/// Moves what is in gearmand's table to ours, where there is such a table: all at once or not at all.
async fn take_over(place: &Place, client: &Client) -> Result<(), StoreError> {
    let columns = "SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
         WHERE a.attrelid = to_regclass(quote_ident($1::text)) AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = in_time(place, 0, client.query(columns, &[&place.table])).await?;
    let columns: Vec<(String, String)> = rows
        .iter()
        .map(|row| Ok((get(place, row.try_get(0))?, get(place, row.try_get(1))?)))
        .collect::<Result<_, StoreError>>()?;
    let Some(moving) = moving(place, &columns) else { return Ok(()) };
    let moved = within(TAKEOVER_TIMEOUT, client.query_one(&moving, &[])).await;
    let row = moved.ok_or_else(|| late(place, TAKEOVER_TIMEOUT))?.map_err(|why| error(&place.text, &why))?;
    let count: i64 = get(place, row.try_get(0))?;
    if count > 0 {
        tracing::info!("{}: {count} jobs taken over from gearmand's table {}", place.text, place.table);
    }
    Ok(())
}

/// The statement for gearmand's table of these columns, names and types; `None` where it is none of gearmand's. What may be
/// missing or null is put right; only rows without a function stay, since nobody can do them.
fn moving(place: &Place, columns: &[(String, String)]) -> Option<String> {
    let column = |name: &str| columns.iter().find(|(there, _)| there == name);
    // Texts are in the encoding of the database, which is how gearmand's bytes came in.
    let bytes = |name: &str| {
        let (name, kind) = column(name)?;
        Some(match kind.as_str() {
            "bytea" => name.clone(),
            _ => format!("convert_to({name}::text, getdatabaseencoding())"),
        })
    };
    let (function, unique, data) = (bytes("function_name")?, bytes("unique_key")?, bytes("data")?);
    column("priority")?;
    let due = column("when_to_run").map_or("0", |_| "when_to_run");
    let (theirs, jobs, meta) = (quoted(&place.table), quoted(&place.jobs), quoted(&place.meta));
    Some(format!(
        "WITH gone AS (\
             DELETE FROM {theirs} WHERE function_name <> '' \
             RETURNING {function} AS function, COALESCE({unique}, '') AS uniq, COALESCE({data}, '') AS data, \
                 CASE WHEN priority IN (0, 2) THEN priority ELSE 1 END AS priority, \
                 GREATEST(COALESCE({due}, 0), 0) AS due), \
         added AS (\
             INSERT INTO {jobs} ({COLUMNS}) \
             SELECT counter + row_number() OVER (), function, uniq, NULL, priority, due, 0, 0, NULL, data \
             FROM gone, {meta} RETURNING number), \
         counted AS (\
             UPDATE {meta} SET counter = counter + (SELECT count(*) FROM added)) \
         SELECT count(*) FROM added"
    ))
}

/// The job of a row of ours.
pub(super) fn job_of<'r>(place: &Place, row: &'r Row) -> Result<StoredJob<'r>, StoreError> {
    let number = get::<i64>(place, row.try_get(0))? as u64;
    let damaged = |what: &str| {
        let text = format!("{}: job {number} has a {what} that this program does not know", place.text);
        StoreError::new(StoreErrorKind::Damaged, text)
    };
    let priority = usize::try_from(get::<i16>(place, row.try_get(4))?).ok();
    let priority = priority.and_then(|it| Priority::ALL.get(it)).ok_or_else(|| damaged("priority"))?;
    let returns = get::<i32>(place, row.try_get(6))?.try_into().map_err(|_| damaged("count of returns"))?;
    Ok(StoredJob {
        number,
        function: get(place, row.try_get(1))?,
        unique: get(place, row.try_get(2))?,
        reducer: get(place, row.try_get(3))?,
        priority: *priority,
        due: get::<i64>(place, row.try_get(5))? as u64,
        returns,
        schedule: get::<i64>(place, row.try_get(7))? as u64,
        cron: get(place, row.try_get(8))?,
        workload: Data::Borrowed(get(place, row.try_get(9))?),
    })
}
