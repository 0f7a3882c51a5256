//! The daemon with a store that cannot be written for a while.

use std::collections::BTreeSet;
use std::process::Command;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::run;
use lineshaft_tests::wire::{Peer, kind};
use rustix::process::{Resource, Rlimit, Signal, prlimit};

use super::{Daemon, Place, Process};

/// A write beyond the limit for files fails; the signal that comes with it is ignored, as the system's default is to end the process.
fn start(place: &Place, words: &[&str]) -> Daemon {
    let port = free_port().unwrap();
    let program = place.path("gearmand").display().to_string();
    let mut shell = Command::new("/bin/sh");
    shell.current_dir(place.folder.path());
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", &program]);
    shell.args(["-d", "-L", "127.0.0.1", "-P", "pid", "-l", "log", "-p", &port.to_string()]).args(words);
    let outcome = run(&mut shell, b"").unwrap();
    assert!(outcome.status.success(), "{}", outcome.err);
    Daemon { process: Process::of(place), port }
}

fn limit_files(daemon: &Daemon, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(daemon.process.0), Resource::Fsize, limit).unwrap();
}

/// Submits a job: true where it is durable, and the text of the error where it is not.
fn submit(peer: &mut Peer, unique: &str) -> Result<(), String> {
    peer.request(kind::SUBMIT_JOB_BG, &[b"f", unique.as_bytes(), &[b'x'; 2000]]).unwrap();
    let packet = peer.packet().unwrap();
    match packet.kind {
        kind::JOB_CREATED => Ok(()),
        kind::ERROR => Err(String::from_utf8_lossy(&packet.body).replace('\0', " ")),
        other => panic!("a packet of type {other}"),
    }
}

#[test]
fn what_is_acknowledged_around_a_failing_disk_is_there_afterwards() {
    let place = Place::new();
    let daemon = start(&place, &["-q", "libsqlite3", "--libsqlite3-db", "q.db"]);
    let mut peer = daemon.connect();
    let mut acknowledged = BTreeSet::new();
    submit(&mut peer, "first").unwrap();
    acknowledged.insert("first".to_owned());
    limit_files(&daemon, Some(100_000));
    let mut refusals = Vec::new();
    for number in 0..200 {
        let unique = format!("during-{number}");
        match submit(&mut peer, &unique) {
            Ok(()) => drop(acknowledged.insert(unique)),
            Err(text) => refusals.push(text),
        }
    }
    assert!(refusals.len() > 100, "{} of 200 were refused", refusals.len());
    assert!(
        refusals.iter().all(|text| text.starts_with("QUEUE_ERROR ") && text.contains("q.db")),
        "{refusals:?}"
    );
    limit_files(&daemon, None);
    let mut attempt = 0;
    let accepted = poll(PATIENCE, || {
        attempt += 1;
        let unique = format!("after-{attempt}");
        submit(&mut peer, &unique).ok().map(|()| unique)
    });
    acknowledged.insert(accepted.expect("the server to write again"));
    for number in 0..20 {
        let unique = format!("last-{number}");
        submit(&mut peer, &unique).unwrap();
        acknowledged.insert(unique);
    }
    daemon.process.signal(Signal::KILL);
    daemon.process.wait_end();
    let exported = place.run("lineshaft", &["queue", "export", "sqlite:q.db"], b"").success().unwrap();
    let unique = |line: &str| line.split("\"unique\":\"").nth(1)?.split('"').next().map(str::to_owned);
    let stored: BTreeSet<String> = exported.lines().filter_map(unique).collect();
    assert_eq!(stored, acknowledged);
}
