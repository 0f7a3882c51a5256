use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn settings(file: &Path) -> SqliteSettings {
    // Whoever is in the way stays there.
    SqliteSettings { file: file.into(), busy_timeout: Duration::ZERO, ..SqliteSettings::default() }
}

fn open(file: &Path) -> Result<Sqlite, StoreError> {
    Sqlite::open(&settings(file))
}

fn job(number: u64, workload: &[u8]) -> StoredJob<'_> {
    StoredJob { unique: b"u", ..StoredJob::new(number, b"f", workload) }
}

fn adds(numbers: impl IntoIterator<Item = u64>, workload: &[u8]) -> Batch {
    let mut batch = Batch::new();
    numbers.into_iter().for_each(|number| batch.push(&Change::Add(job(number, workload))));
    batch
}

fn numbers(store: &mut Sqlite) -> Vec<u64> {
    let mut numbers = Vec::new();
    let replayed = store.replay(&mut |change| {
        if let Change::Add(job) = change {
            numbers.push(job.number);
        }
        Ok(())
    });
    replayed.unwrap();
    numbers
}

/// The file is not changed by the failure.
fn refused(file: &Path, kind: StoreErrorKind, sentence: &str) {
    let before = fs::read(file).ok();
    let error = open(file).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(sentence), "{error}");
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    assert!(fs::read(file).ok() == before, "the file has changed");
}

#[test]
fn newer_versions_are_refused() {
    let folder = folder();
    let file = folder.path().join("q.db");
    drop(open(&file).unwrap());
    for (version, kind, sentence) in [
        (2, StoreErrorKind::Newer, "holds a queue of version 2, and this program knows no version after 1"),
        (0, StoreErrorKind::Damaged, "the version 0, which no Lineshaft has written"),
    ] {
        let other = Connection::open(&file).unwrap();
        other.execute("UPDATE lineshaft_meta SET value = ?1 WHERE name = 'version'", [version]).unwrap();
        drop(other);
        refused(&file, kind, sentence);
    }
}

#[test]
fn what_is_no_database_stays_as_it_is() {
    let folder = folder();
    let file = folder.path().join("q.db");
    fs::write(&file, "a letter to somebody\n".repeat(500)).unwrap();
    refused(&file, StoreErrorKind::Damaged, "is not an SQLite database");
    refused(folder.path(), StoreErrorKind::Io, "its folder must be there");
    refused(&folder.path().join("none/q.db"), StoreErrorKind::Io, "its folder must be there");
    let error = Sqlite::read(&settings(&folder.path().join("other.db")), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Io);
    assert!(!folder.path().join("other.db").exists(), "reading makes no file");
    let error = open(Path::new("")).unwrap_err();
    assert!(error.to_string().starts_with("SQLite needs a file"), "{error}");
}

#[test]
fn a_file_that_somebody_writes_is_locked() {
    let folder = folder();
    let file = folder.path().join("q.db");
    let other = Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE x (a); BEGIN EXCLUSIVE").unwrap();
    let error = open(&file).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert!(error.to_string().contains("is in use by another process: stop that one"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    let mut store = open(&file).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    other.execute("INSERT INTO x VALUES (1)", []).expect_err("the store has the file for itself");
    store.commit(&adds(1..3, b"x")).unwrap();
}

#[test]
fn damage_is_told_and_not_repaired() {
    let folder = folder();
    let file = folder.path().join("q.db");
    let mut store = open(&file).unwrap();
    store.commit(&adds(1..2000, &[7; 300])).unwrap();
    drop(store);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let error = open(&file).and_then(|mut store| store.replay(&mut |_| Ok(()))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("sqlite3 FILE .recover"), "{error}");
    assert!(fs::read(&file).unwrap() == bytes);
}

#[test]
fn rows_that_people_have_written_are_checked() {
    let folder = folder();
    let file = folder.path().join("q.db");
    let mut store = open(&file).unwrap();
    store.commit(&adds(1..4, b"x")).unwrap();
    // Text is as good as a blob.
    store.connection.execute("UPDATE lineshaft_job SET function = 'text' WHERE number = 2", []).unwrap();
    assert_eq!(numbers(&mut store), [1, 2, 3]);
    for wrong in ["priority = 7", "priority = 'high'", "returns = -1", "returns = 65536", "workload = 5"] {
        store.connection.execute(&format!("UPDATE lineshaft_job SET {wrong} WHERE number = 3"), []).unwrap();
        let error = store.replay(&mut |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged);
        assert!(error.to_string().contains("lineshaft_job with the number 3 is no job"), "{wrong}: {error}");
        store.connection.execute("DELETE FROM lineshaft_job WHERE number = 3", []).unwrap();
        store.commit(&adds([3], b"x")).unwrap();
    }
    let seen = "SELECT group_concat(function || priority || bytes, ' ') FROM lineshaft_queue";
    let seen: String = store.connection.query_row(seen, [], |row| row.get(0)).unwrap();
    assert_eq!(seen, "fnormal1 textnormal1 fnormal1");
}

#[test]
fn a_full_disk_loses_nothing_and_is_over_when_there_is_room() {
    let folder = folder();
    let file = folder.path().join("q.db");
    let mut store = open(&file).unwrap();
    store.commit(&adds(1..100, &[1; 1000])).unwrap();
    let limit = |store: &Sqlite, pages: u32| {
        store.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&store, 1);
    let batch = adds(100..300, &[2; 1000]);
    for _ in 0..3 {
        let error = store.commit(&batch).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Io);
        assert!(error.to_string().contains("the disk or the user's share of it is full"), "{error}");
    }
    assert_eq!(numbers(&mut store), Vec::from_iter(1..100));
    // What needs no room is still done.
    let mut ends = Batch::new();
    (1..50).for_each(|number| ends.push(&Change::End { number }));
    store.commit(&ends).unwrap();
    limit(&store, 1 << 20);
    store.commit(&batch).unwrap();
    drop(store);
    assert_eq!(numbers(&mut open(&file).unwrap()), Vec::from_iter(50..300));
}

/// What a crash leaves: the files as they are, the log cut off anywhere.
#[test]
fn every_image_of_a_crash_opens_with_whole_batches() {
    let folder = folder();
    let (file, image) = (folder.path().join("q.db"), folder.path().join("image.db"));
    let (log, image_log) = (folder.path().join("q.db-wal"), folder.path().join("image.db-wal"));
    let mut store = open(&file).unwrap();
    // How long the log is, and which jobs are there then.
    let mut points = vec![(0, 0)];
    for round in 0..12 {
        store.commit(&adds(round * 10 + 1..=round * 10 + 10, &[3; 700])).unwrap();
        points.push((fs::metadata(&log).unwrap().len(), round * 10 + 10));
    }
    let (database, whole) = (fs::read(&file).unwrap(), fs::read(&log).unwrap());
    drop(store);
    for cut in (0..whole.len()).step_by(12_289).chain([whole.len()]) {
        fs::write(&image, &database).unwrap();
        fs::write(&image_log, &whole[..cut]).unwrap();
        let mut store = open(&image).unwrap();
        let (_, last) = points.iter().rfind(|(end, _)| *end <= cut as u64).unwrap();
        let found = numbers(&mut store);
        // A batch may be there before its commit has returned; it is there as a whole.
        let complete = found.len() as u64;
        assert!(complete >= *last && complete.is_multiple_of(10), "{complete} of {last}");
        assert_eq!(found, Vec::from_iter(1..=complete));
        store.commit(&adds([1000], b"after")).unwrap();
        drop(store);
        assert_eq!(numbers(&mut open(&image).unwrap()).last(), Some(&1000));
    }
}

#[test]
fn room_is_given_back() {
    let folder = folder();
    let file = folder.path().join("q.db");
    let mut store = open(&file).unwrap();
    let last = Sqlite::LOOK_EVERY as u64;
    store.commit(&adds(1..=last, &[4; 1000])).unwrap();
    let mut ends = Batch::new();
    (2..=last).for_each(|number| ends.push(&Change::End { number }));
    store.commit(&ends).unwrap();
    schema::checkpoint(&store.connection).unwrap();
    let before = fs::metadata(&file).unwrap().len();
    let pieces = std::iter::from_fn(|| store.tidy().unwrap().then_some(())).count();
    assert!(pieces > 1, "{pieces}");
    schema::checkpoint(&store.connection).unwrap();
    let after = fs::metadata(&file).unwrap().len();
    assert!(after < before / 4, "{after} of {before} bytes");
    assert_eq!(numbers(&mut store), [1]);
}

mod takeover {
    use super::*;

    fn made(sql: &str) -> (TempDir, PathBuf) {
        let folder = folder();
        let file = folder.path().join("q.db");
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        (folder, file)
    }

    /// number, function, unique, priority, due, workload
    type Found = (u64, String, String, Priority, u64, String);

    fn found(store: &mut Sqlite) -> (Vec<Found>, u64) {
        let (mut jobs, mut counter) = (Vec::new(), 0);
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let replayed = store.replay(&mut |change| {
            match change {
                Change::Add(job) => {
                    let (function, unique, workload) =
                        (text(job.function), text(job.unique), text(&job.workload));
                    assert_eq!((job.reducer, job.returns, job.schedule, job.cron), (None, 0, 0, None));
                    jobs.push((job.number, function, unique, job.priority, job.due, workload));
                }
                Change::Counter { number } => counter = *number,
                _ => {}
            }
            Ok(())
        });
        replayed.unwrap();
        (jobs, counter)
    }

    fn row(number: u64, unique: &str, priority: Priority, due: u64, workload: &str) -> Found {
        (number, "f".into(), unique.into(), priority, due, workload.into())
    }

    const USUAL: &str = "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB, \
                         when_to_run INTEGER, PRIMARY KEY (unique_key, function_name));";

    #[test]
    fn rows_of_all_kinds() {
        use Priority::{High, Low, Normal};
        let mut seen = Vec::new();
        let (_folder, file) = made(&format!(
            "{USUAL} INSERT INTO gearman_queue VALUES
             ('z-1', 'f', 0, x'610062', 0),
             ('it''s \"1\"', 'f', 2, NULL, 4000000000),
             ('', 'f', NULL, 'text', NULL),
             (NULL, 'f', 1, 12, -1),
             ('-', 'f', 3, 1.5, -2147483648),
             (CAST('63' || x'00' AS TEXT), 'f', -1, '', 9223372036854775807),
             (x'62ff00', x'66', 'low', x'', '77')"
        ));
        let before = fs::read(&file).unwrap();
        let mut read = |change: &Change<'_>| {
            seen.push(change.number());
            Ok(())
        };
        Sqlite::read(&settings(&file), &mut read).unwrap();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 7], "the last one is the counter");
        assert!(fs::read(&file).unwrap() == before, "reading has changed the file");
        let mut store = open(&file).unwrap();
        let expected = [
            row(1, "z-1", High, 0, "a\\x00b"),
            row(2, "it\\'s \\\"1\\\"", Low, 4_000_000_000, ""),
            row(3, "", Normal, 0, "text"),
            row(4, "", Normal, 0, "12"),
            row(5, "-", Normal, 0, "1.5"),
            row(6, "63", Normal, i64::MAX as u64, ""),
            row(7, "b\\xff", Normal, 77, ""),
        ];
        assert_eq!(found(&mut store), (expected.to_vec(), 7));
        drop(store);
        assert_eq!(found(&mut open(&file).unwrap()), (expected.to_vec(), 7));
        let left = "SELECT count(*) FROM gearman_queue";
        let left: i64 = Connection::open(&file).unwrap().query_row(left, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn columns_of_every_order_and_age() {
        let insert = "(data, function_name, unique_key) VALUES ('1', 'f', 'u'), ('2', 'f', 'u')";
        for columns in [
            "data BLOB, when_to_run INTEGER, function_name TEXT, unique_key TEXT, priority INTEGER",
            "unique_key TEXT, function_name TEXT, priority INTEGER, data BLOB",
            "DATA, Function_Name, other, UNIQUE_KEY",
        ] {
            let (_folder, file) =
                made(&format!("CREATE TABLE gearman_queue ({columns}); INSERT INTO gearman_queue {insert}"));
            let mut store = open(&file).unwrap();
            let expected = vec![row(1, "u", Priority::Normal, 0, "1"), row(2, "u", Priority::Normal, 0, "2")];
            assert_eq!(found(&mut store), (expected, 2), "{columns}");
        }
        let (_folder, file) = made(
            "CREATE TABLE gearman_queue (unique_key TEXT, function_name TEXT, data, PRIMARY KEY (unique_key, \
             function_name)) WITHOUT ROWID; INSERT INTO gearman_queue (data, function_name, unique_key) VALUES \
             ('1', 'f', 'u')",
        );
        assert_eq!(found(&mut open(&file).unwrap()).1, 1);
    }

    #[test]
    fn a_table_of_another_name() {
        let (_folder, file) = made(
            "CREATE TABLE \"my \"\"queue\" (unique_key, function_name, data);
             INSERT INTO \"my \"\"queue\" VALUES ('u', 'f', 'x');
             CREATE TABLE gearman_queue (other); INSERT INTO gearman_queue VALUES (1)",
        );
        let address = format!("sqlite:{}?table=My%20%22queue", file.display());
        drop(crate::store::open(&address).unwrap());
        let other = Connection::open(&file).unwrap();
        assert_eq!(other.query_row("SELECT count(*) FROM gearman_queue", [], |row| row.get(0)), Ok(1));
        drop(other);
        refused(
            &file,
            StoreErrorKind::Damaged,
            "is not a queue of gearmand's, for it has no column function_name",
        );
        for (table, sentence) in [
            ("lineshaft_job", "cannot be in the table lineshaft_job"),
            ("SQLITE_x", "cannot be in the table SQLITE_x"),
            ("", "has no name"),
            ("a\0b", "has no NULs"),
        ] {
            let error = Sqlite::open(&SqliteSettings { table: table.into(), ..settings(&file) }).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Settings);
            assert!(error.to_string().contains(sentence), "{error}");
        }
    }

    #[test]
    fn rows_that_nobody_can_do_stop_it_before_anything_is_moved() {
        for function in ["NULL", "''", "x'0066'"] {
            let rows = format!("('a', 'f', 1, 'x', 0), ('b', {function}, 1, 'x', 0)");
            let (_folder, file) = made(&format!("{USUAL} INSERT INTO gearman_queue VALUES {rows}"));
            refused(&file, StoreErrorKind::Damaged, "1 rows of gearman_queue have no function_name");
        }
    }

    #[test]
    fn what_gearmand_adds_later_is_taken_over_as_well() {
        let (_folder, file) = made(USUAL);
        let mut batch = adds([3, 9], b"ours");
        batch.push(&Change::Counter { number: 50 });
        open(&file).unwrap().commit(&batch).unwrap();
        for (round, number) in [(1, 51), (2, 52)] {
            let other = Connection::open(&file).unwrap();
            let insert = "INSERT INTO gearman_queue VALUES ('u', 'f', 0, 'x', 0)";
            other.execute(insert, []).unwrap();
            drop(other);
            let (jobs, counter) = found(&mut open(&file).unwrap());
            assert_eq!((jobs.len(), counter), (2 + round, number));
            assert_eq!(jobs.last(), Some(&row(number, "u", Priority::High, 0, "x")));
            let mut last = 0;
            let mut look = |change: &Change<'_>| {
                last = change.number();
                Ok(())
            };
            Sqlite::read(&settings(&file), &mut look).unwrap();
            assert_eq!(last, number);
        }
        // The counter stands behind what was added without one.
        open(&file).unwrap().commit(&adds([60], b"ours")).unwrap();
        let other = Connection::open(&file).unwrap();
        other.execute("INSERT INTO gearman_queue VALUES ('u', 'f', 0, 'x', 0)", []).unwrap();
        drop(other);
        assert_eq!(found(&mut open(&file).unwrap()).1, 61);
    }
}
