//! The task of one connection: reads what its socket has, feeds the broker once a batch, and writes what has gathered in one system
//! call. Nothing is awaited between the lock and its release.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::input::{self, Batch, Got};
use super::state::{Shared, State, Tools};
use super::stream::Stream;
use crate::broker::Input;
use crate::error::ErrorKind;
use crate::protocol::{DecodeError, Decoder, OutBuf};
use crate::types::ConnId;

/// Reads of one connection before the others of its thread have their turn.
const READS: usize = 8;
/// Pieces handed to one system call.
const SLICES: usize = 16;
/// What a peer may still send while it is being closed, in bytes, so that it can read why before it sees a reset.
const DISCARD: usize = 1 << 20;

/// A connection being served. Completes when it has ended and the broker knows.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    decoder: Decoder,
    stream: Stream,
    id: ConnId,
    input: input::Input,
    /// Taken from the state and not yet sent.
    pending: OutBuf,
    phase: Phase,
    /// There was more to send than could be taken.
    more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reading and writing.
    Open,
    /// The peer has shut down its sending side, or has been refused: what there is to send is sent, then it is closed.
    Closing,
    /// All is sent: waiting, within a bound, for the peer to close.
    Discarding { left: usize },
    /// The broker has been told.
    Ended,
}

impl Connection {
    /// Enters the connection; `None` where there is no room for it.
    pub(super) fn open(shared: Arc<Shared>, decoder: Decoder, stream: Stream, peer: &str) -> Option<Self> {
        let id = input::with_tools(|tools| shared.open(tools, peer, true))?;
        let (input, pending, phase) = (input::Input::default(), OutBuf::new(), Phase::Open);
        Some(Self { shared, decoder, stream, id, input, pending, phase, more: false })
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whether the state has been asked for output, and our waker stands there, since the last wake-up.
        let mut asked = false;
        for _ in 0..READS {
            let blocked = self.flush(cx)?.is_pending();
            if let Phase::Discarding { left } = self.phase {
                return self.discard(cx, left);
            }
            let may_read =
                self.phase == Phase::Open && self.pending.len() < self.shared.limits.max_output / 2;
            if may_read && let Poll::Ready(seen) = self.read(cx)? {
                // Half a packet makes no turn: what others have sent meanwhile is then still to be asked for.
                asked |= seen;
                continue;
            }
            if blocked {
                return Poll::Pending;
            }
            if !asked || self.more {
                asked = true;
                self.collect(cx);
                continue;
            }
            if self.phase == Phase::Open {
                return Poll::Pending;
            }
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.phase = Phase::Discarding { left: DISCARD };
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once and applies what has come. True where the state has been asked for output on the way.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut asked = false;
        let Self { shared, decoder, stream, id, input, pending, phase, more } = self;
        let waker = cx.waker();
        let mut turn = |tools: &mut Tools, batch: &Batch<'_>| {
            asked = true;
            shared.turn(tools, Some(*id), |turn| {
                for frame in batch {
                    turn.input(Input::Received { conn: *id, frame });
                }
                *more = take(turn.state, *id, pending, phase, waker);
            });
        };
        match ready!(input.poll(stream, decoder, cx, &mut turn))? {
            Got::Something => {}
            Got::End => *phase = Phase::Closing,
            Got::Nonsense(error) => {
                self.refuse(error, cx);
                asked = true;
            }
        }
        Poll::Ready(Ok(asked))
    }

    /// Ends a connection whose bytes are not the protocol. Who exceeds a limit is told which; other nonsense gets no answer, as from
    /// gearmand: whoever sends it does not read Gearman either.
    fn refuse(&mut self, error: DecodeError, cx: &mut Context<'_>) {
        let (shared, id) = (self.shared.clone(), self.id);
        tracing::info!(target: "lineshaft", "connection {} is closed: {error}", id.slot());
        input::with_tools(|tools| {
            shared.turn(tools, Some(id), |turn| {
                match error {
                    DecodeError::PacketTooLarge { .. } | DecodeError::ArgumentTooLarge { .. } => {
                        turn.error_and_close(id, ErrorKind::ArgumentTooLarge, &error.to_string());
                    }
                    DecodeError::LineTooLong { limit } => turn.text_and_close(
                        id,
                        format!("ERR LINE_TOO_LONG The+limit+(max_line)+is+{limit}+bytes\r\n").as_bytes(),
                    ),
                    _ => turn.close(id),
                }
                self.more = take(turn.state, id, &mut self.pending, &mut self.phase, cx.waker());
            });
        });
        self.phase = Phase::Closing;
    }

    /// Takes what others have had for us, or leaves our waker.
    fn collect(&mut self, cx: &mut Context<'_>) {
        let mut state = self.shared.state.lock();
        self.more = take(&mut state, self.id, &mut self.pending, &mut self.phase, cx.waker());
    }

    /// Sends what is pending; pending where the peer does not take it.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let sent = match self.pending.contiguous() {
                Some(bytes) => ready!(stream.poll_write(cx, bytes))?,
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let filled = self.pending.slices(&mut slices);
                    ready!(stream.poll_write_vectored(cx, &slices[..filled]))?
                }
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(sent);
        }
        if !self.pending.is_bare() {
            let memory = std::mem::take(&mut self.pending).into_memory();
            input::with_tools(|tools| tools.recycle(memory));
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets, until the peer closes or has sent enough.
    fn discard(&mut self, cx: &mut Context<'_>, mut left: usize) -> Poll<io::Result<()>> {
        let mut memory = [0; 4096];
        while left > 0 {
            let mut buf = ReadBuf::new(&mut memory);
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut buf);
            let Poll::Ready(outcome) = read else { break };
            outcome?;
            match buf.filled().len() {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            input::with_tools(|tools| self.shared.close(tools, self.id));
        }
    }
}

/// Moves the connection's output to `pending`, once that is empty: a peer that does not read has at most two bounded buffers.
/// True where something had to be left.
fn take(state: &mut State, id: ConnId, pending: &mut OutBuf, phase: &mut Phase, waker: &Waker) -> bool {
    let stopped = state.stopped;
    let Some(conn) = state.conn(id) else { return false };
    if pending.is_empty() && !conn.out.is_empty() {
        *pending = std::mem::take(&mut conn.out);
    }
    let more = !conn.out.is_empty();
    if (conn.closing || stopped) && !more && *phase == Phase::Open {
        *phase = Phase::Closing;
    }
    if conn.waker.is_none() {
        conn.waker = Some(waker.clone());
    }
    more
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.advance(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => {
                if let Err(error) = outcome {
                    tracing::debug!(target: "lineshaft", "connection {}: {error}", this.id.slot());
                }
                this.end();
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}
