//! The file of Debian's gearmand with its SQLite plug-in.

use anyhow::{Context, Result, ensure};
use lineshaft::store;
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::stores::Job;
use lineshaft_tests::takeover::{Abilities, compare, jobs, submit};
use lineshaft_tests::wire::kind;
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
    let mut server = Server::start(Maker::Debian, &words)?;
    submit(&server, &expected)?;
    server.stop(Signal::TERM)?;
    let mut server = Server::start(Maker::Ours, &words)?;
    let (later, now): (Vec<Job>, Vec<Job>) = expected.into_iter().partition(|job| job.due > 1);
    let done = do_all(&server, &now)?;
    // All of them, the most urgent first.
    let mut urgent = now.clone();
    urgent.sort_by_key(|job| job.priority);
    let priority = |(function, unique, _): &Found| {
        now.iter().find(|job| job.function == *function && job.unique == *unique).map(|job| job.priority)
    };
    ensure!(done.iter().map(priority).eq(urgent.iter().map(|job| Some(job.priority))), "{done:?}");
    let sorted = |mut list: Vec<Found>| {
        list.sort();
        list
    };
    let wanted = now.into_iter().map(|job| (job.function, job.unique, job.workload)).collect();
    ensure!(sorted(done.clone()) == sorted(wanted), "{done:?}");
    server.stop(Signal::TERM)?;
    compare(&mut store::open(&format!("sqlite:{file}"))?, &later)
}

/// Function, unique and workload.
type Found = (Vec<u8>, Vec<u8>, Vec<u8>);

/// Does what there is to do of the functions of `jobs`: what the worker was handed.
fn do_all(server: &Server, jobs: &[Job]) -> Result<Vec<Found>> {
    let mut worker = server.connect()?;
    for job in jobs {
        worker.request(kind::CAN_DO, &[&job.function])?;
    }
    let mut done = Vec::new();
    loop {
        worker.request(kind::GRAB_JOB_UNIQ, &[])?;
        let packet = worker.packet()?;
        if packet.kind == kind::NO_JOB {
            // Nobody answers WORK_COMPLETE: an echo shows that the last one has arrived.
            worker.sync()?;
            return Ok(done);
        }
        ensure!(packet.kind == kind::JOB_ASSIGN_UNIQ, "a packet of type {}", packet.kind);
        let mut parts = packet.body.splitn(4, |byte| *byte == 0).map(<[u8]>::to_vec);
        let mut part = || parts.next().context("a JOB_ASSIGN_UNIQ of four parts");
        let handle = part()?;
        done.push((part()?, part()?, part()?));
        worker.request(kind::WORK_COMPLETE, &[&handle, b""])?;
    }
}
