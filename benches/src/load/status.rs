//! An operator who looks, and somebody else who wants to work meanwhile.

use std::time::{Duration, Instant};

use lineshaft::protocol::Command;

use crate::Result;
use crate::histogram::Histogram;
use crate::measure::{Load, Tally};
use crate::net::{Net, PeerId, Receive};
use crate::wire::{Packet, TEXT, put};

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(10);

/// Sends the text command `status`, again and again. A job is an answer, and its latency the time until its last byte.
#[derive(Debug)]
pub(crate) struct Status {
    admin: PeerId,
    /// Sends an ECHO_REQ as soon as the last one is answered, as long as an answer to `status` is awaited.
    other: PeerId,
    asked: Option<Instant>,
    echoed: Option<Instant>,
    /// The longest wait of the other one for an echo, during this `status`.
    longest: Duration,
    next: Option<Instant>,
    left: u64,
    /// The last bytes that have arrived.
    end: Vec<u8>,
    tally: Tally,
    /// The other one's longest wait, once for each `status`.
    pub(crate) waits: Histogram,
}

impl Status {
    /// The line that ends the answer.
    const END: &[u8] = b"\n.\n";

    /// Opens both connections.
    pub(crate) fn connect(net: &mut Net) -> Result<Self> {
        let peers = net.connect_many(2, |_, _| {})?;
        net.expect_text(peers[0]);
        Ok(Self {
            admin: peers[0],
            other: peers[1],
            asked: None,
            echoed: None,
            longest: Duration::ZERO,
            next: None,
            left: 0,
            end: Vec::new(),
            tally: Tally::default(),
            waits: Histogram::default(),
        })
    }

    fn ask(&mut self, net: &mut Net) {
        self.next = None;
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.asked = Some(net.now());
        self.longest = Duration::ZERO;
        net.out(self.admin).extend_from_slice(b"status\n");
        if self.echoed.is_none() {
            self.echo(net);
        }
    }

    fn echo(&mut self, net: &mut Net) {
        self.echoed = Some(net.now());
        put(net.out(self.other), Command::EchoReq, &[b"somebody else"]);
    }

    /// The answer has ended, and so has the last echo that it may have delayed.
    fn finish(&mut self, net: &Net) {
        if self.asked.is_none() && self.echoed.is_none() {
            self.waits.record(self.longest);
            self.next = (self.left > 0).then(|| net.now() + PAUSE);
        }
    }
}

impl Load for Status {
    fn begin(&mut self, net: &mut Net, jobs: u64) -> Result<()> {
        self.left = jobs;
        self.ask(net);
        Ok(())
    }

    fn stop(&mut self) {
        self.left = 0;
        self.next = None;
    }

    fn at_rest(&self) -> bool {
        self.left == 0 && self.asked.is_none() && self.echoed.is_none()
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Receive for Status {
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()> {
        if packet.kind == TEXT && peer == self.admin {
            let tail = &packet.body[packet.body.len().saturating_sub(Self::END.len())..];
            self.end.extend_from_slice(tail);
            self.end.drain(..self.end.len().saturating_sub(Self::END.len()));
            if self.end == Self::END
                && let Some(since) = self.asked.take()
            {
                self.end.clear();
                self.tally.count(net, since);
                self.finish(net);
            }
            return Ok(());
        }
        let since = self.echoed.take().ok_or_else(|| packet.unexpected("waiting for an echo"))?;
        self.longest = self.longest.max(net.now().saturating_duration_since(since));
        if self.asked.is_some() {
            self.echo(net)
        } else {
            self.finish(net)
        }
        Ok(())
    }

    fn alarm(&self) -> Option<Instant> {
        self.next
    }

    fn due(&mut self, net: &mut Net) -> Result<()> {
        self.ask(net);
        Ok(())
    }
}
