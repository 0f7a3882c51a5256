//! Workers that answer each job with its own workload, and sleep in between.

use std::time::Duration;

use lineshaft::protocol::Command;

use crate::net::{Net, PeerId, Receive};
use crate::wire::{Packet, kind, put};
use crate::{Result, clock};

/// How a worker comes by its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// NOOP, GRAB_JOB_ALL, and after the work the next grab in the same write; PRE_SLEEP when there is no job.
    Grab,
    /// As above until the first PRE_SLEEP; asleep it is given jobs without NOOP and grab (ALL_YOURS), and sends each
    /// result and the next PRE_SLEEP in one write.
    AllYours,
}

/// How long the server may take until all workers sleep.
const SLEEP_PATIENCE: Duration = Duration::from_secs(30);

/// The workers of one function.
#[derive(Debug)]
pub(crate) struct Workers {
    manner: Manner,
    /// By connection: whether a worker sleeps; `None` where the connection is no worker.
    asleep: Vec<Option<bool>>,
    awake: usize,
    /// NOOPs that were received.
    pub(crate) noops: u64,
}

impl Workers {
    /// Opens `count` connections and returns when all of them sleep.
    pub(crate) fn connect(net: &mut Net, count: usize, function: &str, manner: Manner) -> Result<Self> {
        let peers = net.connect_many(count, |out, _| {
            if manner == Manner::AllYours {
                put(out, Command::AllYours, &[]);
            }
            put(out, Command::CanDo, &[function.as_bytes()]);
        })?;
        let mut asleep = vec![None; peers.iter().max().map_or(0, |last| last + 1)];
        for peer in peers {
            asleep[peer] = Some(false);
            put(net.out(peer), Command::GrabJobAll, &[]);
        }
        let mut workers = Self { manner, asleep, awake: count, noops: 0 };
        let until = clock::now() + SLEEP_PATIENCE;
        while !workers.all_asleep() {
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Err(format!("{} of {count} workers get no NO_JOB", workers.awake));
            }
            net.turn(&mut workers, left)?;
        }
        Ok(workers)
    }

    /// True for the connection of a worker.
    pub(crate) fn owns(&self, peer: PeerId) -> bool {
        matches!(self.asleep.get(peer), Some(Some(_)))
    }

    /// True when no worker has anything to do.
    pub(crate) const fn all_asleep(&self) -> bool {
        self.awake == 0
    }

    fn set_asleep(&mut self, peer: PeerId, now: bool) {
        match (self.asleep[peer].replace(now), now) {
            (Some(true), false) => self.awake += 1,
            (Some(false), true) => self.awake -= 1,
            _ => {}
        }
    }
}

impl Receive for Workers {
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()> {
        let out = net.out(peer);
        match packet.kind {
            kind::NOOP => {
                self.noops += 1;
                put(out, Command::GrabJobAll, &[]);
                self.set_asleep(peer, false);
            }
            kind::NO_JOB => {
                put(out, Command::PreSleep, &[]);
                self.set_asleep(peer, true);
            }
            _ => {
                let (handle, workload) = packet.assigned()?.ok_or_else(|| packet.unexpected("working"))?;
                put(out, Command::WorkComplete, &[handle, workload]);
                match self.manner {
                    Manner::Grab => put(out, Command::GrabJobAll, &[]),
                    Manner::AllYours => put(out, Command::PreSleep, &[]),
                }
                self.set_asleep(peer, self.manner == Manner::AllYours);
            }
        }
        Ok(())
    }
}
