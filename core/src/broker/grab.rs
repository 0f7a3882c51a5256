//! What workers ask for: abilities, jobs, sleep.

use std::time::Duration;

use super::{Broker, Outbox, Right};
use crate::error::ErrorKind;
use crate::protocol::{Assign, Grab, Response};
use crate::queue::{Order, Sleep};
use crate::types::ConnId;

/// The least time a CAN_DO_TIMEOUT gives, as in gearmand: smaller numbers come from callers who think in seconds.
const MIN_TIMEOUT: u64 = 1000;

impl Broker {
    pub(super) fn can_do(&mut self, conn: ConnId, function: &[u8], timeout: u64, out: &mut dyn Outbox) {
        let found = self
            .permit(conn, Right::Work, Some(function))
            .and_then(|()| self.function(function))
            .and_then(|id| self.check_abilities(conn, id).map(|()| id));
        match found {
            Ok(id) => self.queue.peers.register(&mut self.queue.functions, conn.slot, id, timeout),
            Err((kind, text)) => self.error(conn, kind, &text, out),
        }
    }

    fn check_abilities(&self, conn: ConnId, function: u32) -> Result<(), (ErrorKind, String)> {
        let limit = self.config.max_abilities;
        if self.queue.peers.abilities_len() < limit || self.queue.peers.can_do(conn.slot, function) {
            return Ok(());
        }
        let text = format!("The limit of {limit} abilities (max_abilities) has been reached");
        Err((ErrorKind::QueueError, text))
    }

    pub(super) fn cant_do(&mut self, conn: ConnId, function: &[u8], out: &mut dyn Outbox) {
        if let Some(id) = self.queue.functions.find(function) {
            self.give_up(conn, id, out);
        }
    }

    pub(super) fn reset_abilities(&mut self, conn: ConnId, out: &mut dyn Outbox) {
        self.unregister_all(conn.slot);
        self.give_back_all(conn.slot, out);
        if let Sleep::Woken(function) = self.queue.peers.get(conn.slot).sleep {
            self.wake_instead(function, out);
        }
    }

    pub(super) fn unregister_all(&mut self, slot: u32) {
        for function in self.queue.peers.functions_of(slot) {
            self.queue.peers.unregister(&mut self.queue.functions, slot, function, self.now.mono);
        }
    }

    /// All jobs that a connection holds go back to the queue, the newest first.
    pub(super) fn give_back_all(&mut self, slot: u32, out: &mut dyn Outbox) {
        for job in self.queue.held(slot).collect::<Vec<_>>() {
            self.give_back(job, out);
        }
    }

    /// Ends a registration; the jobs of that function that the connection holds go back to the queue.
    pub(super) fn give_up(&mut self, conn: ConnId, function: u32, out: &mut dyn Outbox) {
        if !self.queue.peers.unregister(&mut self.queue.functions, conn.slot, function, self.now.mono) {
            return;
        }
        let held = self.queue.held(conn.slot).filter(|job| self.queue.job(*job).function == function);
        for job in held.collect::<Vec<_>>() {
            self.give_back(job, out);
        }
        if self.queue.peers.get(conn.slot).sleep == Sleep::Woken(function) {
            self.wake_instead(function, out);
        }
    }

    pub(super) fn grab(&mut self, conn: ConnId, kind: Grab, out: &mut dyn Outbox) {
        let connection = self.connections.get_mut(conn);
        (connection.grab, connection.active) = (kind, self.now.mono);
        let worker = self.queue.peers.get_mut(conn.slot);
        let sleep = std::mem::replace(&mut worker.sleep, Sleep::Awake);
        let served = self.serve(conn, out);
        if served.is_none() {
            out.send(conn, &Response::NoJob);
        }
        self.hand_on(sleep, served, out);
    }

    pub(super) fn pre_sleep(&mut self, conn: ConnId, out: &mut dyn Outbox) {
        let worker = self.queue.peers.get_mut(conn.slot);
        let sleep = std::mem::replace(&mut worker.sleep, Sleep::Awake);
        let served = if self.connections.at(conn.slot).all_yours {
            self.serve(conn, out)
        } else {
            let function = self.choose(conn).map(|job| self.queue.job(job).function);
            if let Some(function) = function {
                self.send_noop(conn.slot, function, out);
            }
            function
        };
        if served.is_none() {
            self.queue.peers.fall_asleep(&mut self.queue.functions, conn.slot);
        }
        self.hand_on(sleep, served, out);
    }

    /// A worker that was in the state `sleep` has turned to `function`, or to nothing: where it had been woken for another
    /// function, somebody else is woken for that.
    fn hand_on(&mut self, sleep: Sleep, function: Option<u32>, out: &mut dyn Outbox) {
        if let Sleep::Woken(woken_for) = sleep
            && function != Some(woken_for)
        {
            self.wake_instead(woken_for, out);
        }
    }

    /// The job that the worker is to get next.
    fn choose(&self, conn: ConnId) -> Option<u32> {
        if self.draining {
            return None;
        }
        self.queue.choose(conn.slot, self.order)
    }

    /// Hands the next job to the worker, where there is one; answers its function.
    pub(super) fn serve(&mut self, conn: ConnId, out: &mut dyn Outbox) -> Option<u32> {
        let job = self.choose(conn)?;
        let function = self.queue.job(job).function;
        let deadline = match self.queue.peers.timeout(conn.slot, function) {
            0 => None,
            // Far enough away to be never, and still a number of time that can be added.
            millis => Some(self.now.mono + Duration::from_millis(millis.clamp(MIN_TIMEOUT, u64::MAX >> 24))),
        };
        self.queue.start(job, conn.slot, self.now.mono, deadline);
        self.stats.assigned += 1;
        if matches!(self.order, Order::Global | Order::ByFunction { round_robin: true }) {
            let priority = self.queue.job(job).priority;
            self.queue.peers.rotate(conn.slot, function);
            self.queue.functions.rotate(function, priority);
        }
        let handle = self.handle_of(job);
        let job = self.queue.job(job);
        let reducer = job.reducer();
        let kind = match (self.connections.at(conn.slot).grab, reducer) {
            // "GRAB_JOB_ALL -> JOB_ASSIGN_UNIQ" for a job without reducer: libgearman's workers count on it.
            (Grab::All, None) => Grab::Uniq,
            (kind, _) => kind,
        };
        let assign = Assign {
            kind,
            handle: handle.as_bytes(),
            function: &self.queue.functions.get(function).name,
            unique: job.unique(),
            reducer: reducer.unwrap_or_default(),
            workload: job.workload(),
        };
        out.send(conn, &Response::Assign(assign));
        Some(function)
    }
}
