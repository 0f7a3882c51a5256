//! Peers that come, work and go.

use std::time::Instant;

use lineshaft::protocol::Command;

use super::Template;
use crate::Result;
use crate::measure::{Load, Tally};
use crate::net::{Net, PeerId, Receive};
use crate::wire::{Packet, kind, put};

const FUNCTION: &str = "visit";

/// Visits: connect, register a function, submit a background job of it, grab a job, complete it, close. So many at the
/// same time; a visit is counted when it is over.
#[derive(Debug)]
pub(crate) struct Visit {
    together: usize,
    template: Template,
    /// When each visit began, by connection.
    since: Vec<Instant>,
    in_flight: u64,
    left: u64,
    tally: Tally,
}

impl Visit {
    /// Keeps `together` visits going.
    pub(crate) fn new(together: usize, workload: usize) -> Self {
        let template = Template::background(FUNCTION, workload);
        Self { together, template, since: Vec::new(), in_flight: 0, left: 0, tally: Tally::default() }
    }

    fn arrive(&mut self, net: &mut Net) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.in_flight += 1;
        let peer = net.connect()?;
        if self.since.len() <= peer {
            self.since.resize(peer + 1, net.now());
        }
        self.since[peer] = net.now();
        let out = net.out(peer);
        put(out, Command::CanDo, &[FUNCTION.as_bytes()]);
        self.template.put(out, 0);
        put(out, Command::GrabJob, &[]);
        Ok(())
    }
}

impl Load for Visit {
    fn begin(&mut self, net: &mut Net, jobs: u64) -> Result<()> {
        self.left = jobs;
        (0..self.together).try_for_each(|_| self.arrive(net))
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

impl Receive for Visit {
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()> {
        if packet.kind == kind::JOB_CREATED {
            return Ok(());
        }
        // Everybody submits before grabbing, so there is always a job, if not one's own.
        let (handle, _) = packet.assigned()?.ok_or_else(|| packet.unexpected("on a visit"))?;
        put(net.out(peer), Command::WorkComplete, &[handle, b""]);
        net.leave(peer);
        self.in_flight -= 1;
        self.tally.count(net, self.since[peer]);
        self.arrive(net)
    }
}
