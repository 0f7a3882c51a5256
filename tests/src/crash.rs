//! `kill -9` at random moments, again and again: clients submit, workers finish, an operator cancels, the daemon is killed and
//! started on what it has left. Everything that was acknowledged is run, and nothing that was known to be gone comes back.

use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock::pause;
use crate::random::Random;
use crate::server::{Maker, Server};
use crate::wire::{Peer, kind};
use rustix::process::Signal;

/// Peers of each sort.
const CLIENTS: u64 = 3;
const WORKERS: u64 = 2;
/// Submissions of a client that wait for their answers.
const WINDOW: usize = 16;
/// The longest life of a server, in milliseconds.
const LIFE: u64 = 120;
/// So many crashes, and all that is there is done.
const DRAINED: u32 = 50;
const FUNCTION: &[u8] = b"crash";
/// Jobs of this function show that an earlier change is durable.
const MARKS: &[u8] = b"marks";

/// What a run went through.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Times that the server was killed.
    pub kills: u32,
    /// Jobs that were acknowledged.
    pub acknowledged: usize,
    /// Jobs whose end was known to be durable.
    pub ended: usize,
    /// Jobs that ran again, because nobody knew of their end when the server was killed.
    pub repeated: usize,
}

/// What all peers know together.
#[derive(Debug, Default)]
struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    /// Jobs that were acknowledged, and their handles.
    acknowledged: BTreeMap<u64, Vec<u8>>,
    /// Jobs that workers have seen.
    seen: BTreeSet<u64>,
    /// Jobs whose end is durable, finished or cancelled, and in which life of the server that was.
    ended: BTreeMap<u64, u32>,
    /// Jobs that somebody has asked to cancel: without an answer nobody knows whether they are gone.
    condemned: BTreeSet<u64>,
    /// Which life this is.
    life: u32,
    repeated: usize,
    /// What went wrong, once.
    fault: Option<String>,
}

impl Entries {
    fn end(&mut self, job: u64) {
        let life = self.life;
        self.ended.entry(job).or_insert(life);
    }
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A peer that panicked is reported by its thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills a server with this store so often; `seed` decides when, and who does what.
///
/// # Errors
/// When a job was lost, or came back from its end.
pub fn run(store: &str, kills: u32, seed: u64) -> Result<Report> {
    let mut server = Server::start(Maker::Ours, &["--store", store])?;
    let ledger = Ledger::default();
    let mut random = Random(seed);
    for round in 0..kills {
        let seeds = [random.below(u64::MAX), random.below(u64::MAX), random.below(u64::MAX)];
        let life = Duration::from_millis(random.below(LIFE));
        thread::scope(|scope| -> Result<()> {
            let (ledger, address) = (&ledger, server.address());
            for at in 0..CLIENTS {
                scope.spawn(move || {
                    Peer::connect(address).map(|peer| submit(peer, ledger, Random(seeds[0] + at)))
                });
            }
            for at in 0..WORKERS {
                scope.spawn(move || {
                    Peer::connect(address).map(|peer| work(peer, ledger, Random(seeds[1] + at)))
                });
            }
            scope.spawn(move || Peer::connect(address).map(|peer| cancel(peer, ledger, Random(seeds[2]))));
            // The moment of the crash is what is tested.
            pause(life);
            server.kill()
        })?;
        if let Some(fault) = &ledger.lock().fault {
            bail!("life {round}, seed {seed}: {fault}");
        }
        ledger.lock().life += 1;
        server.start_again().with_context(|| format!("after kill {round}, seed {seed}"))?;
        // More is submitted than done: a queue without end would take longer and longer to start with.
        if round % DRAINED == DRAINED - 1 {
            drain(&server, &ledger)?;
        }
    }
    drain(&server, &ledger)?;
    server.stop(Signal::TERM)?;
    let entries = ledger.lock();
    let is_lost = |job: &&u64| !entries.seen.contains(job) && !entries.condemned.contains(job);
    let lost: Vec<u64> = entries.acknowledged.keys().filter(is_lost).copied().collect();
    ensure!(lost.is_empty(), "seed {seed}: jobs {lost:?} were acknowledged and never run");
    Ok(Report {
        kills,
        acknowledged: entries.acknowledged.len(),
        ended: entries.ended.len(),
        repeated: entries.repeated,
    })
}

/// The workload of a job: its number, and more of one size or another.
fn workload(job: u64, random: &mut Random) -> Vec<u8> {
    let size = match random.below(100) {
        0..60 => random.below(100),
        60..98 => random.below(5000),
        _ => random.below(200_000),
    };
    let mut workload = format!("{job};").into_bytes();
    workload.resize(workload.len() + size as usize, b'.');
    workload
}

fn job_of(workload: &[u8]) -> Result<u64> {
    let digits = workload.split(|byte| *byte == b';').next().unwrap_or_default();
    std::str::from_utf8(digits)?.parse().with_context(|| format!("the workload {}", digits.escape_ascii()))
}

/// Submits until the server is gone; notes what was acknowledged.
fn submit(mut peer: Peer, ledger: &Ledger, mut random: Random) -> Result<()> {
    const KINDS: [u32; 3] = [kind::SUBMIT_JOB_BG, 32, 34];
    let mut waiting = VecDeque::new();
    loop {
        while waiting.len() < WINDOW {
            let job = {
                let mut entries = ledger.lock();
                entries.next += 1;
                entries.next
            };
            let unique = if random.below(2) == 0 { format!("unique-{job}") } else { String::new() };
            let workload = workload(job, &mut random);
            let kind = KINDS[random.below(3) as usize];
            peer.request(kind, &[FUNCTION, unique.as_bytes(), &workload])?;
            waiting.push_back(job);
        }
        let packet = peer.packet()?;
        let job = waiting.pop_front().context("an answer to a submission")?;
        if packet.kind == kind::JOB_CREATED {
            ledger.lock().acknowledged.insert(job, packet.body);
        } else {
            let fault =
                format!("job {job} is answered by packet {}: {}", packet.kind, packet.body.escape_ascii());
            ledger.lock().fault.get_or_insert(fault);
        }
    }
}

/// Works until the server is gone. A job whose end has been reported is known to be gone for good when a submission behind it
/// has been acknowledged: what happens becomes durable in its order.
fn work(mut peer: Peer, ledger: &Ledger, mut random: Random) -> Result<()> {
    peer.request(kind::CAN_DO, &[FUNCTION])?;
    loop {
        let Some((handle, job)) = grab(&mut peer)? else {
            // Nothing to do: the clients have only begun.
            pause(Duration::from_millis(1));
            continue;
        };
        note_seen(ledger, job);
        match random.below(10) {
            // It is kept, and must come back.
            0 => continue,
            1 => peer.request(kind::WORK_FAIL, &[&handle])?,
            _ => peer.request(kind::WORK_COMPLETE, &[&handle, b""])?,
        }
        if random.below(4) == 0 {
            peer.submit_mark()?;
            ledger.lock().end(job);
        }
    }
}

fn note_seen(ledger: &Ledger, job: u64) {
    let mut entries = ledger.lock();
    // In the same life a worker may have had it before somebody cancelled it.
    if entries.ended.get(&job).is_some_and(|life| *life < entries.life) {
        let fault = format!("job {job} has come back from its end");
        entries.fault.get_or_insert(fault);
    }
    if !entries.seen.insert(job) {
        entries.repeated += 1;
    }
}

/// Cancels jobs that wait, until the server is gone.
fn cancel(mut peer: Peer, ledger: &Ledger, mut random: Random) -> Result<()> {
    loop {
        let chosen = {
            let mut entries = ledger.lock();
            let from = random.below(entries.next.max(1));
            let chosen =
                entries.acknowledged.range(from..).next().map(|(job, handle)| (*job, handle.clone()));
            entries.condemned.extend(chosen.iter().map(|(job, _)| *job));
            chosen
        };
        let Some((job, handle)) = chosen else {
            // Nothing has been acknowledged yet. Is there still a server?
            peer.sync()?;
            continue;
        };
        let answer = peer.text(&format!("cancel job {}\n", handle.escape_ascii()))?;
        if answer == "OK\r\n" {
            ledger.lock().end(job);
        }
        // Most jobs are to be left to the workers.
        pause(Duration::from_millis(5));
    }
}

/// The next job: its handle and number.
fn grab(peer: &mut Peer) -> Result<Option<(Vec<u8>, u64)>> {
    peer.request(kind::GRAB_JOB, &[])?;
    let packet = loop {
        let packet = peer.packet()?;
        // A job that has been cancelled meanwhile is not known any more.
        if packet.kind != kind::ERROR {
            break packet;
        }
    };
    if packet.kind == kind::NO_JOB {
        return Ok(None);
    }
    ensure!(packet.kind == kind::JOB_ASSIGN, "packet {} instead of a job", packet.kind);
    let mut fields = packet.body.splitn(3, |byte| *byte == 0);
    let (Some(handle), Some(_), Some(workload)) = (fields.next(), fields.next(), fields.next()) else {
        bail!("an assignment without its fields");
    };
    Ok(Some((handle.to_vec(), job_of(workload)?)))
}

impl Peer {
    /// Submits a job of no meaning and waits until it is acknowledged.
    fn submit_mark(&mut self) -> Result<()> {
        self.request(kind::SUBMIT_JOB_BG, &[MARKS, b"", b""])?;
        self.expect(kind::JOB_CREATED).map(drop)
    }
}

/// Runs everything that is left, and stops the server in an orderly way.
fn drain(server: &Server, ledger: &Ledger) -> Result<()> {
    let mut peer = server.connect()?;
    peer.request(kind::CAN_DO, &[FUNCTION])?;
    while let Some((handle, job)) = grab(&mut peer)? {
        note_seen(ledger, job);
        peer.request(kind::WORK_COMPLETE, &[&handle, b""])?;
    }
    drop(peer);
    if let Some(fault) = &ledger.lock().fault {
        bail!("when all was done: {fault}");
    }
    Ok(())
}
