//! The task of one connection: reads what its socket has, feeds the broker once a batch, and writes what has gathered in one system
//! call. Nothing is awaited between the lock and its release.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::input::{self, Batch, Got};
use super::log::Kind;
use super::state::{Refusal, Shared, State, Tools};
use super::stream::Stream;
use crate::broker::Input;
use crate::error::ErrorKind;
use crate::protocol::{DecodeError, Decoder, OutBuf, Response};
use crate::types::{ConnId, Identity};

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
    /// The state is to be looked at again once everything has been sent.
    more: bool,
    /// Bytes about that wait for the store before they may be sent.
    owed: usize,
    /// Our part of the bytes of unfinished packets that all peers hold.
    held: usize,
    /// The peer has gone and takes nothing any more. What it sent before is still there to be read, and counts.
    deaf: bool,
}

/// What a peer is told before its connection is closed.
#[derive(Debug)]
enum LastWord {
    Nothing,
    Line(String),
    Error(ErrorKind, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reading and writing.
    Open,
    /// The peer has shut down its sending side, or has been refused: what there is to send is sent, then it is closed.
    Closing,
    /// All is sent: what has come meanwhile is read, within a bound, and then it is closed.
    Discarding { left: usize },
    /// The peer does not read, or sends too much: it is closed at once.
    Cut,
    /// The broker has been told.
    Ended,
}

impl Connection {
    /// Enters the connection.
    ///
    /// # Errors
    /// Why it cannot be let in, with the socket.
    pub(super) fn open(
        shared: Arc<Shared>,
        decoder: Decoder,
        stream: Stream,
        peer: &str,
        identity: &Identity,
    ) -> Result<Self, (Refusal, Stream)> {
        let id = match input::with_tools(|tools| shared.open(tools, peer, true, identity)) {
            Ok(id) => id,
            Err(refusal) => return Err((refusal, stream)),
        };
        let (input, pending, phase) = (input::Input::default(), OutBuf::new(), Phase::Open);
        Ok(Self {
            shared,
            decoder,
            stream,
            id,
            input,
            pending,
            phase,
            more: false,
            owed: 0,
            held: 0,
            deaf: false,
        })
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whether the state has been asked for output, and our waker stands there, since the last wake-up.
        let mut asked = false;
        for _ in 0..READS {
            let blocked = self.flush(cx)?.is_pending();
            if self.phase == Phase::Cut {
                return Poll::Ready(Ok(()));
            }
            if let Phase::Discarding { left } = self.phase {
                return self.discard(cx, left);
            }
            let unread = self.pending.len() + self.owed;
            let may_read = self.phase == Phase::Open && unread < self.shared.bounds.get().max_output / 2;
            if may_read && let Poll::Ready(seen) = self.read(cx)? {
                // Half a packet makes no turn: what others have sent meanwhile is then still to be asked for.
                asked |= seen;
                continue;
            }
            if !asked || (self.more && !blocked) {
                asked = true;
                self.collect(cx);
                continue;
            }
            if blocked || self.phase == Phase::Open || self.owed > 0 {
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
        let Self { shared, decoder, stream, id, input, pending, phase, more, owed, .. } = self;
        let waker = cx.waker();
        let mut turn = |tools: &mut Tools, batch: &Batch<'_>| {
            asked = true;
            shared.turn(tools, Some(*id), |turn| {
                for frame in batch {
                    turn.input(Input::Received { conn: *id, frame });
                }
                (*more, *owed) = take(turn.state, *id, pending, phase, waker);
            });
        };
        let got = ready!(input.poll(stream, decoder, cx, &mut turn))?;
        self.shared.bytes_in.fetch_add(self.input.take_read(), Relaxed);
        match got {
            Got::Something => self.count_input(cx),
            Got::End => {
                self.phase = Phase::Closing;
                if self.owed > 0 {
                    // It may be long until the store lets it have what it waits for.
                    let conn = self.id;
                    input::with_tools(|tools| {
                        self.shared.turn(tools, Some(conn), |turn| turn.input(Input::Ended { conn }));
                    });
                }
            }
            Got::Nonsense(error) => {
                self.refuse(error, cx);
                asked = true;
            }
        }
        Poll::Ready(Ok(asked))
    }

    /// Counts what is held of an unfinished packet. The last one to want more than all may hold has to go.
    fn count_input(&mut self, cx: &mut Context<'_>) {
        let held = self.input.held();
        if held == self.held {
            return;
        }
        let (input, limit) = (&self.shared.input, self.shared.bounds.get().max_input);
        let before = input.fetch_add(held, Relaxed);
        input.fetch_sub(self.held, Relaxed);
        let grown = held > self.held;
        self.held = held;
        if grown && before > limit {
            let text = format!(
                "The limit of {limit} bytes (max_input) for unfinished packets of all peers is reached"
            );
            let slot = self.id.slot();
            self.shared.report(Kind::Input, || format!("connection {slot} is closed: {text}"));
            self.say_and_close(LastWord::Error(ErrorKind::DataTooLarge, text), cx);
        }
    }

    /// Ends a connection whose bytes are not the protocol. Who exceeds a limit is told which; other nonsense gets no answer, as from
    /// gearmand: whoever sends it does not read Gearman either.
    fn refuse(&mut self, error: DecodeError, cx: &mut Context<'_>) {
        let slot = self.id.slot();
        if error == DecodeError::Tls {
            let advice = "turn it off in that client or worker, or turn --ssl on here";
            self.shared.report(Kind::SpeaksTls, || format!("connection {slot} is closed: {error}; {advice}"));
        } else {
            tracing::info!(target: "lineshaft::net", "connection {slot} is closed: {error}");
        }
        let last_word = match error {
            DecodeError::PacketTooLarge { .. } | DecodeError::ArgumentTooLarge { .. } => {
                LastWord::Error(ErrorKind::ArgumentTooLarge, error.to_string())
            }
            DecodeError::LineTooLong { limit } => {
                LastWord::Line(format!("ERR LINE_TOO_LONG The+limit+(max_line)+is+{limit}+bytes\r\n"))
            }
            _ => LastWord::Nothing,
        };
        self.say_and_close(last_word, cx);
    }

    fn say_and_close(&mut self, last_word: LastWord, cx: &mut Context<'_>) {
        let (shared, id) = (self.shared.clone(), self.id);
        input::with_tools(|tools| {
            shared.turn(tools, Some(id), |turn| {
                match &last_word {
                    LastWord::Nothing => {}
                    LastWord::Line(line) => turn.send(id, &Response::Text(line.as_bytes())),
                    LastWord::Error(kind, text) => turn.send(id, &Response::error(*kind, text)),
                }
                turn.close(id);
                (self.more, self.owed) = take(turn.state, id, &mut self.pending, &mut self.phase, cx.waker());
            });
        });
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    /// Takes what others have had for us, or leaves our waker.
    fn collect(&mut self, cx: &mut Context<'_>) {
        let mut state = self.shared.state.lock();
        (self.more, self.owed) = take(&mut state, self.id, &mut self.pending, &mut self.phase, cx.waker());
    }

    /// Sends what is pending; pending where the peer does not take it. What a peer that has gone does not take is dropped.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            if self.deaf {
                self.pending = OutBuf::new();
                break;
            }
            let stream = Pin::new(&mut self.stream);
            let sent = match self.pending.contiguous() {
                Some(bytes) => ready!(stream.poll_write(cx, bytes)),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let filled = self.pending.slices(&mut slices);
                    ready!(stream.poll_write_vectored(cx, &slices[..filled]))
                }
            };
            match sent {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(sent) => {
                    self.shared.bytes_out.fetch_add(sent as u64, Relaxed);
                    self.pending.advance(sent);
                }
                Err(error) if is_gone(&error) => self.deaf = true,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if !self.deaf {
            match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
                Ok(()) => {}
                Err(error) if is_gone(&error) => self.deaf = true,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if !self.pending.is_bare() {
            let memory = std::mem::take(&mut self.pending).into_memory();
            input::with_tools(|tools| tools.recycle(memory));
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and forgets what is there, up to a bound.
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
            self.shared.input.fetch_sub(std::mem::take(&mut self.held), Relaxed);
            input::with_tools(|tools| self.shared.close(tools, self.id));
        }
    }
}

/// The peer has closed its socket: reading comes to an end as well, behind all that it has sent.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Moves the connection's output to `pending`, once that is empty: a peer that does not read has at most two bounded buffers.
/// True where there is a reason to come again once that has been sent; and how many bytes wait for the store.
fn take(
    state: &mut State,
    id: ConnId,
    pending: &mut OutBuf,
    phase: &mut Phase,
    waker: &Waker,
) -> (bool, usize) {
    if pending.is_empty() {
        *pending = state.take_output(id);
    }
    let stopped = state.stopped;
    let Some(conn) = state.conn(id) else { return (false, 0) };
    if conn.cut {
        *phase = Phase::Cut;
    } else if (conn.closing || stopped) && conn.out.is_empty() && *phase == Phase::Open {
        *phase = Phase::Closing;
    }
    if conn.waker.is_none() {
        conn.waker = Some(waker.clone());
    }
    (conn.is_unsettled(), conn.held.len())
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.advance(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => {
                if let Err(error) = outcome {
                    tracing::debug!(target: "lineshaft::net", "connection {}: {error}", this.id.slot());
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
