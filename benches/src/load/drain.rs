//! Workers that empty a queue.

use std::collections::VecDeque;
use std::time::Instant;

use lineshaft::protocol::Command;

use crate::Result;
use crate::measure::{Load, Tally};
use crate::net::{Net, PeerId, Receive};
use crate::wire::{Language, Packet, kind, put, put_redis};

/// Workers that each keep so many GRAB_JOB_UNIQ unanswered and complete what they get in the same write as the next grab.
/// A job is counted when it is assigned; its latency is that of the grab. From Redis they take values, which it forgets at once.
#[derive(Debug)]
pub(crate) struct Drain {
    peers: Vec<PeerId>,
    grabs: usize,
    /// What is sent for each job.
    grab: Vec<u8>,
    since: Vec<VecDeque<Instant>>,
    in_flight: u64,
    left: u64,
    tally: Tally,
}

impl Drain {
    /// Opens `workers` connections for `function`.
    pub(crate) fn connect(net: &mut Net, workers: usize, grabs: usize, function: &str) -> Result<Self> {
        let (language, mut grab) = (net.language(), Vec::new());
        match language {
            Language::Gearman => put(&mut grab, Command::GrabJobUniq, &[]),
            Language::Redis => put_redis(&mut grab, &[b"RPOP", function.as_bytes()]),
        }
        let peers = net.connect_many(workers, |out, _| {
            if language == Language::Gearman {
                put(out, Command::CanDo, &[function.as_bytes()]);
            }
        })?;
        let slots = peers.iter().max().map_or(0, |last| last + 1);
        let since = vec![VecDeque::with_capacity(grabs); slots];
        Ok(Self { peers, grabs, grab, since, in_flight: 0, left: 0, tally: Tally::default() })
    }

    fn grab(&mut self, net: &mut Net, peer: PeerId) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.in_flight += 1;
        self.since[peer].push_back(net.now());
        net.out(peer).extend_from_slice(&self.grab);
    }
}

impl Load for Drain {
    fn begin(&mut self, net: &mut Net, jobs: u64) -> Result<()> {
        self.left = jobs;
        for _ in 0..self.grabs {
            for i in 0..self.peers.len() {
                self.grab(net, self.peers[i]);
            }
        }
        Ok(())
    }

    fn stop(&mut self) {
        self.left = 0;
    }

    fn at_rest(&self) -> bool {
        self.in_flight == 0 && self.left == 0
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Receive for Drain {
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()> {
        let since = self.since[peer].pop_front().ok_or_else(|| packet.unexpected("draining"))?;
        self.in_flight -= 1;
        match (packet.kind, packet.assigned()?) {
            (kind::NO_JOB | kind::NIL, _) => {
                self.left = 0;
                return Ok(());
            }
            (_, Some((handle, _))) => put(net.out(peer), Command::WorkComplete, &[handle, b""]),
            (kind::VALUE, _) => {}
            _ => return Err(packet.unexpected("draining")),
        }
        self.tally.count(net, since);
        self.grab(net, peer);
        Ok(())
    }
}
