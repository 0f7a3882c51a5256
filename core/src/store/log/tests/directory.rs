//! The log in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::*;
use crate::store::{Change, StoredJob};

/// A directory that goes away.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("lineshaft-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        Self(place)
    }

    fn open(&self) -> Log {
        self.try_open().expect("a log that can be opened")
    }

    fn try_open(&self) -> Result<Log, StoreError> {
        Log::open(LogSettings { segment_bytes: 64 << 10, ..LogSettings::at(&self.0) })
    }

    /// The last file with batches.
    fn last(&self) -> PathBuf {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        let used = |path: &PathBuf| {
            path.extension().is_some_and(|it| it == "log")
                && fs::read(path).is_ok_and(|bytes| bytes.iter().any(|byte| *byte != 0))
        };
        names.into_iter().rfind(used).expect("a segment")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn add(number: u64) -> Change<'static> {
    Change::Add(StoredJob::new(number, b"f", b"workload"))
}

fn commit(log: &mut Log, changes: &[Change<'_>]) {
    let mut batch = Batch::new();
    changes.iter().for_each(|change| batch.push(change));
    log.commit(&batch).expect("a commit");
}

/// The numbers of all live jobs.
fn replay(log: &mut Log) -> Vec<u64> {
    let mut live = Vec::new();
    log.replay(&mut |change| {
        match change {
            Change::Add(job) => live.push(job.number),
            Change::End { number } => live.retain(|it| it != number),
            _ => {}
        }
        Ok(())
    })
    .expect("a replay");
    live
}

fn change_bytes(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a segment");
    change(&mut bytes);
    fs::write(path, bytes).expect("a segment that can be written");
}

#[test]
fn a_torn_tail_is_cut_off_and_told() {
    let place = Place::new("torn");
    let mut log = place.open();
    commit(&mut log, &[add(1), add(2)]);
    drop(log);
    let whole = fs::read(place.last()).expect("a segment").len();
    let mut log = place.open();
    assert_eq!(replay(&mut log), [1, 2]);
    assert_eq!(log.findings(), []);
    commit(&mut log, &[add(3)]);
    drop(log);
    let last = place.last();
    let len = fs::read(&last).expect("a segment").len();
    for cut in (format::HEADER + 1..len).step_by(7) {
        change_bytes(&last, |bytes| {
            bytes.truncate(cut);
            bytes.resize(60_000, 0);
        });
        let mut log = place.open();
        assert_eq!(replay(&mut log), [1, 2], "cut at {cut}");
        assert_eq!(log.findings().len(), 1);
        assert_eq!(log.findings()[0].what, What::Torn);
        commit(&mut log, &[add(3)]);
        drop(log);
        let mut log = place.open();
        assert_eq!((replay(&mut log), log.findings()), (vec![1, 2, 3], &[][..]));
        drop(log);
        let new = place.last();
        fs::rename(new, &last).expect("a name");
        assert_eq!(fs::read(&last).expect("a segment").len(), len);
        // Its name is in its header.
        change_bytes(&last, |bytes| {
            let mut header = format::Header::decode(&bytes[..64]).expect("a header");
            header.sequence = format::sequence(last.file_name().and_then(|it| it.to_str()).expect("a name"))
                .expect("a segment");
            bytes[..64].copy_from_slice(&header.encode());
        });
    }
    assert!(whole > 0);
}

#[test]
fn one_server_at_a_time() {
    let place = Place::new("lock");
    let log = place.open();
    let error = place.try_open().expect_err("it is open");
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(log);
    drop(place.open());
}

#[test]
fn a_newer_version_is_refused_and_left_as_it_was() {
    let place = Place::new("newer");
    commit(&mut place.open(), &[add(1)]);
    change_bytes(&place.last(), |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    });
    let before = fs::read(place.last()).expect("a segment");
    let error = place.try_open().expect_err("it is newer");
    assert_eq!(error.kind(), StoreErrorKind::Newer);
    assert!(error.to_string().contains("format version 2"), "{error}");
    assert_eq!(fs::read(place.last()).expect("a segment"), before);
}

#[test]
fn a_path_that_is_no_directory_is_refused() {
    let place = Place::new("file");
    fs::create_dir_all(&place.0).expect("a directory");
    let file = place.0.join("file");
    fs::write(&file, "text").expect("a file");
    for path in [file.clone(), PathBuf::from("/dev/full"), file.join("below")] {
        let error = Log::open(LogSettings::at(&path)).expect_err("it is no directory");
        let text = error.to_string();
        assert_eq!(error.kind(), StoreErrorKind::Settings, "{text}");
        assert!(
            text.contains("A file is in its way") && text.contains("file") | text.contains("full"),
            "{text}"
        );
    }
    assert_eq!(fs::read(&file).expect("a file"), b"text");
    let error = Log::open(LogSettings::default()).expect_err("there is no path");
    assert_eq!(error.to_string(), "a log has no directory: name one.");
    let error = Log::open(LogSettings { segment_bytes: 1, ..LogSettings::at(&file) }).expect_err("too small");
    assert_eq!(error.to_string(), "segments of 1 bytes: a log takes 64 KiB to 4 GiB.");
}

#[test]
fn reading_changes_nothing() {
    let place = Place::new("read");
    assert!(Log::read(&place.0, &mut |_| Ok(())).is_err() && !place.0.exists());
    let mut log = place.open();
    commit(&mut log, &[add(1), add(2)]);
    let error = Log::read(&place.0, &mut |_| Ok(())).expect_err("a server has it");
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    drop(log);
    // Torn.
    change_bytes(&place.last(), |bytes| bytes.extend_from_slice(b"more"));
    let files = || -> Vec<_> {
        let entries = fs::read_dir(&place.0).expect("a directory");
        let mut files: Vec<_> = entries.map(|it| it.expect("an entry").path()).collect();
        files.sort();
        files.into_iter().map(|path| (fs::read(&path).expect("a file"), path)).collect()
    };
    let before = files();
    let mut changes = Vec::new();
    let report = Log::read(&place.0, &mut |change| {
        changes.push(change.number());
        Ok(())
    });
    let report = report.expect("it can be read");
    assert_eq!(changes, [1, 2, 2], "two jobs and the counter");
    assert_eq!((report.segments, report.findings.len()), (1, 1));
    assert_eq!(files(), before);
}

#[test]
fn an_error_of_the_one_who_reads_leaves_all_as_it_was() {
    let place = Place::new("each");
    commit(&mut place.open(), &[add(1), add(2)]);
    let mut log = place.open();
    let stop = || StoreError::new(StoreErrorKind::Damaged, "stop");
    assert_eq!(log.replay(&mut |_| Err(stop())), Err(stop()));
    assert_eq!(replay(&mut log), [1, 2]);
}
