//! A connection's incoming bytes. Small packets are read into a buffer that the connections of a thread share, so that a
//! connection that waits holds none; what is left of a packet that has not arrived whole is kept by the connection. A large packet
//! gets a buffer of its own, which its data is then shared with.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, ReadBuf};

use super::state::Tools;
use super::stream::Stream;
use crate::protocol::{DecodeError, Decoder, Frame, Step};

/// Bytes read at once.
const SCRATCH: usize = 256 << 10;
/// A packet from this size on, in bytes, gets a buffer of its own.
const LARGE: usize = 32 << 10;
/// Bytes of a large packet that must have come before it gets its buffer: who only announces much costs next to nothing.
const BEGUN: usize = 4 << 10;
/// How much of a large packet is reserved at once, in bytes: memory that the system gives only as it is written to. Beyond it the
/// buffer doubles with what comes.
const RESERVE: usize = 2 << 20;
/// Messages handed to the broker in one turn: others wait for the lock meanwhile.
pub(super) const BATCH: usize = 256;

/// Messages of one turn.
pub(super) type Batch<'a> = SmallVec<[Frame<'a>; 8]>;

thread_local! {
    /// What the connections of this thread use in turn.
    static BENCH: RefCell<Bench> = RefCell::new(Bench { scratch: vec![0; SCRATCH].into_boxed_slice(), tools: Tools::default() });
}

struct Bench {
    scratch: Box<[u8]>,
    tools: Tools,
}

/// Lets `work` use the tools of this thread.
pub(super) fn with_tools<R>(work: impl FnOnce(&mut Tools) -> R) -> R {
    BENCH.with_borrow_mut(|bench| work(&mut bench.tools))
}

/// What has arrived and not been understood yet.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// The beginning of a small packet or of a line.
    rest: Vec<u8>,
    /// A large packet that is being read, and its whole length.
    large: Option<(BytesMut, usize)>,
    /// Bytes that have been read, until somebody counts them.
    read: usize,
}

/// What a read brought.
pub(super) enum Got {
    /// Messages were handed on, or more is needed.
    Something,
    /// The peer sends no more.
    End,
    /// Bytes that are not the protocol; messages before them were handed on.
    Nonsense(DecodeError),
}

impl Input {
    /// Reads once and hands what has come, in batches, to `turn`.
    pub(super) fn poll(
        &mut self,
        stream: &mut Stream,
        decoder: &Decoder,
        cx: &mut Context<'_>,
        turn: &mut dyn FnMut(&mut Tools, &Batch<'_>),
    ) -> Poll<io::Result<Got>> {
        if self.large.is_some() {
            return self.poll_large(stream, decoder, cx, turn);
        }
        BENCH.with_borrow_mut(|bench| {
            let Bench { scratch, tools } = bench;
            let kept = self.rest.len();
            scratch[..kept].copy_from_slice(&self.rest);
            let mut buf = ReadBuf::new(scratch);
            buf.advance(kept);
            ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
            let filled = buf.filled().len();
            if filled == kept {
                return Poll::Ready(Ok(Got::End));
            }
            self.read += filled - kept;
            let (used, outcome) = hand_on(&scratch[..filled], decoder, tools, turn);
            let left = &scratch[used..filled];
            let got = match outcome {
                Err(error) => Got::Nonsense(error),
                Ok(total) => {
                    self.keep(left, total);
                    Got::Something
                }
            };
            Poll::Ready(Ok(got))
        })
    }

    /// Keeps the beginning of a message of which `total` bytes are needed.
    fn keep(&mut self, left: &[u8], total: usize) {
        if total >= LARGE && left.len() >= BEGUN {
            let mut packet = BytesMut::with_capacity(total.min(RESERVE));
            packet.extend_from_slice(left);
            self.large = Some((packet, total));
            self.rest = Vec::new();
        } else if left.is_empty() {
            self.rest = Vec::new();
        } else {
            self.rest.clear();
            self.rest.extend_from_slice(left);
        }
    }

    /// Bytes that have been read since this was last asked.
    pub(super) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read) as u64
    }

    /// Bytes of an unfinished message that are held.
    pub(super) fn held(&self) -> usize {
        self.rest.len() + self.large.as_ref().map_or(0, |(packet, _)| packet.len())
    }

    fn poll_large(
        &mut self,
        stream: &mut Stream,
        decoder: &Decoder,
        cx: &mut Context<'_>,
        turn: &mut dyn FnMut(&mut Tools, &Batch<'_>),
    ) -> Poll<io::Result<Got>> {
        let Some((packet, total)) = &mut self.large else { return Poll::Ready(Ok(Got::Something)) };
        let missing = *total - packet.len();
        if packet.capacity() == packet.len() {
            packet.reserve(missing.min(packet.len().max(RESERVE)));
        }
        let room = missing.min(packet.capacity() - packet.len());
        let read =
            ready!(tokio_util::io::poll_read_buf(Pin::new(stream), cx, &mut (&mut *packet).limit(room)))?;
        if read == 0 {
            return Poll::Ready(Ok(Got::End));
        }
        self.read += read;
        if packet.len() < *total {
            return Poll::Ready(Ok(Got::Something));
        }
        let Some((packet, _)) = self.large.take() else { return Poll::Ready(Ok(Got::Something)) };
        let packet: Bytes = packet.freeze();
        Poll::Ready(Ok(match decoder.whole(&packet) {
            Ok(frame) => {
                with_tools(|tools| turn(tools, &SmallVec::from_iter([frame])));
                Got::Something
            }
            Err(error) => Got::Nonsense(error),
        }))
    }
}

/// Hands on all whole messages in `bytes`. Answers how many bytes they took, and how many the next one needs.
fn hand_on(
    bytes: &[u8],
    decoder: &Decoder,
    tools: &mut Tools,
    turn: &mut dyn FnMut(&mut Tools, &Batch<'_>),
) -> (usize, Result<usize, DecodeError>) {
    let mut used = 0;
    loop {
        let mut batch = Batch::new();
        let outcome = loop {
            if batch.len() == BATCH {
                break None;
            }
            match decoder.next(&bytes[used..]) {
                Ok(Step::Frame { length, frame }) => {
                    used += length;
                    batch.push(frame);
                }
                Ok(Step::Need { total }) => break Some(Ok(total)),
                Err(error) => break Some(Err(error)),
            }
        };
        if !batch.is_empty() {
            turn(tools, &batch);
        }
        if let Some(outcome) = outcome {
            return (used, outcome);
        }
    }
}
