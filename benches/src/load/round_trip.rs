//! Foreground jobs: from the client to a worker and back.

use std::time::{Duration, Instant};

use super::{Template, Workers};
use crate::Result;
use crate::measure::{Load, Tally};
use crate::net::{Net, PeerId, Receive};
use crate::wire::{Packet, kind, parts};

/// Clients that each keep so many foreground jobs unanswered. A job is counted when WORK_COMPLETE arrives.
#[derive(Debug)]
pub(crate) struct RoundTrip {
    clients: Vec<PeerId>,
    outstanding: usize,
    workers: Workers,
    template: Template,
    /// How long a client waits after an answer, until all workers sleep again and then some.
    pace: Option<Duration>,
    /// When the next job is due, where jobs are paced.
    next: Option<Instant>,
    /// When the jobs under way were submitted; a job's place here is the number in its workload.
    since: Vec<Instant>,
    in_flight: u64,
    left: u64,
    tally: Tally,
}

impl RoundTrip {
    /// Opens `clients` connections that keep `outstanding` jobs each for `workers`.
    pub(crate) fn connect(
        net: &mut Net,
        clients: usize,
        outstanding: usize,
        workers: Workers,
        template: Template,
    ) -> Result<Self> {
        Ok(Self {
            clients: net.connect_many(clients, |_, _| {})?,
            outstanding,
            workers,
            template,
            pace: None,
            next: None,
            since: vec![net.now(); clients * outstanding],
            in_flight: 0,
            left: 0,
            tally: Tally::default(),
        })
    }

    /// One job at a time, `pace` after the one before.
    pub(crate) const fn paced(mut self, pace: Duration) -> Self {
        self.pace = Some(pace);
        self
    }

    /// NOOPs that the workers have received.
    pub(crate) const fn noops(&self) -> u64 {
        self.workers.noops
    }

    fn submit(&mut self, net: &mut Net, place: usize) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.in_flight += 1;
        self.since[place] = net.now();
        self.template.put(net.out(self.clients[place / self.outstanding]), place as u64);
    }

    fn answered(&mut self, net: &mut Net, packet: Packet<'_>) -> Result<()> {
        let [_, result] = parts(packet.body)?;
        let place = Template::number(result).filter(|place| *place < self.since.len());
        let place = place.ok_or("a result is not the workload of the job")?;
        self.in_flight -= 1;
        self.tally.count(net, self.since[place]);
        match self.pace {
            Some(pace) => self.next = (self.left > 0).then(|| net.now() + pace),
            None => self.submit(net, place),
        }
        Ok(())
    }
}

impl Load for RoundTrip {
    fn begin(&mut self, net: &mut Net, jobs: u64) -> Result<()> {
        self.left = jobs;
        for place in 0..self.since.len() {
            self.submit(net, place);
        }
        Ok(())
    }

    fn stop(&mut self) {
        self.left = 0;
        self.next = None;
    }

    fn at_rest(&self) -> bool {
        self.in_flight == 0 && self.left == 0 && self.workers.all_asleep()
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Receive for RoundTrip {
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()> {
        match packet.kind {
            _ if self.workers.owns(peer) => self.workers.packet(net, peer, packet),
            kind::JOB_CREATED => Ok(()),
            kind::WORK_COMPLETE => self.answered(net, packet),
            _ => Err(packet.unexpected("as a client")),
        }
    }

    fn alarm(&self) -> Option<Instant> {
        self.next
    }

    fn due(&mut self, net: &mut Net) -> Result<()> {
        match self.pace {
            // Somebody is still awake: once more the same time.
            Some(pace) if !self.workers.all_asleep() => self.next = Some(net.now() + pace),
            _ => {
                self.next = None;
                self.submit(net, 0);
            }
        }
        Ok(())
    }
}
