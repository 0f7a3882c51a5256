//! The broker alone: no socket, no thread, and time that passes only when a script waits.

use anyhow::{Context, Result, ensure};
use lineshaft::broker::{Broker, Input, Now, Outbox};
use lineshaft::protocol::{Decoder, Frame, Limits, OutBuf, Response, Step};
use lineshaft::types::ConnId;
use std::time::Duration;

use super::{Arm, Vector};
use crate::wire::Arrival;

/// The wall clock at the start of a script, in seconds since 1970: a day in 2026.
const START: Duration = Duration::from_secs(1_795_262_400);

/// A broker of its own, driven by hand.
#[derive(Debug)]
pub struct Bare {
    broker: Broker,
    decoder: Decoder,
    elapsed: Duration,
    conns: Conns,
    /// How many bytes arrive at once.
    piece: usize,
}

#[derive(Debug, Default)]
struct Conns(Vec<Conn>);

#[derive(Debug)]
struct Conn {
    id: ConnId,
    /// What has been sent and not been understood yet.
    input: Vec<u8>,
    output: OutBuf,
    closed: bool,
    /// The broker knows of the close.
    ended: bool,
}

impl Outbox for Conns {
    fn send(&mut self, to: ConnId, response: &Response<'_>) {
        response.encode(&mut self.0[to.slot() as usize].output);
    }

    fn close(&mut self, conn: ConnId) {
        self.0[conn.slot() as usize].closed = true;
    }
}

impl Bare {
    /// A broker with the options of `vector`.
    ///
    /// # Errors
    /// When there is no such option.
    pub fn new(vector: &Vector) -> Result<Self> {
        let limits = Limits::default();
        let broker = Broker::new(super::config::config(&vector.server_args)?, limits)?;
        let decoder = Decoder::new(limits);
        Ok(Self { broker, decoder, elapsed: Duration::ZERO, conns: Conns::default(), piece: usize::MAX })
    }

    /// The same, to which every byte comes alone: packets are so cut at every place.
    ///
    /// # Errors
    /// As [`Bare::new`].
    pub fn byte_by_byte(vector: &Vector) -> Result<Self> {
        Ok(Self { piece: 1, ..Self::new(vector)? })
    }

    fn input(&mut self, input: Input<'_>) {
        let now = Now { mono: self.elapsed, wall: START + self.elapsed };
        self.broker.handle(now, input, &mut self.conns);
        #[cfg(debug_assertions)]
        self.broker.check();
        // What the broker closes has ended as well.
        let closed = self.conns.0.iter_mut().find(|conn| conn.closed && !conn.ended);
        if let Some(Conn { id, ended, .. }) = closed {
            let id = *id;
            *ended = true;
            self.input(Input::Closed { conn: id });
        }
    }

    /// Bytes have come from a connection.
    fn arrive(&mut self, conn: usize, bytes: &[u8]) {
        let Conn { id, input, closed, .. } = &mut self.conns.0[conn];
        if *closed {
            return;
        }
        let id = *id;
        input.extend_from_slice(bytes);
        let input = std::mem::take(input);
        let mut rest = &input[..];
        let decoder = self.decoder;
        loop {
            match decoder.next(rest) {
                Ok(Step::Frame { length, frame }) => {
                    self.input(Input::Received { conn: id, frame: &frame as &Frame<'_> });
                    rest = &rest[length..];
                }
                Ok(Step::Need { .. }) => break,
                Err(_) => {
                    self.close(conn);
                    break;
                }
            }
        }
        self.conns.0[conn].input = rest.to_vec();
    }

    /// Lets time pass up to `until`, or to the next moment that the broker waits for.
    fn advance(&mut self, until: Duration) {
        match self.broker.next_wakeup() {
            Some(at) if at <= until => {
                self.elapsed = self.elapsed.max(at);
                self.input(Input::Tick);
            }
            _ => self.elapsed = until,
        }
    }
}

impl Arm for Bare {
    fn open(&mut self) -> Result<usize> {
        let number = self.conns.0.len();
        let id = ConnId::new(u32::try_from(number)?, 1);
        self.conns.0.push(Conn { id, input: Vec::new(), output: OutBuf::new(), closed: false, ended: false });
        self.input(Input::Opened { conn: id, peer: "127.0.0.1" });
        Ok(number)
    }

    fn send(&mut self, conn: usize, bytes: &[u8]) -> Result<()> {
        ensure!(!self.conns.0[conn].closed, "the connection is closed");
        bytes.chunks(self.piece).for_each(|piece| self.arrive(conn, piece));
        Ok(())
    }

    fn receive(&mut self, conn: usize, limit: Duration, into: &mut Vec<u8>) -> Result<Arrival> {
        let until = self.elapsed + limit;
        loop {
            let Conn { output, closed, .. } = self.conns.0.get_mut(conn).context("a connection")?;
            if !output.is_empty() {
                into.extend(std::mem::take(output).to_vec());
                return Ok(Arrival::Bytes);
            }
            if *closed {
                return Ok(Arrival::Closed);
            }
            if self.elapsed >= until {
                return Ok(Arrival::Nothing);
            }
            self.advance(until);
        }
    }

    fn close(&mut self, conn: usize) {
        let Conn { id, closed, ended, .. } = &mut self.conns.0[conn];
        if !std::mem::replace(ended, true) {
            let id = *id;
            *closed = true;
            self.input(Input::Closed { conn: id });
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.elapsed + time;
        while self.elapsed < until {
            self.advance(until);
        }
    }

    fn elapsed(&self) -> Duration {
        self.elapsed
    }
}
