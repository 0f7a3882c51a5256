//! Connections: what is known of a peer, and what happens when it goes.

use std::time::Duration;

use super::{Broker, Outbox, Response};
use crate::error::ErrorKind;
use crate::protocol::Grab;
use crate::queue::Sleep;
use crate::types::{ConnId, Identity};

/// Bytes of an identifier that are kept, as in gearmand.
const MAX_IDENTIFIER: usize = 127;

/// What is known of a peer.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) peer: Box<str>,
    pub(super) identity: Identity,
    /// What SET_CLIENT_ID said; `None` before.
    pub(super) identifier: Option<Box<[u8]>>,
    /// Exceptions arrive as such.
    pub(super) exceptions: bool,
    /// Jobs may be pushed to it.
    pub(super) all_yours: bool,
    /// When it was last sent a NOOP, in monotonic time; `None` before.
    pub(super) woken: Option<Duration>,
    /// When it last asked for a job or ended one, or came, in monotonic time.
    pub(super) active: Duration,
    /// How it last asked for a job, which is how jobs are pushed to it.
    pub(super) grab: Grab,
    /// The job it ended last by an exception: some workers send a WORK_FAIL behind it.
    pub(super) excepted: u64,
}

impl Connection {
    pub(super) fn set_identifier(&mut self, id: &[u8]) {
        self.identifier = Some(id[..id.len().min(MAX_IDENTIFIER)].into());
    }
}

/// All connections, by slot.
#[derive(Debug, Default)]
pub(super) struct Connections {
    by_slot: Vec<Option<Connection>>,
}

impl Connections {
    fn open(&mut self, connection: Connection) {
        let slot = connection.id.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, || None);
        }
        self.by_slot[slot] = Some(connection);
    }

    pub(super) fn is_open(&self, conn: ConnId) -> bool {
        matches!(self.by_slot.get(conn.slot as usize), Some(Some(open)) if open.id == conn)
    }

    /// The connection in a slot that the queue has named: such a slot is in use.
    pub(super) fn at(&self, slot: u32) -> &Connection {
        self.by_slot[slot as usize].as_ref().expect("the queue forgets connections when they end")
    }

    /// As [`Connections::at`].
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut Connection {
        self.by_slot[slot as usize].as_mut().expect("the queue forgets connections when they end")
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> &mut Connection {
        self.by_slot[conn.slot as usize].as_mut().expect("inputs of closed connections are not handled")
    }

    /// The slots from `from` on, empty ones included.
    pub(super) fn slots_from(&self, from: u32) -> impl Iterator<Item = (u32, Option<&Connection>)> {
        let slots = self.by_slot.iter().enumerate().skip(from as usize);
        slots.map(|(slot, connection)| (slot as u32, connection.as_ref()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.by_slot.iter().flatten()
    }
}

impl Broker {
    pub(super) fn opened(&mut self, conn: ConnId, peer: &str) {
        self.stats.connections += 1;
        let exceptions = self.config.exceptions;
        let (identifier, all_yours, woken, grab, excepted) = (None, false, None, Grab::Job, 0);
        let (peer, identity) = (peer.into(), Identity::Anonymous);
        self.connections.open(Connection {
            id: conn,
            peer,
            identity,
            identifier,
            exceptions,
            all_yours,
            woken,
            active: self.now.mono,
            grab,
            excepted,
        });
        self.queue.peers.open(conn.slot);
    }

    pub(super) fn closed(&mut self, conn: ConnId, out: &mut dyn Outbox) {
        if !self.connections.is_open(conn) {
            return;
        }
        // First it can no longer be chosen for anything, then its jobs look for somebody else.
        let sleep = self.queue.peers.get(conn.slot).sleep;
        self.queue.peers.get_mut(conn.slot).sleep = Sleep::Awake;
        self.unregister_all(conn.slot);
        while let Some(job) = self.queue.stop_listening(conn.slot) {
            if self.queue.is_abandoned(job) && self.queue.holder(job).is_none() {
                self.stats.abandoned += 1;
                self.queue.counters_of(job).abandoned += 1;
                self.forget(job);
            }
        }
        self.give_back_all(conn.slot, out);
        if let Sleep::Woken(function) = sleep {
            self.wake_instead(function, out);
        }
        self.queue.peers.close(conn.slot);
        self.connections.by_slot[conn.slot as usize] = None;
    }

    /// The peer sends no more, so that it does no jobs either; what it waits for is still sent to it.
    pub(super) fn ended(&mut self, conn: ConnId, out: &mut dyn Outbox) {
        if !self.connections.is_open(conn) {
            return;
        }
        let sleep = std::mem::replace(&mut self.queue.peers.get_mut(conn.slot).sleep, Sleep::Awake);
        self.unregister_all(conn.slot);
        self.give_back_all(conn.slot, out);
        if let Sleep::Woken(function) = sleep {
            self.wake_instead(function, out);
        }
    }

    pub(super) fn set_option(&mut self, conn: ConnId, name: &[u8], out: &mut dyn Outbox) {
        // "compared without regard to case, a trailing NUL (and anything behind it) ignored"
        let known = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if known.eq_ignore_ascii_case(b"exceptions") {
            self.connections.get_mut(conn).exceptions = true;
            out.send(conn, &Response::OptionSet { name });
        } else {
            self.error(conn, ErrorKind::UnknownOption, "Server does not recognize given option", out);
        }
    }
}
