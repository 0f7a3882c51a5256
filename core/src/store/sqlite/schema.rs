//! Opening the file: whose it is, which version it has, and what is made where it is new.

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension};

use super::error::Trouble;
use super::{SqliteSettings, StoreError, StoreErrorKind, takeover, unsigned};

/// The version of our tables that this program writes, and the highest that it reads.
const VERSION: i64 = 1;

/// Names are blobs, so that they come back as they were, whatever they are; the view is for people.
const CREATE: &str = "
    CREATE TABLE lineshaft_meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO lineshaft_meta VALUES ('version', 1), ('counter', 0);
    CREATE TABLE lineshaft_job (
        number INTEGER PRIMARY KEY NOT NULL,
        function BLOB NOT NULL,
        unique_key BLOB NOT NULL,
        reducer BLOB,
        priority INTEGER NOT NULL,
        due INTEGER NOT NULL,
        returns INTEGER NOT NULL,
        schedule INTEGER NOT NULL,
        cron BLOB,
        workload BLOB NOT NULL
    );
    CREATE VIEW lineshaft_queue AS SELECT
        number,
        CAST(function AS TEXT) AS function,
        CAST(unique_key AS TEXT) AS unique_key,
        CAST(reducer AS TEXT) AS reducer,
        CASE priority WHEN 0 THEN 'high' WHEN 1 THEN 'normal' ELSE 'low' END AS priority,
        CASE WHEN due > 0 THEN datetime(due, 'unixepoch') END AS due,
        returns,
        NULLIF(schedule, 0) AS schedule,
        cron IS NOT NULL AS is_schedule,
        length(workload) AS bytes,
        workload
    FROM lineshaft_job;
";

/// Everything that is set before the file is looked at. The first pragma keeps the lock from the first access on, so that nobody
/// else comes between; without others the log's index stays in our memory.
const BEFORE: &str = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;";

/// The log is copied into the database when it has 2000 pages (8 MB), and its file is cut back to 64 MB at the most.
const AFTER: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 2000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -16384;
";

/// A connection to the file, which nobody else has and which may be written; nothing in it has changed.
pub(super) fn open(settings: &SqliteSettings) -> Result<(Connection, Trouble), StoreError> {
    connect(settings, Some(OpenFlags::SQLITE_OPEN_CREATE))
}

/// A connection to a file that is there, which nobody writes meanwhile.
pub(super) fn look(settings: &SqliteSettings) -> Result<(Connection, Trouble), StoreError> {
    connect(settings, None)
}

/// With flags for those who write.
fn connect(
    settings: &SqliteSettings,
    writes: Option<OpenFlags>,
) -> Result<(Connection, Trouble), StoreError> {
    let SqliteSettings { file, table, busy_timeout } = settings;
    if file.as_os_str().is_empty() {
        let text = "SQLite needs a file: sqlite:/var/lib/lineshaft/queue.db, for example";
        return Err(StoreError::new(StoreErrorKind::Settings, text));
    }
    takeover::check_name(table)?;
    // The names that mean something else to SQLite, such as `:memory:`, are files as well when they are whole paths.
    let path = std::path::absolute(file).map_err(|error| {
        let text = format!("cannot make a whole path of {}: {error}", file.display());
        StoreError::new(StoreErrorKind::Settings, text)
    })?;
    let trouble = Trouble::new(&path);
    let flags = writes.unwrap_or(OpenFlags::empty())
        | OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opening = |error| trouble.opening(&error);
    let connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
    connection.busy_timeout(*busy_timeout).map_err(opening)?;
    connection.execute_batch(BEFORE).map_err(opening)?;
    // SQLite opens it so where it may not write.
    let read_only = connection.is_readonly(MAIN_DB).map_err(opening)?;
    if read_only && writes.is_some() {
        return Err(trouble.read_only());
    }
    let version = version(&connection).map_err(|error| match error.sqlite_error_code() {
        // A file with a write-ahead log cannot be locked by those who may only read it.
        Some(ErrorCode::SystemIoFailure) if read_only => trouble.read_only(),
        _ => trouble.opening(&error),
    });
    match version? {
        Some(version) if version > VERSION => Err(trouble.newer(version, VERSION)),
        Some(VERSION) | None => Ok((connection, trouble)),
        Some(version) => Err(trouble.strange(version)),
    }
}

/// Makes our tables where they are not there.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    // Possible only before there is anything in the file.
    if connection.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0))? == 0 {
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    // What SQLite cannot do it answers with the mode that it keeps: the next write would tell then.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.execute_batch(AFTER)?;
    if version(connection)?.is_none() {
        let transaction = connection.transaction()?;
        transaction.execute_batch(CREATE)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The version of our tables; `None` where they are not there.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'lineshaft_meta'";
    match connection.query_row(there, [], |_| Ok(())).optional()? {
        Some(()) => Ok(Some(meta(connection, "version")?.unwrap_or_default())),
        None => Ok(None),
    }
}

/// A number that is kept beside the jobs.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM lineshaft_meta WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).optional()
}

/// The highest number that may have been used, by a job that is there or by any other.
pub(super) fn highest(connection: &Connection) -> rusqlite::Result<u64> {
    let highest = "SELECT max(coalesce((SELECT max(number) FROM lineshaft_job), 0), value) \
                   FROM lineshaft_meta WHERE name = 'counter'";
    connection.query_row(highest, [], |row| row.get(0)).map(unsigned)
}

/// Copies the whole log into the database, syncs that, and empties the log.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
