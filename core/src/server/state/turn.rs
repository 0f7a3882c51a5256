//! A turn: the lock held, inputs applied, and the broker's outputs put where they belong.

use std::task::Waker;
use std::time::Duration;

use super::{Conn, SLOW, Slot, State, Tools};
use crate::broker::{Broker, Event, Input, Now, Outbox};
use crate::protocol::{OutBuf, Response};
use crate::server::bounds::Bounds;
use crate::server::journal::{Held, Journal};
use crate::server::log::{self, Kind, Repeats};
use crate::store::Change;
use crate::types::ConnId;

/// The lock held, and everything that is needed to apply inputs.
#[derive(Debug)]
pub(in crate::server) struct Turn<'a> {
    pub(in crate::server) state: &'a mut State,
    pub(super) tools: &'a mut Tools,
    pub(super) me: Option<ConnId>,
    pub(super) now: Now,
    pub(super) bounds: &'a Bounds,
    /// What is sent has waited for the store: it is sent to connections that are being closed as well.
    pub(in crate::server) settling: bool,
}

impl Turn<'_> {
    pub(in crate::server) fn input(&mut self, input: Input<'_>) {
        let now = self.now;
        let (broker, mut delivery) = self.parts();
        broker.handle(now, input, &mut delivery);
    }

    fn parts(&mut self) -> (&mut Broker, Delivery<'_>) {
        let State { broker, journal, slots, backlog, repeats, .. } = &mut *self.state;
        let (tools, me, bounds, settling) = (&mut *self.tools, self.me, self.bounds, self.settling);
        let (journal, now) = (journal.as_mut(), self.now.mono);
        (broker, Delivery { journal, slots, backlog, repeats, now, tools, me, bounds, settling })
    }

    fn delivery(&mut self) -> Delivery<'_> {
        self.parts().1
    }

    /// Sends bytes that have waited.
    pub(in crate::server) fn append(&mut self, to: ConnId, bytes: &mut OutBuf) {
        let delivery = self.delivery();
        let Some(conn) = delivery.slots[to.slot as usize].conn.as_mut() else { return };
        conn.out.append(bytes);
        conn.count(delivery.backlog);
        Delivery::wake(conn, to, delivery.me, &mut delivery.tools.wakers);
    }

    /// Closes a connection once what was sent before has been written.
    pub(in crate::server) fn close(&mut self, to: ConnId) {
        self.delivery().close(to);
    }

    /// What is due: the broker's, and lines about lines that have been left out.
    pub(in crate::server) fn tick(&mut self) {
        self.input(Input::Tick);
        let lines = &mut self.tools.lines;
        self.state.repeats.count(self.now.mono, |line| lines.push(line));
        self.state.armed = self.state.next_wakeup();
    }

    /// Writes what has been left out: no more comes.
    pub(in crate::server) fn last_lines(&mut self) {
        let lines = &mut self.tools.lines;
        self.state.repeats.count(Duration::MAX, |line| lines.push(line));
    }

    /// Sends something that the broker knows nothing of.
    pub(in crate::server) fn send(&mut self, to: ConnId, response: &Response<'_>) {
        self.delivery().send(to, response);
    }
}

/// Puts the broker's outputs where they belong.
struct Delivery<'a> {
    journal: Option<&'a mut Journal>,
    slots: &'a mut Vec<Slot>,
    tools: &'a mut Tools,
    backlog: &'a mut usize,
    repeats: &'a mut Repeats,
    now: Duration,
    me: Option<ConnId>,
    bounds: &'a Bounds,
    settling: bool,
}

impl Delivery<'_> {
    fn wake(conn: &mut Conn, to: ConnId, me: Option<ConnId>, wakers: &mut Vec<Waker>) {
        if me != Some(to)
            && let Some(waker) = conn.waker.take()
        {
            wakers.push(waker);
        }
    }
}

impl Outbox for Delivery<'_> {
    fn send(&mut self, to: ConnId, response: &Response<'_>) {
        let Some(conn) = self.slots[to.slot as usize].conn.as_mut() else { return };
        if conn.closing && !self.settling {
            return;
        }
        // Large data stands apart from that memory: without the latter there may still be something to be sent.
        if conn.out.is_empty()
            && conn.out.is_bare()
            && let Some(memory) = self.tools.memory.pop()
        {
            conn.out = OutBuf::with_memory(memory);
        }
        let unread = conn.out.len() + conn.held.len();
        if conn.held.is_empty() {
            response.encode(&mut conn.out);
        } else {
            conn.held.send(response);
        }
        if unread > SLOW {
            let (limits, backlog) = (self.bounds.get(), *self.backlog);
            conn.count(self.backlog);
            let too_much = if unread > limits.max_output {
                Some(("max_output", limits.max_output))
            } else {
                (backlog > limits.max_backlog).then_some(("max_backlog", limits.max_backlog))
            };
            if let Some((name, limit)) = too_much {
                // What it has not read is not worth keeping.
                let text = || log::cut_off(to, name, limit);
                self.tools.lines.extend(self.repeats.line(self.now, Kind::CutOff(name), text));
                conn.out = OutBuf::new();
                conn.held = Held::default();
                conn.count(self.backlog);
                conn.closing = true;
                conn.cut = true;
            }
        }
        Self::wake(conn, to, self.me, &mut self.tools.wakers);
    }

    fn store(&mut self, change: Change<'_>) {
        if let Some(journal) = &mut self.journal {
            journal.store(&change);
        }
    }

    fn acknowledge(&mut self, to: ConnId, number: u64, response: &Response<'_>) {
        let conn = self.slots[to.slot as usize].conn.as_mut();
        let waits = match (&mut self.journal, conn) {
            (Some(journal), Some(conn)) => journal.owes(&mut conn.held, to, number),
            _ => false,
        };
        if !waits {
            self.send(to, response);
        }
    }

    fn confirm(&mut self, to: ConnId, response: &Response<'_>) {
        let conn = self.slots[to.slot as usize].conn.as_mut();
        if let (Some(journal), Some(conn)) = (&mut self.journal, conn) {
            // What is sent to a connection that holds something stands in line behind it.
            journal.confirms(&mut conn.held, to);
        }
        self.send(to, response);
    }

    fn close(&mut self, to: ConnId) {
        let Some(conn) = self.slots[to.slot as usize].conn.as_mut() else { return };
        conn.closing = true;
        Self::wake(conn, to, self.me, &mut self.tools.wakers);
    }

    fn event(&mut self, event: Event<'_>) {
        self.tools.levels |= matches!(event, Event::LogLevels(_));
        self.tools.lines.extend(log::line(event, self.now, self.repeats));
    }
}
