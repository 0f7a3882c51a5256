//! Jobs in an SQLite file: its write-ahead log, synced at every commit.
//!
//! | table | what |
//! | --- | --- |
//! | `lineshaft_job` | a row for every live job and schedule, by its number |
//! | `lineshaft_meta` | the version of these tables, and the counter |
//! | `lineshaft_queue` | a view for people: names as text, times as dates |
//!
//! One process has the file for itself. The connection is never replaced by a new one after a failed write: what the failed
//! commit has left in the operating system's cache would pass for written. Where the connection stays, the next commit writes
//! the same pages of the log once more, and syncs them. For the same reason opening copies the whole log into the database.

mod error;
mod schema;
mod takeover;
#[cfg(test)]
mod tests;

use rusqlite::{Connection, Row, params};
use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use super::{Batch, Change, Each, Store, StoreError, StoreErrorKind, StoredJob};
use crate::types::{Data, Priority};
use error::Trouble;

/// Which file, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteSettings {
    /// The file; it is made where there is none, its folder is not. There is no default.
    pub file: PathBuf,
    /// The table in that file in which gearmand has kept its queue: its jobs are moved to ours when it is opened, the table
    /// stays, empty. Default `gearman_queue`.
    pub table: String,
    /// How long opening waits for somebody else to let the file go. Default 1 s.
    pub busy_timeout: Duration,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self { file: PathBuf::new(), table: takeover::TABLE.into(), busy_timeout: Duration::from_secs(1) }
    }
}

/// An SQLite file that is open. Dropping it closes the file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    trouble: Trouble,
    /// Changes since the file was last looked at for room to give back.
    changes: usize,
}

const ADD: &str = "INSERT INTO lineshaft_job (number, function, unique_key, reducer, priority, due, returns, schedule, cron, \
                   workload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (number) DO NOTHING";
const END: &str = "DELETE FROM lineshaft_job WHERE number = ?1";
const RETURNED: &str = "UPDATE lineshaft_job SET returns = ?2 WHERE number = ?1";
const COUNTER: &str = "UPDATE lineshaft_meta SET value = ?1 WHERE name = 'counter'";
const ALL: &str = "SELECT number, function, unique_key, reducer, priority, due, returns, schedule, cron, workload \
                   FROM lineshaft_job ORDER BY number";

impl Sqlite {
    /// SQLite refuses rows of more than 10^9 bytes; a row has some that are not the job's own.
    const MAX_JOB: usize = 1_000_000_000 - 1000;
    /// So many changes lie between two looks for room that can be given back to the file system.
    const LOOK_EVERY: usize = 4096;
    /// Pages that are given back in one piece of work.
    const PIECE: u32 = 128;

    /// Opens the file, and takes over what gearmand has left in it.
    ///
    /// # Errors
    /// Why it cannot be used. The file is as it was then.
    pub fn open(settings: &SqliteSettings) -> Result<Self, StoreError> {
        let (mut connection, trouble) = schema::open(settings)?;
        // All that can be wrong is looked for before anything is written.
        let old = takeover::find(&connection, &settings.table, &trouble)?;
        schema::prepare(&mut connection).map_err(|error| trouble.opening(&error))?;
        if let Some(old) = old {
            old.move_rows(&mut connection).map_err(|error| trouble.writing(&error))?;
        }
        schema::checkpoint(&connection).map_err(|error| trouble.writing(&error))?;
        Ok(Self { connection, trouble, changes: 0 })
    }

    /// `sqlite:FILE[?table=NAME]`
    pub(super) fn open_address(address: &Address<'_>) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(Self::open(&Self::settings(address)?)?))
    }

    fn settings(address: &Address<'_>) -> Result<SqliteSettings, StoreError> {
        let [table] = address.settings(["table"])?;
        let defaults = SqliteSettings::default();
        let table = table.unwrap_or(defaults.table);
        Ok(SqliteSettings { file: address.place.into(), table, ..defaults })
    }

    /// Hands everything in the file to `each`, gearmand's jobs behind ours, with the numbers that opening would give them, and
    /// the counter at the end. Nothing is written.
    ///
    /// # Errors
    /// Why it cannot be read, [`StoreErrorKind::Locked`] while somebody has it open; those of `each`.
    pub fn read(settings: &SqliteSettings, each: Each<'_>) -> Result<(), StoreError> {
        let (connection, trouble) = schema::look(settings)?;
        let old = takeover::find(&connection, &settings.table, &trouble)?;
        let reading = |error| trouble.reading(&error);
        let mut counter = 0;
        if schema::version(&connection).map_err(reading)?.is_some() {
            replay(&connection, &trouble, each)?;
            counter = schema::highest(&connection).map_err(reading)?;
        }
        if let Some(old) = old {
            counter = old.read(&connection, counter, &trouble, each)?;
        }
        each(&Change::Counter { number: counter })
    }

    /// As [`Sqlite::open_address`].
    pub(super) fn read_address(address: &Address<'_>, each: Each<'_>) -> Result<(), StoreError> {
        Self::read(&Self::settings(address)?, each)
    }

    fn write(&self, batch: &Batch) -> rusqlite::Result<()> {
        run(&self.connection, "BEGIN IMMEDIATE")?;
        let written = self.write_changes(batch).and_then(|()| run(&self.connection, "COMMIT"));
        if written.is_err() && !self.connection.is_autocommit() {
            // Where that fails as well, the first error is the one to tell; the next BEGIN fails then.
            let _ = run(&self.connection, "ROLLBACK");
        }
        written
    }

    fn write_changes(&self, batch: &Batch) -> rusqlite::Result<()> {
        let [mut add, mut end] = [self.connection.prepare_cached(ADD)?, self.connection.prepare_cached(END)?];
        for change in batch.changes() {
            match &change {
                Change::Add(job) => insert(&mut add, job)?,
                Change::End { number } => end.execute([signed(*number)])?,
                Change::Returned { number, returns } => {
                    let mut returned = self.connection.prepare_cached(RETURNED)?;
                    returned.execute(params![signed(*number), returns])?
                }
                Change::Counter { number } => {
                    self.connection.prepare_cached(COUNTER)?.execute([signed(*number)])?
                }
            };
        }
        Ok(())
    }

    /// Some pages that nothing is in, at the end of the file, where they are more than half of it; true where there are more.
    fn shrink(&self) -> rusqlite::Result<bool> {
        let number = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
        let free = number("freelist_count")?;
        if free <= Self::PIECE || free < number("page_count")? / 2 {
            return Ok(false);
        }
        // 0 where gearmand has made the file: SQLite keeps such room for later rows.
        const INCREMENTAL: u32 = 2;
        if number("auto_vacuum")? != INCREMENTAL {
            return Ok(false);
        }
        self.connection.execute_batch(&format!("PRAGMA incremental_vacuum({})", Self::PIECE))?;
        Ok(true)
    }
}

impl Store for Sqlite {
    fn describe(&self) -> String {
        format!("sqlite {}", self.trouble.file())
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        replay(&self.connection, &self.trouble, each)?;
        let number = schema::meta(&self.connection, "counter");
        let number = number.map_err(|error| self.trouble.reading(&error))?;
        each(&Change::Counter { number: unsigned(number.unwrap_or_default()) })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.write(batch).map_err(|error| self.trouble.writing(&error))?;
        self.changes += batch.len();
        Ok(())
    }

    fn max_job(&self) -> usize {
        Self::MAX_JOB
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        if self.changes < Self::LOOK_EVERY {
            return Ok(false);
        }
        let more = self.shrink().map_err(|error| self.trouble.writing(&error))?;
        if !more {
            self.changes = 0;
        }
        Ok(more)
    }
}

/// Hands out every job of ours.
fn replay(connection: &Connection, trouble: &Trouble, each: Each<'_>) -> Result<(), StoreError> {
    let reading = |error| trouble.reading(&error);
    let mut statement = connection.prepare(ALL).map_err(reading)?;
    let mut rows = statement.query([]).map_err(reading)?;
    while let Some(row) = rows.next().map_err(reading)? {
        each(&Change::Add(job(row).map_err(|error| trouble.row(row, &error))?))?;
    }
    Ok(())
}

/// Runs a statement without values that is run often.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn insert(statement: &mut rusqlite::Statement<'_>, job: &StoredJob<'_>) -> rusqlite::Result<usize> {
    let StoredJob { number, function, unique, reducer, priority, due, returns, schedule, cron, workload } =
        job;
    statement.execute(params![
        signed(*number),
        function,
        unique,
        reducer,
        *priority as u8,
        signed(*due),
        returns,
        signed(*schedule),
        cron,
        &**workload,
    ])
}

/// A row of [`ALL`].
fn job<'a>(row: &'a Row<'_>) -> Result<StoredJob<'a>, rusqlite::types::FromSqlError> {
    use rusqlite::types::{FromSqlError, ValueRef};
    // The statement has ten columns.
    let column = |at| row.get_ref(at).unwrap_or(ValueRef::Null);
    let number = |at| column(at).as_i64().map(unsigned);
    let priority = usize::try_from(number(4)?).ok().and_then(|priority| Priority::ALL.get(priority));
    let returns = column(6).as_i64()?;
    Ok(StoredJob {
        number: number(0)?,
        function: column(1).as_bytes()?,
        unique: column(2).as_bytes()?,
        reducer: column(3).as_bytes_or_null()?,
        priority: *priority.ok_or(FromSqlError::OutOfRange(column(4).as_i64()?))?,
        due: number(5)?,
        returns: u16::try_from(returns).map_err(|_| FromSqlError::OutOfRange(returns))?,
        schedule: number(7)?,
        cron: column(8).as_bytes_or_null()?,
        workload: Data::Borrowed(column(9).as_bytes()?),
    })
}

/// SQLite's integers have a sign; the largest numbers of ours come back from below zero.
const fn signed(number: u64) -> i64 {
    number as i64
}

const fn unsigned(number: i64) -> u64 {
    number as u64
}
