//! Files of Tokyo Cabinet with what gearmand's plug-in puts into them. Debian's gearmand lacks the plug-in, so they are written by
//! Tokyo Cabinet's own tools.

use anyhow::{Context, Result, ensure};
use lineshaft::store::{self, StoreErrorKind, TokyoCabinet};
use lineshaft_tests::program::run;
use lineshaft_tests::stores::{Job, fails};
use lineshaft_tests::takeover::{Abilities, jobs};
use lineshaft_tests::{clock, place, takeover};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const ALL: Abilities = Abilities { times: true, bytes: true, blanks: true };

/// The tools, and the numbers of buckets or entries that make small files with much in each place.
const KINDS: [(&str, &[&str]); 2] = [("tch", &["7"]), ("tcb", &["4", "4", "7"])];

fn tool(kind: &str, words: &[&str]) -> Result<()> {
    run(Command::new(format!("{kind}mgr")).args(words), b"")?
        .success()
        .with_context(|| format!("{words:?}"))
        .map(drop)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain letters")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put(kind: &str, path: &Path, job: &Job) -> Result<()> {
    let key = [&job.function[..], b"-", &job.unique].concat();
    let how = format!("\0{}{}\0", job.priority as u8, job.due);
    let value = [&job.function[..], b"\0", &job.unique, how.as_bytes(), &job.workload].concat();
    tool(kind, &["put", "-sx", text(path), &hex(&key), &hex(&value)])
}

/// A database with options as its tool takes them.
fn database(kind: &str, options: &[&str], numbers: &[&str], jobs: &[Job]) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(format!("queue.{kind}"));
    tool(kind, &[&["create"], options, &[text(&path)], numbers].concat())?;
    jobs.iter().try_for_each(|job| put(kind, &path, job))?;
    Ok((folder, path))
}

/// All but the largest, which is no word of a command line.
fn some() -> Vec<Job> {
    jobs(ALL).into_iter().filter(|job| job.workload.len() < 50_000).collect()
}

fn read(path: &Path) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    let mut numbers = Vec::new();
    TokyoCabinet::new(path).read(&mut |change| {
        numbers.push(change.number());
        if let store::Change::Add(job) = change {
            jobs.push(Job { number: 0, ..Job::from(job) });
        }
        Ok(())
    })?;
    let len = jobs.len() as u64;
    ensure!(numbers == (1..=len).chain([len]).collect::<Vec<_>>(), "numbers {numbers:?}");
    takeover::sort(&mut jobs);
    Ok(jobs)
}

#[test]
fn files_of_gearmands_are_read() -> Result<()> {
    for (kind, numbers) in KINDS {
        for options in [&[][..], &["-tl"]] {
            let mut expected = some();
            let many = (0..60).map(|number| Job {
                unique: format!("u-{number}").into(),
                workload: vec![number; usize::from(number) * 100],
                ..expected[0].clone()
            });
            expected.extend(many.collect::<Vec<_>>());
            let (_folder, path) = database(kind, options, numbers, &expected)?;
            // What is deleted leaves free space, and what becomes smaller padding.
            for at in [30, 3, 12] {
                let gone = expected.remove(at);
                let key = [&gone.function[..], b"-", &gone.unique].concat();
                tool(kind, &["out", "-sx", text(&path), &hex(&key)])?;
            }
            expected[40].workload.truncate(3);
            put(kind, &path, &expected[40])?;
            takeover::sort(&mut expected);
            let before = std::fs::read(&path)?;
            let found = read(&path)?;
            for (found, expected) in found.iter().zip(&expected) {
                ensure!(found == expected, "{kind} {options:?}: {expected:?}\nhas become\n{found:?}");
            }
            ensure!(found.len() == expected.len(), "{kind} {options:?}: {} jobs", found.len());
            ensure!(
                read(&path.with_extension(format!("{kind}#opt=l")))? == expected,
                "with gearmand's options"
            );
            ensure!(std::fs::read(&path)? == before, "{kind}: the file has changed");
        }
    }
    Ok(())
}

/// Upstream writes the byte order of the machine, Debian the other one.
#[test]
fn both_byte_orders_are_read() -> Result<()> {
    let expected = &some()[..3];
    let (_folder, path) = database("tch", &[], &["7"], expected)?;
    let mut bytes = std::fs::read(&path)?;
    let first = u64::from_be_bytes(bytes[64..72].try_into()?) as usize;
    for at in [40, 48, 56, 64] {
        bytes[at..at + 8].reverse();
    }
    let mut at = first;
    while at < bytes.len() {
        // Places of other records, and the padding.
        ensure!(bytes[at] == 0xc8, "a record");
        for (from, to) in [(2, 6), (6, 10), (10, 12)] {
            bytes[at + from..at + to].reverse();
        }
        let padding = usize::from(u16::from_le_bytes(bytes[at + 10..at + 12].try_into()?));
        let (key, mut value, mut head) = (usize::from(bytes[at + 12]), usize::from(bytes[at + 13]), 14);
        if value >= 0x80 {
            value = (0xff - value) + (usize::from(bytes[at + 14]) << 7);
            head = 15;
        }
        at += head + key + value + padding;
    }
    std::fs::write(&path, bytes)?;
    ensure!(read(&path)? == expected.to_vec());
    Ok(())
}

#[test]
fn what_cannot_be_read_says_why() -> Result<()> {
    use StoreErrorKind::{Damaged, Io, Locked, Settings};
    let read = |path: &Path| TokyoCabinet::new(path).read(&mut |_| Ok(()));
    for (kind, numbers) in KINDS {
        for option in ["-td", "-tb", "-tt"] {
            let (_folder, path) = database(kind, &[option], numbers, &some()[..2])?;
            fails(read(&path), Settings, &[text(&path), "is compressed", "optimize -tl"])?;
            tool(kind, &["optimize", "-tl", text(&path)])?;
            read(&path)?;
        }
        let (folder, path) = database(kind, &[], numbers, &some())?;
        fails(read(folder.path()), Io, &["cannot be read"])?;
        fails(read(&folder.path().join("none")), Io, &["none cannot be read"])?;
        let whole = std::fs::read(&path)?;
        // Cut off, or with a byte changed: an error, or what is there, and no panic.
        for cut in [0, 10, 100, 255, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut])?;
            fails(read(&path), Damaged, &[text(&path)])?;
        }
        for at in (0..256).chain((256..whole.len()).step_by(37)) {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            std::fs::write(&path, changed)?;
            if let Err(error) = read(&path) {
                ensure!(matches!(error.kind(), Damaged | Settings), "byte {at}: {error}");
            }
        }
        std::fs::write(&path, &whole)?;
        std::fs::write(path.with_extension(format!("{kind}.wal")), b"half a transaction")?;
        fails(read(&path), Settings, &["in the middle of a transaction"])?;
        std::fs::remove_file(path.with_extension(format!("{kind}.wal")))?;
        tool(kind, &["put", text(&path), "key", "no job"])?;
        fails(read(&path), Damaged, &["the record key is no job of gearmand's"])?;
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("queue.tcf");
    tool("tcf", &["create", text(&path)])?;
    fails(read(&path), Settings, &["neither a hash database nor a B+ tree"])?;
    // A gearmand that runs has it locked, as any program that writes to it.
    let (_folder, path) = database("tch", &[], &["7"], &some()[..1])?;
    let mut writer = Command::new("python3");
    writer.args(["-c", "import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(600)"]);
    let mut writer = writer.arg(&path).spawn()?;
    let locked = clock::poll(clock::PATIENCE, || read(&path).err());
    writer.kill()?;
    writer.wait()?;
    fails(locked.map_or(Ok(()), Err), Locked, &["is being written by another program"])
}

#[test]
fn queue_import_copies_them_and_nothing_is_served_from_them() -> Result<()> {
    let expected = some();
    let (folder, path) = database("tcb", &[], &["4", "4", "7"], &expected)?;
    let source = format!("tokyocabinet:{}", path.display());
    let target = format!("sqlite:{}", folder.path().join("queue.db").display());
    fails(
        store::open(&source).map(drop),
        StoreErrorKind::Settings,
        &["are only read", "lineshaft queue import"],
    )?;
    for _ in 0..2 {
        let mut command = Command::new(place::lineshaft()?);
        run(command.args(["queue", "import", &source, &target]), b"")?.success()?;
        takeover::compare(&mut store::open(&target)?, &expected)?;
    }
    Ok(())
}
