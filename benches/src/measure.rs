//! A load, applied for a while; what it has cost the server and how long its jobs took.

use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::net::{Net, Receive};
use crate::{Result, clock, meter};

/// What a load has got done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Jobs, each counted once.
    pub(crate) jobs: u64,
    /// How long each took as its client saw it.
    pub(crate) latency: Histogram,
}

impl Tally {
    /// One more job, begun at `since`.
    pub(crate) fn count(&mut self, net: &Net, since: Instant) {
        self.jobs += 1;
        self.latency.record(net.now().saturating_duration_since(since));
    }
}

/// A kind of work that can be begun, left off, and begun again.
pub(crate) trait Load: Receive {
    /// Sends the first requests. The load goes on by itself, up to `jobs` more jobs, until [`Load::stop`].
    fn begin(&mut self, net: &mut Net, jobs: u64) -> Result<()>;

    /// No new jobs from here on.
    fn stop(&mut self);

    /// True when nothing is on its way any more: all jobs that were begun have been counted, and no new one comes by itself.
    fn at_rest(&self) -> bool;

    /// What has been done since the last call of [`take`](std::mem::take) on it.
    fn tally(&mut self) -> &mut Tally;
}

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// No new jobs after this time.
    pub(crate) time: Duration,
    /// No more jobs than this.
    pub(crate) jobs: u64,
}

/// How long, beyond its window, a load may need for what it has begun.
const PATIENCE: Duration = Duration::from_secs(30);
/// When the last answer has arrived the server may still be busy with what needs none, such as storing that jobs have ended. It is
/// at rest when it has used less than [`IDLE`] over this time.
const QUIET: Duration = Duration::from_millis(20);
/// What a server may use now and then while nothing is asked of it.
const IDLE: Duration = Duration::from_micros(400);

/// What was measured over one window.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// What was done.
    pub(crate) tally: Tally,
    /// How long it took, until the last answer.
    pub(crate) wall: Duration,
    /// What it cost the server, until it was at rest.
    pub(crate) server: Duration,
    /// What of that its store's thread has cost, where it has one.
    pub(crate) store: Option<Duration>,
    /// What it cost the load.
    pub(crate) load: Duration,
}

impl Measured {
    /// The server's CPU time for one job, in microseconds.
    pub(crate) fn micros_per_job(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / self.tally.jobs.max(1) as f64
    }

    /// Jobs a second.
    pub(crate) fn rate(&self) -> f64 {
        self.tally.jobs as f64 / self.wall.as_secs_f64().max(1e-9)
    }
}

/// Applies `load` to the server process `pid` for one window, from rest to rest.
pub(crate) fn measure(net: &mut Net, load: &mut impl Load, pid: u32, window: Window) -> Result<Measured> {
    let before = (rest(net, load, pid)?, meter::store_time(pid), meter::cpu_time(std::process::id())?);
    *load.tally() = Tally::default();
    let begun = clock::now();
    apply(net, load, window)?;
    let wall = begun.elapsed();
    let after = (rest(net, load, pid)?, meter::store_time(pid), meter::cpu_time(std::process::id())?);
    let tally = std::mem::take(load.tally());
    Ok(Measured {
        tally,
        wall,
        server: after.0.saturating_sub(before.0),
        store: after.1.zip(before.1).map(|(after, before)| after.saturating_sub(before)),
        load: after.2.saturating_sub(before.2),
    })
}

/// Applies `load` without measuring.
pub(crate) fn apply(net: &mut Net, load: &mut impl Load, window: Window) -> Result<()> {
    load.begin(net, window.jobs)?;
    let until = clock::now() + window.time;
    let mut running = true;
    while !load.at_rest() {
        if running && net.now() >= until {
            running = false;
            load.stop();
        }
        if net.now() >= until + PATIENCE {
            let jobs = load.tally().jobs;
            return Err(format!(
                "does not come to rest: {jobs} jobs were done, the rest is missing for {PATIENCE:?}"
            ));
        }
        net.turn(load, Duration::from_millis(50))?;
    }
    Ok(())
}

/// Waits until the server is at rest. What it has cost until then.
fn rest(net: &mut Net, load: &mut impl Load, pid: u32) -> Result<Duration> {
    let until = clock::now() + PATIENCE;
    let mut spent = meter::cpu_time(pid)?;
    while clock::now() < until {
        settle(net, load, QUIET)?;
        let before = std::mem::replace(&mut spent, meter::cpu_time(pid)?);
        if spent.saturating_sub(before) < IDLE {
            return Ok(spent);
        }
    }
    Err(format!("the server does not come to rest in {PATIENCE:?}"))
}

/// Takes what arrives for `time`.
fn settle(net: &mut Net, load: &mut impl Load, time: Duration) -> Result<()> {
    let until = clock::now() + time;
    loop {
        let left = until.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(());
        }
        net.turn(load, left)?;
    }
}
