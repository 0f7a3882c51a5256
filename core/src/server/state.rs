//! What stands behind the one lock: the broker and, for each connection, what is to be sent to it.

mod turn;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::task::Waker;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::bounds::Bounds;
use super::clock::Clock;
use super::farewell::Farewells;
use super::journal::{Held, Journal};
use super::log::{Kind, LogLine, Repeats};
use crate::broker::{Broker, Input, Now};
use crate::protocol::{Decoder, OutBuf};
use crate::types::{ConnId, Identity, LogLevels};

pub(super) use turn::Turn;

/// The broker and the out-buffers, with what only the lock's holder may touch.
#[derive(Debug)]
pub(super) struct State {
    pub(super) broker: Broker,
    /// What goes to the store; `None` where there is none.
    pub(super) journal: Option<Journal>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    open: usize,
    sockets: usize,
    /// Bytes that slow readers have not taken yet.
    backlog: usize,
    /// Lines that have been written of late.
    repeats: Repeats,
    /// What somebody waits for, to be told through [`Shared::reached`].
    pub(super) goal: Option<Goal>,
    /// When the clock's task will tick.
    pub(super) armed: Option<Duration>,
    /// Nobody new is let in.
    pub(super) not_listening: bool,
    /// Jobs are not waited for.
    pub(super) hurried: bool,
    /// Everything is being closed.
    pub(super) stopped: bool,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are so many already, `max_connections`.
    Full(usize),
    /// The server ends.
    Ending,
}

/// A state of the server that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// No worker has a job.
    NothingRuns,
    /// There is no job at all.
    NoJobs,
    /// No socket is open.
    NoSockets,
}

impl Goal {
    pub(super) fn is_reached(self, state: &State) -> bool {
        match self {
            Self::NothingRuns => state.broker.running() == 0,
            Self::NoJobs => state.broker.jobs() == 0,
            Self::NoSockets => state.sockets == 0,
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    conn: Option<Conn>,
}

/// The shell's side of a connection.
#[derive(Debug, Default)]
pub(super) struct Conn {
    /// What the broker has said since the connection's task last looked.
    pub(super) out: OutBuf,
    /// Wakes the connection's task; taken by the first who has something for it.
    pub(super) waker: Option<Waker>,
    /// What waits for the store, and all that has been said since.
    pub(super) held: Held,
    /// To be closed once everything has been sent.
    pub(super) closing: bool,
    /// To be closed at once: the peer does not read.
    pub(super) cut: bool,
    /// It has a socket.
    socket: bool,
    /// Bytes that its task has taken, where they were many.
    taken: usize,
    /// Its part of [`State::backlog`].
    backlog: usize,
}

/// Unread bytes of one connection from which on they count as backlog.
const SLOW: usize = 256 << 10;

impl Conn {
    /// More is to be sent than has been taken, or what has been taken counts as backlog until all is sent.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.out.is_empty() || self.taken > 0
    }

    /// Counts what is unread, after that has changed.
    fn count(&mut self, backlog: &mut usize) {
        let unread = self.out.len() + self.taken + self.held.len();
        let counted = if unread > SLOW { unread } else { 0 };
        *backlog = *backlog - self.backlog + counted;
        self.backlog = counted;
    }
}

/// What a thread uses from turn to turn, so that nothing is allocated under the lock.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// Tasks to be woken after the lock is released.
    wakers: Vec<Waker>,
    /// Memory for out-buffers.
    memory: Vec<Vec<u8>>,
    lines: Vec<LogLine>,
    /// The levels of the log have changed.
    levels: bool,
}

impl Tools {
    /// How many out-buffers' memory a thread keeps, and of which size at most, in bytes.
    const KEPT: usize = 64;
    const KEPT_BYTES: usize = 256 << 10;

    /// Takes back the memory of an out-buffer that has been sent.
    pub(super) fn recycle(&mut self, memory: Vec<u8>) {
        if self.memory.len() < Self::KEPT && (1..=Self::KEPT_BYTES).contains(&memory.capacity()) {
            self.memory.push(memory);
        }
    }
}

/// What connections of all kinds share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) clock: Clock,
    /// Told when the next tick is due earlier than the clock's task knows.
    pub(super) rearm: tokio::sync::Notify,
    /// Told when the goal of somebody who waits has been reached.
    pub(super) reached: Condvar,
    /// Told when there is something for the store.
    pub(super) stirred: Condvar,
    pub(super) bounds: Bounds,
    /// For connections that come from now on.
    pub(super) decoder: Mutex<Decoder>,
    /// Bytes of unfinished packets, of all peers.
    pub(super) input: AtomicUsize,
    /// Bytes that have come from the sockets of peers, and gone to them.
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    /// Peers that are not let in.
    pub(super) farewells: Farewells,
    /// Whom to tell when the levels of the log change.
    pub(super) listener: Option<Mutex<LogListener>>,
}

/// What is told the levels of the log: [`Builder::on_log_levels`](super::Builder::on_log_levels).
pub(super) struct LogListener(pub(super) Box<dyn Fn(LogLevels) + Send>);

impl fmt::Debug for LogListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogListener")
    }
}

/// After so many turns at the latest an I/O thread tells the store's thread that there is something.
const ROUND: u32 = 64;

thread_local! {
    /// Turns since there has been something to tell the store's thread; 0 where there is nothing, `None` on threads that tell it
    /// at once.
    static HELD_BACK: Cell<Option<u32>> = const { Cell::new(None) };
}

/// From here on this thread tells the store's thread at the end of its rounds.
pub(super) fn hold_back() {
    HELD_BACK.set(Some(0));
}

impl State {
    pub(super) fn new(broker: Broker, journal: Option<Journal>) -> Self {
        Self {
            broker,
            journal,
            slots: Vec::new(),
            free: Vec::new(),
            open: 0,
            sockets: 0,
            backlog: 0,
            repeats: Repeats::default(),
            goal: None,
            armed: None,
            not_listening: false,
            hurried: false,
            stopped: false,
        }
    }

    pub(super) fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.conn.as_mut().filter(|_| slot.generation == id.generation)
    }

    pub(super) const fn connections(&self) -> usize {
        self.open
    }

    pub(super) const fn backlog(&self) -> usize {
        self.backlog
    }

    fn add(&mut self, socket: bool) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        self.open += 1;
        self.sockets += usize::from(socket);
        let place = &mut self.slots[slot as usize];
        place.generation = place.generation.wrapping_add(1);
        place.conn = Some(Conn { socket, ..Conn::default() });
        ConnId::new(slot, place.generation)
    }

    /// Takes what is to be sent to a connection whose task has sent everything that it took before.
    pub(super) fn take_output(&mut self, id: ConnId) -> OutBuf {
        let Some(conn) = self.slots.get_mut(id.slot as usize).and_then(|slot| slot.conn.as_mut()) else {
            return OutBuf::new();
        };
        let output = std::mem::take(&mut conn.out);
        if output.len() > SLOW || conn.backlog > 0 {
            conn.taken = output.len();
            conn.count(&mut self.backlog);
        }
        output
    }

    fn remove(&mut self, id: ConnId) {
        if let Some(conn) = self.conn(id) {
            let (socket, backlog) = (conn.socket, conn.backlog);
            self.sockets -= usize::from(socket);
            self.backlog -= backlog;
            self.slots[id.slot as usize].conn = None;
            self.free.push(id.slot);
            self.open -= 1;
        }
    }

    /// When the next tick is due.
    pub(super) fn next_wakeup(&self) -> Option<Duration> {
        [self.broker.next_wakeup(), self.repeats.next()].into_iter().flatten().min()
    }

    /// Wakes every connection: the server stops.
    pub(super) fn wake_all(&mut self) -> Vec<Waker> {
        self.slots.iter_mut().filter_map(|slot| slot.conn.as_mut()?.waker.take()).collect()
    }
}

impl Shared {
    /// One turn: takes the lock, lets `apply` feed the broker, releases the lock, and only then wakes and logs. `me` is the
    /// connection on whose behalf it happens: its task looks at its out-buffer by itself.
    pub(super) fn turn<R>(
        &self,
        tools: &mut Tools,
        me: Option<ConnId>,
        apply: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> R {
        self.turn_at(self.clock.coarse(), tools, me, apply)
    }

    /// A turn at a time that the caller has read.
    pub(super) fn turn_at<R>(
        &self,
        now: Now,
        tools: &mut Tools,
        me: Option<ConnId>,
        apply: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> R {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let mut turn = Turn { state, tools, me, now, bounds: &self.bounds, settling: false };
        let result = apply(&mut turn);
        let due = state.next_wakeup();
        let earlier = due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed));
        if earlier {
            state.armed = due;
        }
        if state.goal.is_some_and(|goal| goal.is_reached(state)) {
            state.goal = None;
            self.reached.notify_all();
        }
        let stirred = state.journal.as_mut().is_some_and(Journal::rouse);
        drop(guard);
        self.stir(stirred);
        if earlier {
            self.rearm.notify_one();
        }
        for waker in tools.wakers.drain(..) {
            waker.wake();
        }
        for line in tools.lines.drain(..) {
            line.write();
        }
        if std::mem::take(&mut tools.levels) {
            self.tell_levels();
        }
        result
    }

    /// Writes a line that may come again and again.
    pub(super) fn report(&self, kind: Kind, text: impl FnOnce() -> String) {
        self.turn(&mut Tools::default(), None, |turn| {
            let line = turn.state.repeats.line(turn.now.mono, kind, text);
            turn.tools.lines.extend(line);
        });
    }

    /// Tells the levels as they are by now: who changes them at the same time as somebody else does not bring them out of order.
    pub(super) fn tell_levels(&self) {
        if let Some(listener) = &self.listener {
            let listener = listener.lock();
            let levels = self.state.lock().broker.log_levels();
            (listener.0)(levels);
        }
    }

    /// Tells the store's thread, where that is `stirred`: an I/O thread does it at the end of a round of its tasks.
    fn stir(&self, stirred: bool) {
        let Some(turns) = HELD_BACK.get() else {
            if stirred {
                self.stirred.notify_one();
            }
            return;
        };
        if stirred || turns > 0 {
            HELD_BACK.set(Some(turns + 1));
            if turns + 1 == ROUND {
                self.end_round();
            }
        }
    }

    /// An I/O thread has dealt with all that had come.
    pub(super) fn end_round(&self) {
        if HELD_BACK.get().is_some_and(|turns| turns > 0) {
            HELD_BACK.set(Some(0));
            self.stirred.notify_one();
        }
    }

    /// Enters a new connection of `identity`, with a `socket` of its own or without.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn open(
        &self,
        tools: &mut Tools,
        peer: &str,
        socket: bool,
        identity: &Identity,
    ) -> Result<ConnId, Refusal> {
        let limit = self.bounds.get().max_connections;
        self.turn(tools, None, |turn| {
            if turn.state.not_listening || turn.state.stopped {
                return Err(Refusal::Ending);
            }
            if turn.state.open >= limit {
                return Err(Refusal::Full(limit));
            }
            let conn = turn.state.add(socket);
            turn.input(Input::Opened { conn, peer });
            if *identity != Identity::Anonymous {
                turn.input(Input::Identified { conn, identity });
            }
            Ok(conn)
        })
    }

    /// Forgets a connection that has ended.
    pub(super) fn close(&self, tools: &mut Tools, conn: ConnId) {
        self.turn(tools, Some(conn), |turn| {
            turn.input(Input::Closed { conn });
            turn.state.remove(conn);
        });
    }
}
