//! A mixed load on one daemon: clients that wait, clients that leave, workers that finish, fail, or go away in mid-job.
//! Nothing accepted may be lost, nothing may run twice at once, and the daemon must be as small afterwards as before.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::{PATIENCE, now, pause, poll};
use crate::random::Random;
use crate::server::{Maker, Server};
use crate::wire::{Peer, kind};
use rustix::process::Signal;

/// Peers of each sort.
const WORKERS: u64 = 6;
const CLIENTS: u64 = 4;
const FUNCTION: &[u8] = b"soak";

/// What a soak went through.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Jobs that were accepted in the background.
    pub background: u64,
    /// Jobs whose clients waited for the result.
    pub foreground: u64,
    /// Jobs that a worker left unfinished.
    pub abandoned: u64,
    /// The most memory that the daemon had in use, in bytes.
    pub peak_memory: u64,
}

/// What all peers know together.
#[derive(Debug, Default)]
struct Ledger {
    stop_clients: AtomicBool,
    stop_workers: AtomicBool,
    next: AtomicU64,
    abandoned: AtomicU64,
    foreground: AtomicU64,
    /// Jobs that were accepted in the background, and how often each has been finished.
    background: Mutex<BTreeMap<u64, u32>>,
    /// Jobs that a worker has at this moment.
    running: Mutex<BTreeSet<u64>>,
}

/// Loads a daemon for `time`; `seed` decides who does what when.
///
/// # Errors
/// When a job was lost, ran twice at once, or came back wrong, or the daemon has kept something.
pub fn run(time: Duration, seed: u64) -> Result<Report> {
    let mut server = Server::start(Maker::Ours, &[])?;
    // The connection that found the server ready may still be among them, so that there are rather fewer afterwards.
    let descriptors = descriptors(&server)?;
    let ledger = Ledger::default();
    thread::scope(|scope| -> Result<()> {
        let (server, ledger) = (&server, &ledger);
        let workers: Vec<_> =
            (0..WORKERS).map(|at| scope.spawn(move || work(server, ledger, Random(seed + at)))).collect();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|at| scope.spawn(move || submit(server, ledger, Random(seed + 1000 + at))))
            .collect();
        let outcome = watch(server, time);
        // In this order, so that the workers drain the queue.
        ledger.stop_clients.store(true, Ordering::Relaxed);
        let clients = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| panicked()));
        let outcome = clients.fold(outcome, Result::and);
        let drained = poll(PATIENCE, || (jobs(server).ok()? == 0).then_some(()));
        ledger.stop_workers.store(true, Ordering::Relaxed);
        let workers = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| panicked()));
        workers.fold(outcome, Result::and)?;
        drained.context("the queue does not become empty")
    })?;
    let background = lock(&ledger.background);
    let lost: Vec<u64> =
        background.iter().filter(|(_, finished)| **finished == 0).map(|(job, _)| *job).collect();
    ensure!(lost.is_empty(), "jobs {lost:?} were accepted and never finished");
    let report = Report {
        background: background.len() as u64,
        foreground: ledger.foreground.load(Ordering::Relaxed),
        abandoned: ledger.abandoned.load(Ordering::Relaxed),
        peak_memory: server.peak_memory()?,
    };
    let after = poll(PATIENCE, || self::descriptors(&server).ok().filter(|after| *after <= descriptors));
    ensure!(after.is_some(), "{descriptors} descriptors before, {} after", self::descriptors(&server)?);
    server.stop(Signal::TERM)?;
    Ok(report)
}

fn panicked() -> Result<()> {
    anyhow::bail!("a peer of the soak panicked")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A peer that panicked is reported by its thread.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn descriptors(server: &Server) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", server.pid())).context("the daemon's descriptors")?.count())
}

/// Jobs of the daemon, queued and running.
fn jobs(server: &Server) -> Result<u64> {
    let status = server.connect()?.text("status\n")?;
    let totals = status.lines().filter_map(|line| line.split('\t').nth(1));
    Ok(totals.map(str::parse::<u64>).sum::<Result<_, _>>()?)
}

/// An operator who looks at everything now and then.
fn watch(server: &Server, time: Duration) -> Result<()> {
    let end = now() + time;
    while now() < end {
        for command in ["status\n", "workers\n", "prioritystatus\n", "show jobs\n"] {
            server.connect()?.text(command)?;
        }
        // The load is what is tested, not the operator.
        pause(Duration::from_millis(100));
    }
    Ok(())
}

fn work(server: &Server, ledger: &Ledger, mut random: Random) -> Result<()> {
    while !ledger.stop_workers.load(Ordering::Relaxed) {
        let mut peer = server.connect()?;
        peer.request(kind::CAN_DO, &[FUNCTION])?;
        let leaves_after = random.below(200);
        for _ in 0..leaves_after {
            let Some((handle, job)) = grab(&mut peer, ledger)? else { break };
            ensure!(lock(&ledger.running).insert(job), "job {job} runs twice at once");
            let fate = random.below(100);
            lock(&ledger.running).remove(&job);
            if fate == 0 {
                // Gone in mid-job: somebody else gets it.
                ledger.abandoned.fetch_add(1, Ordering::Relaxed);
                break;
            }
            if let Some(finished) = lock(&ledger.background).get_mut(&job) {
                *finished += 1;
            }
            if fate < 20 {
                peer.request(kind::WORK_DATA, &[&handle, b"part of "])?;
            }
            peer.request(kind::WORK_COMPLETE, &[&handle, job.to_string().as_bytes()])?;
        }
    }
    Ok(())
}

/// The next job: its handle and number; `None` where the soak ends.
fn grab(peer: &mut Peer, ledger: &Ledger) -> Result<Option<(Vec<u8>, u64)>> {
    loop {
        peer.request(kind::GRAB_JOB, &[])?;
        let packet = loop {
            let packet = peer.packet()?;
            if packet.kind != kind::NOOP {
                break packet;
            }
        };
        if packet.kind == kind::JOB_ASSIGN {
            let mut fields = packet.body.splitn(3, |byte| *byte == 0);
            let (Some(handle), Some(_), Some(workload)) = (fields.next(), fields.next(), fields.next())
            else {
                anyhow::bail!("an assignment without its fields");
            };
            return Ok(Some((handle.to_vec(), std::str::from_utf8(workload)?.parse()?)));
        }
        ensure!(packet.kind == kind::NO_JOB, "packet {} instead of a job", packet.kind);
        peer.request(kind::PRE_SLEEP, &[])?;
        loop {
            if ledger.stop_workers.load(Ordering::Relaxed) {
                return Ok(None);
            }
            // Not longer than this, so that the end of the soak is seen.
            if peer.readable(Duration::from_millis(100))? {
                break;
            }
        }
    }
}

fn submit(server: &Server, ledger: &Ledger, mut random: Random) -> Result<()> {
    while !ledger.stop_clients.load(Ordering::Relaxed) {
        let mut peer = server.connect()?;
        for _ in 0..random.below(300) {
            let job = ledger.next.fetch_add(1, Ordering::Relaxed);
            let workload = job.to_string();
            match random.below(10) {
                0..6 => {
                    lock(&ledger.background).insert(job, 0);
                    peer.submit(kind::SUBMIT_JOB_BG, "soak", "", workload.as_bytes())?;
                }
                6..9 => {
                    let handle = peer.submit(kind::SUBMIT_JOB, "soak", "", workload.as_bytes())?;
                    let result = loop {
                        let packet = peer.packet()?;
                        if packet.kind != kind::WORK_DATA {
                            break packet;
                        }
                    };
                    let expected = format!("{handle}\0{job}");
                    ensure!(
                        result.kind == kind::WORK_COMPLETE,
                        "job {job} ended with packet {}",
                        result.kind
                    );
                    ensure!(result.body == expected.as_bytes(), "job {job}: {}", result.body.escape_ascii());
                    ledger.foreground.fetch_add(1, Ordering::Relaxed);
                }
                // A client that loses interest: its job may or may not be run.
                _ => {
                    peer.submit(kind::SUBMIT_JOB, "soak", "", workload.as_bytes())?;
                    break;
                }
            }
        }
    }
    Ok(())
}
