//! The file of Debian's gearmand with its SQLite plug-in.

use anyhow::Result;
use lineshaft::store;
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::stores::Job;
use lineshaft_tests::takeover::{Abilities, compare, jobs, served, submit};
use rustix::process::Signal;

const ALL: Abilities = Abilities { times: true, bytes: true, blanks: true };

#[test]
fn a_queue_of_gearmands_becomes_ours() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("queue.db").display().to_string();
    let gearmand = || Server::start(Maker::Debian, &["-q", "libsqlite3", "--libsqlite3-db", &file]);
    let mut expected = jobs(ALL);
    let mut server = gearmand()?;
    submit(&server, &expected)?;
    // Its plug-in keeps 63 bytes of a unique of 64, and a NUL.
    let long = Job { unique: vec![b'm'; 64], ..expected[0].clone() };
    submit(&server, std::slice::from_ref(&long))?;
    expected.push(Job { unique: vec![b'm'; 63], ..long });
    server.stop(Signal::TERM)?;
    let ours = || store::open(&format!("sqlite:{file}"));
    for _ in 0..2 {
        compare(&mut ours()?, &expected)?;
    }
    // It finds its table empty, and what it adds is taken over the next time.
    let mut server = gearmand()?;
    let later = Job { unique: b"later".to_vec(), ..expected[1].clone() };
    submit(&server, std::slice::from_ref(&later))?;
    server.kill()?;
    expected.push(later);
    compare(&mut ours()?, &expected)
}

#[test]
fn another_table() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("queue.db").display().to_string();
    let words = ["-q", "libsqlite3", "--libsqlite3-db", &file, "--libsqlite3-table", "mine"];
    let mut server = Server::start(Maker::Debian, &words)?;
    let expected = jobs(ALL);
    submit(&server, &expected)?;
    server.stop(Signal::TERM)?;
    compare(&mut store::open(&format!("sqlite:{file}"))?, &[])?;
    compare(&mut store::open(&format!("sqlite:{file}?table=mine"))?, &expected)
}

/// gearmand writes its jobs when it is stopped, and so does ours.
#[test]
fn jobs_that_are_stored_at_the_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("queue.db").display().to_string();
    let words = ["-q", "libsqlite3", "--libsqlite3-db", &file, "--store-queue-on-shutdown"];
    let mut expected = jobs(ALL);
    let (first, second) = expected.split_at(7);
    for (maker, jobs) in [(Maker::Debian, first), (Maker::Ours, second)] {
        let mut server = Server::start(maker, &words)?;
        submit(&server, jobs)?;
        server.stop(Signal::TERM)?;
    }
    for _ in 0..2 {
        compare(&mut store::open(&format!("sqlite:{file}"))?, &expected)?;
    }
    // What comes before a kill is not stored, what was stored before stays.
    let mut server = Server::start(Maker::Ours, &words)?;
    submit(&server, &[Job { unique: b"not stored".to_vec(), ..expected.swap_remove(0) }])?;
    server.kill()?;
    compare(&mut store::open(&format!("sqlite:{file}"))?, &jobs(ALL))
}

#[test]
fn our_daemon_serves_what_gearmand_has_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("queue.db").display().to_string();
    let words = ["-q", "libsqlite3", "--libsqlite3-db", &file];
    let expected = jobs(ALL);
    let later = served(&words, &expected)?;
    compare(&mut store::open(&format!("sqlite:{file}"))?, &later)
}
