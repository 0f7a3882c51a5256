//! What a server does with its store: answers wait for it, failures are told, and what it has comes back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Result, ensure};
use lineshaft::broker::Config;
use lineshaft::net::Address;
use lineshaft::server::{Server, StoreWhen};
use lineshaft::store::{Batch, Change, Each, Store, StoreError, StoreErrorKind};
use lineshaft_tests::wire::{Peer, kind};

/// A store in memory that commits when it is told to, and fails when it is told to.
#[derive(Clone, Default)]
struct Desk(Arc<(Mutex<Papers>, Condvar)>);

#[derive(Default)]
struct Papers {
    /// Records by number, as bytes.
    kept: BTreeMap<u64, Vec<u8>>,
    counter: u64,
    /// Commits wait while it is set.
    closed: bool,
    failing: bool,
    /// The commit of this number fails, as they are counted from 1; 0 for none.
    fail_at: usize,
    patience: Duration,
    /// Commits begun so far, and those that went well.
    begun: usize,
    done: usize,
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.0.0.lock().unwrap()
    }

    fn set(&self, change: impl FnOnce(&mut Papers)) {
        change(&mut self.papers());
        self.0.1.notify_all();
    }

    /// Waits until the papers are as they should be.
    fn wait(&self, until: impl Fn(&Papers) -> bool) {
        let papers = self.papers();
        let limit = Duration::from_secs(20);
        let (papers, timeout) = self.0.1.wait_timeout_while(papers, limit, |papers| !until(papers)).unwrap();
        assert!(!timeout.timed_out(), "{} begun, {} done", papers.begun, papers.done);
    }

    fn numbers(&self) -> Vec<u64> {
        self.papers().kept.keys().copied().collect()
    }
}

impl Store for Desk {
    fn describe(&self) -> String {
        "desk".into()
    }

    fn patience(&self) -> Duration {
        self.papers().patience
    }

    fn max_job(&self) -> usize {
        1000
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let papers = self.papers();
        for record in papers.kept.values() {
            each(&Change::decode(record).unwrap())?;
        }
        each(&Change::Counter { number: papers.counter })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.set(|papers| papers.begun += 1);
        let mut papers = self.papers();
        while papers.closed {
            papers = self.0.1.wait(papers).unwrap();
        }
        if papers.failing || papers.begun == papers.fail_at {
            return Err(StoreError::new(StoreErrorKind::Io, "the desk is on fire: call somebody"));
        }
        for change in batch.changes() {
            match change {
                Change::Add(ref job) => {
                    let mut bytes = Vec::new();
                    assert!(change.encode(&mut bytes).is_none(), "small jobs only");
                    papers.kept.insert(job.number, bytes);
                }
                Change::End { number } => drop(papers.kept.remove(&number)),
                Change::Returned { .. } => {}
                Change::Counter { number } => papers.counter = number,
            }
        }
        papers.done += 1;
        drop(papers);
        self.0.1.notify_all();
        Ok(())
    }
}

fn start(desk: &Desk) -> Server {
    start_storing(desk, StoreWhen::Submitted)
}

fn start_storing(desk: &Desk, when: StoreWhen) -> Server {
    let config = Config { handle_prefix: "D".into(), ..Config::default() };
    let builder = Server::builder().listen("127.0.0.1:0".parse().unwrap()).broker(config);
    builder.store(desk.clone()).store_when(when).start().unwrap()
}

fn connect(server: &Server) -> Result<Peer> {
    let Address::Tcp { host, port } = &server.addresses()[0] else { panic!("a TCP address") };
    Peer::connect(SocketAddr::new(host.parse()?, *port))
}

/// Long enough for an answer that should not come to be seen.
const MOMENT: Duration = Duration::from_millis(100);

#[test]
fn the_answer_waits_until_the_job_is_durable() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let (mut client, mut other) = (connect(&server)?, connect(&server)?);
    desk.set(|papers| papers.closed = true);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"1"])?;
    client.request(kind::ECHO_REQ, &[b"behind it"])?;
    desk.wait(|papers| papers.begun == 2);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"2"])?;
    client.request(kind::SUBMIT_JOB, &[b"g", b"", b"3"])?;
    // Others are served meanwhile, and a worker may have the job already.
    other.request(kind::CAN_DO, &[b"f"])?;
    other.request(kind::GRAB_JOB, &[])?;
    ensure!(other.expect(kind::JOB_ASSIGN)? == b"D:1\0f\x001");
    other.sync()?;
    ensure!(!client.readable(MOMENT)?, "nothing is acknowledged that is not durable");
    desk.set(|papers| papers.closed = false);
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:1");
    ensure!(client.expect(kind::ECHO_RES)? == b"behind it");
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:2");
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:3");
    client.sync()?;
    ensure!(desk.numbers() == [1, 2], "foreground jobs are not stored");
    other.request(kind::WORK_COMPLETE, &[b"D:1", b""])?;
    desk.wait(|papers| papers.kept.len() == 1);
    Ok(())
}

#[test]
fn a_job_that_ends_first_is_never_written_and_yet_acknowledged() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let (mut client, mut worker) = (connect(&server)?, connect(&server)?);
    desk.set(|papers| papers.closed = true);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"1"])?;
    desk.wait(|papers| papers.begun == 2);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"2"])?;
    worker.request(kind::CAN_DO, &[b"f"])?;
    // The second one comes when the client's packet has been read, which nothing but its job tells.
    for handle in [b"D:1", b"D:2"] {
        worker.request(kind::PRE_SLEEP, &[])?;
        worker.expect(kind::NOOP)?;
        worker.request(kind::GRAB_JOB, &[])?;
        ensure!(worker.expect(kind::JOB_ASSIGN)?.starts_with(handle));
        worker.request(kind::WORK_COMPLETE, &[handle, b""])?;
    }
    worker.sync()?;
    desk.set(|papers| papers.closed = false);
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:1");
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:2");
    drop(server);
    ensure!(desk.numbers().is_empty());
    Ok(())
}

#[test]
fn who_has_shut_down_its_side_still_gets_the_answer() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let mut client = connect(&server)?;
    desk.set(|papers| papers.closed = true);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"1"])?;
    client.stream().shutdown(std::net::Shutdown::Write)?;
    desk.wait(|papers| papers.begun == 2);
    ensure!(!client.readable(MOMENT)?);
    desk.set(|papers| papers.closed = false);
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:1");
    ensure!(client.packet().is_err(), "then it is closed");
    Ok(())
}

#[test]
fn who_shuts_down_while_the_store_is_away_gives_its_jobs_back_at_once() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let (mut client, mut worker, mut other) = (connect(&server)?, connect(&server)?, connect(&server)?);
    client.submit(kind::SUBMIT_JOB, "g", "", b"x")?;
    worker.request(kind::CAN_DO, &[b"g"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    desk.set(|papers| papers.closed = true);
    worker.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"1"])?;
    desk.wait(|papers| papers.begun == 2);
    worker.finish_sending()?;
    other.request(kind::CAN_DO, &[b"g"])?;
    other.request(kind::PRE_SLEEP, &[])?;
    other.expect(kind::NOOP)?;
    other.request(kind::GRAB_JOB, &[])?;
    ensure!(other.expect(kind::JOB_ASSIGN)? == b"D:1\0g\0x");
    ensure!(other.text("status\n")?.contains("g\t1\t1\t1\n"), "the first worker is no longer registered");
    desk.set(|papers| papers.closed = false);
    ensure!(worker.expect(kind::JOB_CREATED)? == b"D:2");
    Ok(())
}

#[test]
fn a_failing_store_refuses_at_once_and_is_well_again() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let (mut client, mut worker) = (connect(&server)?, connect(&server)?);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"kept", b"0"])?;
    client.expect(kind::JOB_CREATED)?;
    desk.set(|papers| papers.failing = true);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"1"])?;
    client.request(kind::ECHO_REQ, &[b"in line"])?;
    let error = String::from_utf8(client.expect(kind::ERROR)?)?;
    ensure!(error == "QUEUE_ERROR\0The job could not be kept: the desk is on fire: call somebody", "{error}");
    ensure!(client.expect(kind::ECHO_RES)? == b"in line");
    // From now on nothing is taken that could not be kept; foreground work goes on.
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"2"])?;
    let error = String::from_utf8(client.expect(kind::ERROR)?)?;
    ensure!(
        error.starts_with("QUEUE_ERROR\0Background jobs cannot be kept at the moment: the desk"),
        "{error}"
    );
    let report = client.text("show store\n")?;
    ensure!(report == "desk\tthe desk is on fire: call somebody\n.\n", "{report}");
    worker.request(kind::CAN_DO, &[b"f"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    ensure!(worker.expect(kind::JOB_ASSIGN)? == b"D:1\0f\x000", "what was stored before is there");
    worker.request(kind::WORK_COMPLETE, &[b"D:1", b""])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::NO_JOB)?;
    client.request(kind::SUBMIT_JOB, &[b"f", b"", b"3"])?;
    client.expect(kind::JOB_CREATED)?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    ensure!(desk.numbers() == [1], "the end of job 1 could not be stored");
    // The store is tried again by itself, and the end is not forgotten.
    desk.set(|papers| papers.failing = false);
    desk.wait(|papers| papers.kept.is_empty());
    // The server learns of it a moment after the store.
    let refused = "desk\tthe desk is on fire: call somebody\n.\n";
    while client.text("show store\n")? == refused {}
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"4"])?;
    client.expect(kind::JOB_CREATED)?;
    Ok(())
}

#[test]
fn with_patience_an_outage_goes_unnoticed() -> Result<()> {
    let desk = Desk::default();
    desk.set(|papers| papers.patience = Duration::from_secs(60));
    let server = start(&desk);
    let mut client = connect(&server)?;
    desk.set(|papers| papers.failing = true);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"1"])?;
    desk.wait(|papers| papers.begun >= 3);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"1"])?;
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"v", b"2"])?;
    ensure!(!client.readable(MOMENT)?);
    desk.set(|papers| papers.failing = false);
    for handle in [b"D:1", b"D:1", b"D:2"] {
        ensure!(client.expect(kind::JOB_CREATED)? == handle);
    }
    ensure!(desk.numbers() == [1, 2]);
    Ok(())
}

#[test]
fn patience_ends_and_everybody_who_waits_is_told() -> Result<()> {
    let desk = Desk::default();
    desk.set(|papers| papers.patience = Duration::from_millis(300));
    let server = start(&desk);
    let (mut client, mut other, mut worker) = (connect(&server)?, connect(&server)?, connect(&server)?);
    desk.set(|papers| papers.failing = true);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"1"])?;
    desk.wait(|papers| papers.begun >= 2);
    // The same job: in the batch that is being tried; a new one: in the batch behind it; one that has ended: needs no store.
    other.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"1"])?;
    other.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"2"])?;
    other.request(kind::SUBMIT_JOB_BG, &[b"g", b"", b"3"])?;
    worker.request(kind::CAN_DO, &[b"g"])?;
    worker.request(kind::PRE_SLEEP, &[])?;
    worker.expect(kind::NOOP)?;
    worker.request(kind::GRAB_JOB, &[])?;
    ensure!(worker.expect(kind::JOB_ASSIGN)? == b"D:3\0g\x003");
    worker.request(kind::WORK_COMPLETE, &[b"D:3", b""])?;
    worker.sync()?;
    for (peer, kinds) in
        [(&mut client, &[kind::ERROR][..]), (&mut other, &[kind::ERROR, kind::ERROR, kind::JOB_CREATED])]
    {
        for kind in kinds {
            peer.expect(*kind)?;
        }
    }
    worker.request(kind::CAN_DO, &[b"f"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::NO_JOB)?;
    desk.set(|papers| papers.failing = false);
    drop(server);
    ensure!(desk.numbers().is_empty(), "what was refused is not kept");
    Ok(())
}

#[test]
fn what_was_stored_comes_back_with_its_handle() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let mut client = connect(&server)?;
    let epoch = b"4000000000";
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"a\0b"])?;
    client.request(36, &[b"f", b"later", epoch, b"x"])?;
    client.request(38, &[b"f", b"", b"sum", b"", b"reduced"])?;
    client.request(35, &[b"f", b"cron", b"0", b"4", b"", b"", b"", b"scheduled"])?;
    client.request(kind::SUBMIT_JOB, &[b"f", b"", b"foreground"])?;
    client.request(34, &[b"f", b"", b""])?;
    for number in 1..=6 {
        ensure!(client.expect(kind::JOB_CREATED)? == format!("D:{number}").as_bytes());
    }
    let schedules = client.text("show schedules\n")?;
    drop(server);
    ensure!(desk.numbers() == [1, 2, 3, 4, 6] && desk.papers().counter == 6);

    let server = start(&desk);
    let mut client = connect(&server)?;
    for (handle, known) in [("D:1", true), ("D:2", true), ("D:5", false), ("D:6", true)] {
        client.request(kind::GET_STATUS, &[handle.as_bytes()])?;
        let body = client.expect(kind::STATUS_RES)?;
        ensure!(body == format!("{handle}\0{}\00\00\00", u8::from(known)).as_bytes(), "{handle}");
    }
    ensure!(client.text("show schedules\n")? == schedules);
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"u", b"again"])?;
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:1", "uniques hold");
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"new"])?;
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:7", "numbers go on");
    let mut worker = connect(&server)?;
    worker.request(kind::CAN_DO, &[b"f"])?;
    for job in [&b"D:1\0f\0u\0a\0b"[..], b"D:3\0f\0\0sum\0reduced", b"D:7\0f\0\0new", b"D:6\0f\0\0"] {
        worker.request(39, &[])?;
        let packet = worker.packet()?;
        ensure!(packet.body == job, "{}", packet.body.escape_ascii());
    }
    worker.request(39, &[])?;
    worker.expect(kind::NO_JOB)?;
    Ok(())
}

#[test]
fn no_handle_is_given_twice_after_a_crash() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let mut client = connect(&server)?;
    client.request(kind::SUBMIT_JOB, &[b"f", b"", b"foreground"])?;
    ensure!(client.expect(kind::JOB_CREATED)? == b"D:1");
    // As the disk is when the machine stops now.
    let image = Desk::default();
    image.set(|papers| papers.counter = desk.papers().counter);
    let server = start(&image);
    let mut client = connect(&server)?;
    client.request(kind::SUBMIT_JOB, &[b"f", b"", b"foreground"])?;
    let handle = String::from_utf8(client.expect(kind::JOB_CREATED)?)?;
    let number: u64 = handle.trim_start_matches("D:").parse()?;
    ensure!(number > 1_000_000, "{handle}: numbers are set aside before they are used");
    Ok(())
}

#[test]
fn jobs_may_be_stored_at_the_end_only() -> Result<()> {
    let desk = Desk::default();
    let server = start_storing(&desk, StoreWhen::Stopped);
    let (mut client, mut worker) = (connect(&server)?, connect(&server)?);
    for name in [b"1", b"2", b"3"] {
        client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", name])?;
        client.expect(kind::JOB_CREATED)?;
    }
    ensure!(desk.numbers().is_empty());
    worker.request(kind::CAN_DO, &[b"f"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    worker.request(kind::WORK_COMPLETE, &[b"D:1", b""])?;
    worker.sync()?;
    drop(server);
    ensure!(desk.numbers() == [2, 3]);
    let server = start_storing(&desk, StoreWhen::Stopped);
    let mut worker = connect(&server)?;
    worker.request(kind::CAN_DO, &[b"f"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    worker.request(kind::WORK_COMPLETE, &[b"D:2", b""])?;
    worker.sync()?;
    desk.wait(|papers| papers.kept.len() == 1);
    Ok(())
}

#[test]
fn a_job_too_large_for_the_store_is_refused_to_its_submitter_alone() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let mut client = connect(&server)?;
    let large = vec![1; 1000];
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", &large])?;
    let error = String::from_utf8(client.expect(kind::ERROR)?)?;
    ensure!(
        error == "ARGUMENT_TOO_LARGE\0A background job of 1001 bytes: the store's limit is 1000 bytes",
        "{error}"
    );
    client.request(kind::SUBMIT_JOB, &[b"f", b"", &large])?;
    client.expect(kind::JOB_CREATED)?;
    Ok(())
}

#[test]
fn what_has_been_cancelled_does_not_come_back() -> Result<()> {
    let desk = Desk::default();
    let server = start(&desk);
    let mut client = connect(&server)?;
    client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", b"1"])?;
    client.expect(kind::JOB_CREATED)?;
    desk.set(|papers| papers.closed = true);
    client.send(b"cancel job D:1\nversion\n")?;
    desk.wait(|papers| papers.begun == 3);
    ensure!(!client.readable(MOMENT)?, "it is not said before it is so");
    desk.set(|papers| papers.closed = false);
    ensure!(client.text("")? == "OK\r\n" && desk.numbers().is_empty());
    ensure!(client.text("")?.starts_with("OK "));
    ensure!(client.text("cancel job D:1\n")? == "ERR UNKNOWN_JOB\r\n", "nothing to wait for");
    Ok(())
}

/// Whatever fails: what was acknowledged is there after a crash, and what has ended for good is not.
#[test]
fn one_failure_at_any_commit_loses_nothing() -> Result<()> {
    // The first commit is the start's own.
    for failing in 2.. {
        let desk = Desk::default();
        let server = start(&desk);
        desk.set(|papers| papers.fail_at = failing);
        let (mut client, mut worker) = (connect(&server)?, connect(&server)?);
        worker.request(kind::CAN_DO, &[b"f"])?;
        let (mut acknowledged, mut ended, mut refused) = (Vec::new(), Vec::new(), 0);
        for round in 0..10_u32 {
            let payload = round.to_string();
            client.request(kind::SUBMIT_JOB_BG, &[b"f", b"", payload.as_bytes()])?;
            let answer = client.packet()?;
            match answer.kind {
                kind::JOB_CREATED => acknowledged.push(answer.body),
                kind::ERROR => refused += 1,
                other => anyhow::bail!("packet {other}"),
            }
            if round % 3 == 2 {
                worker.request(kind::GRAB_JOB, &[])?;
                let packet = worker.packet()?;
                if packet.kind == kind::JOB_ASSIGN {
                    let handle = packet.body.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
                    worker.request(kind::WORK_COMPLETE, &[&handle, b""])?;
                    ended.push(handle);
                }
            }
        }
        worker.sync()?;
        let number = |handle: &Vec<u8>| -> u64 {
            std::str::from_utf8(&handle[2..]).expect("digits").parse().expect("a number")
        };
        if desk.papers().begun < failing {
            ensure!(failing > 10, "only {failing} commits were made");
            break;
        }
        let kept = desk.numbers();
        for handle in acknowledged.iter().filter(|handle| !ended.contains(handle)) {
            ensure!(kept.contains(&number(handle)), "{} is lost at {failing}", handle.escape_ascii());
        }
        // The failure has passed: at the server's end everything is as it was told.
        drop(server);
        let left: Vec<u64> =
            acknowledged.iter().filter(|handle| !ended.contains(handle)).map(number).collect();
        ensure!(desk.numbers() == left, "{:?} for {left:?} at {failing}, {refused} refused", desk.numbers());
    }
    Ok(())
}

#[test]
fn who_waits_while_the_server_ends_is_not_told_what_is_not_so() -> Result<()> {
    let desk = Desk::default();
    desk.set(|papers| papers.patience = Duration::from_secs(600));
    let server = start(&desk);
    let client = server.blocking_client();
    client.job("f", "before").background().send()?;
    desk.set(|papers| papers.failing = true);
    let late = std::thread::spawn(move || client.job("f", "late").background().send().map(drop));
    desk.wait(|papers| papers.begun >= 3);
    drop(server);
    ensure!(late.join().expect("no panic").is_err(), "it is not kept, and nobody says so");
    ensure!(desk.numbers() == [1]);
    Ok(())
}

#[test]
fn a_store_that_cannot_be_used_keeps_the_server_from_starting() {
    let desk = Desk::default();
    desk.set(|papers| papers.failing = true);
    let error = Server::builder().store(desk).start().unwrap_err();
    assert_eq!(error.to_string(), "open queue: QUEUE_ERROR: the desk is on fire: call somebody");
}
