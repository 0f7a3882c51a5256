//! What gearmand has left in the file becomes ours: every row is moved, all of them in one transaction.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, TransactionBehavior};
use std::borrow::Cow;

use super::error::Trouble;
use super::{ADD, COUNTER, Change, Each, StoreError, StoreErrorKind, StoredJob, insert, schema, signed};
use crate::types::Priority;

/// gearmand's own name for its table.
pub(super) const TABLE: &str = "gearman_queue";

/// What gearmand has in its columns; those without a `must` were not there in all versions.
const COLUMNS: [(&str, bool); 5] = [
    ("function_name", true),
    ("unique_key", true),
    ("data", true),
    ("priority", false),
    ("when_to_run", false),
];

/// gearmand's table has a name that is neither one of ours nor one of SQLite's.
pub(super) fn check_name(table: &str) -> Result<(), StoreError> {
    let lower = table.to_ascii_lowercase();
    let text = match () {
        () if table.is_empty() => "the table of gearmand's queue has no name".into(),
        () if table.contains('\0') => format!("the name of a table has no NULs: {}", table.escape_debug()),
        () if lower.starts_with("lineshaft_") || lower.starts_with("sqlite_") => {
            format!("gearmand's queue cannot be in the table {table}: such names are taken; choose another")
        }
        () => return Ok(()),
    };
    Err(StoreError::new(StoreErrorKind::Settings, text))
}

/// A table of gearmand's that has rows.
pub(super) struct Old {
    /// Its name, in quotes.
    table: String,
    /// Reads the rows, with the columns in the order of [`COLUMNS`].
    select: String,
}

/// gearmand's table, if it is there and has rows; all of them can be taken over then.
pub(super) fn find(
    connection: &Connection,
    table: &str,
    trouble: &Trouble,
) -> Result<Option<Old>, StoreError> {
    let reading = |error| trouble.reading(&error);
    let mut info = connection.prepare("SELECT lower(name) FROM pragma_table_info(?1)").map_err(reading)?;
    let names = info.query_map([table], |row| row.get(0)).map_err(reading)?;
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(reading)?;
    if names.is_empty() {
        return Ok(None);
    }
    let mut columns = Vec::new();
    for (column, must) in COLUMNS {
        columns.push(match names.iter().any(|name| name == column) {
            true => column,
            false if must => {
                return Err(trouble.takeover(&format!(
                    "the table {table} is not a queue of gearmand's, for it has no column {column}: name the right one"
                )));
            }
            false => "NULL",
        });
    }
    let name = table;
    let table = format!("\"{}\"", name.replace('"', "\"\""));
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(reading)
    };
    let nameless = count("coalesce(hex(function_name), '') = '' OR hex(function_name) LIKE '00%'")?;
    if nameless > 0 {
        return Err(trouble.takeover(&format!(
            "{nameless} rows of {name} have no function_name, so nobody can do them: name a function, or delete them"
        )));
    }
    // Without an order: that of the rows, which is the one in which they came.
    let select = format!("SELECT {} FROM {table}", columns.join(", "));
    Ok((count("1")? > 0).then_some(Old { table, select }))
}

impl Old {
    /// Moves the rows behind the jobs that are ours already.
    pub(super) fn move_rows(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut number = schema::highest(&transaction)?;
        {
            let mut add = transaction.prepare_cached(ADD)?;
            let mut statement = transaction.prepare(&self.select)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                number += 1;
                with_job(row, number, |job| insert(&mut add, job))??;
            }
        }
        transaction.execute(COUNTER, [signed(number)])?;
        transaction.execute(&format!("DELETE FROM {}", self.table), [])?;
        transaction.commit()
    }

    /// Hands out what [`Old::move_rows`] would make of the rows: the highest number then.
    pub(super) fn read(
        &self,
        connection: &Connection,
        highest: u64,
        trouble: &Trouble,
        each: Each<'_>,
    ) -> Result<u64, StoreError> {
        let reading = |error| trouble.reading(&error);
        let mut statement = connection.prepare(&self.select).map_err(reading)?;
        let mut rows = statement.query([]).map_err(reading)?;
        let mut number = highest;
        while let Some(row) = rows.next().map_err(reading)? {
            number += 1;
            with_job(row, number, |job| each(&Change::Add(job.clone()))).map_err(reading)??;
        }
        Ok(number)
    }
}

/// Makes a job of a row, for as long as `then` takes.
fn with_job<T>(row: &Row<'_>, number: u64, then: impl FnOnce(&StoredJob<'_>) -> T) -> rusqlite::Result<T> {
    let (function, unique) = (bytes(row.get_ref(0)?), bytes(row.get_ref(1)?));
    let workload = bytes(row.get_ref(2)?);
    let priority = integer(row.get_ref(3)?).and_then(|priority| usize::try_from(priority).ok());
    let job = StoredJob {
        unique: until_nul(&unique),
        priority: priority.and_then(|it| Priority::ALL.get(it)).copied().unwrap_or_default(),
        // A time below zero is one that did not fit: long past for gearmand as well.
        due: integer(row.get_ref(4)?).and_then(|due| u64::try_from(due).ok()).unwrap_or_default(),
        ..StoredJob::new(number, until_nul(&function), &*workload)
    };
    Ok(then(&job))
}

/// Whatever is there, as bytes: gearmand writes text and blobs, NULL where there are none, and people write what they like.
fn bytes(value: ValueRef<'_>) -> Cow<'_, [u8]> {
    match value {
        ValueRef::Null => Cow::Borrowed(&[]),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Cow::Borrowed(bytes),
        ValueRef::Integer(number) => Cow::Owned(number.to_string().into()),
        ValueRef::Real(number) => Cow::Owned(number.to_string().into()),
    }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number),
        ValueRef::Real(number) => Some(number as i64),
        ValueRef::Text(text) | ValueRef::Blob(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
    }
}

/// gearmand cuts a unique of 64 bytes and puts a NUL behind it; no name has one inside.
fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or_default()
}
