//! Background submissions, as fast as they are acknowledged.

use std::collections::VecDeque;
use std::time::Instant;

use super::Template;
use crate::Result;
use crate::measure::{Load, Tally};
use crate::net::{Net, PeerId, Receive};
use crate::wire::{Packet, kind};

/// Connections that each keep so many submissions unanswered. A job is counted when JOB_CREATED arrives, or the
/// length of Redis' list.
#[derive(Debug)]
pub(crate) struct Submit {
    peers: Vec<PeerId>,
    outstanding: usize,
    template: Template,
    /// Numbers run from 0 to below this, and begin again.
    numbers: u64,
    next: u64,
    /// When the unanswered submissions of each connection were sent, oldest first.
    since: Vec<VecDeque<Instant>>,
    in_flight: u64,
    left: u64,
    tally: Tally,
}

impl Submit {
    /// Opens `connections` that keep `outstanding` submissions each. The jobs are numbered below `numbers`.
    pub(crate) fn connect(
        net: &mut Net,
        connections: usize,
        outstanding: usize,
        template: Template,
        numbers: u64,
    ) -> Result<Self> {
        let peers = net.connect_many(connections, |_, _| {})?;
        let slots = peers.iter().max().map_or(0, |last| last + 1);
        Ok(Self {
            peers,
            outstanding,
            template,
            numbers,
            next: 0,
            since: vec![VecDeque::with_capacity(outstanding); slots],
            in_flight: 0,
            left: 0,
            tally: Tally::default(),
        })
    }

    /// How many jobs have been submitted.
    pub(crate) const fn submitted(&self) -> u64 {
        self.next
    }

    fn submit(&mut self, net: &mut Net, peer: PeerId) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.in_flight += 1;
        self.since[peer].push_back(net.now());
        self.template.put(net.out(peer), self.next % self.numbers);
        self.next += 1;
    }
}

impl Load for Submit {
    fn begin(&mut self, net: &mut Net, jobs: u64) -> Result<()> {
        self.left = jobs;
        for _ in 0..self.outstanding {
            for i in 0..self.peers.len() {
                self.submit(net, self.peers[i]);
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

impl Receive for Submit {
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()> {
        match (packet.kind, self.since[peer].pop_front()) {
            (kind::JOB_CREATED | kind::NUMBER, Some(since)) => self.tally.count(net, since),
            _ => return Err(packet.unexpected("submitting")),
        }
        self.in_flight -= 1;
        self.submit(net, peer);
        Ok(())
    }
}
