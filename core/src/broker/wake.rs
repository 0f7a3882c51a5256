//! Waking: a job that becomes ready wakes one sleeping worker. Where that one does not come for it within the grace, the next
//! ones are woken, one, two, four ... at a time.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Broker, Outbox};
use crate::protocol::Response;
use crate::queue::{Sleep, Wake};
use crate::types::Priority;

/// When to look again at which function.
#[derive(Debug, Default)]
pub(super) struct Waking {
    /// The grace is the same for all, so the times stand in order.
    looks: VecDeque<(Duration, u32)>,
}

impl Waking {
    pub(super) fn next(&self) -> Option<Duration> {
        self.looks.front().map(|(at, _)| *at)
    }
}

impl Broker {
    /// A job of `function` has become ready to run.
    pub(super) fn wake(&mut self, function: u32, out: &mut dyn Outbox) {
        match self.config.worker_wakeup {
            Some(0) => drop(self.wake_some(function, u32::MAX, out)),
            Some(count) => drop(self.wake_some(function, count, out)),
            None => {
                if self.wake_some(function, 1, out) && self.queue.functions.get(function).wake.at.is_none() {
                    self.look_again(function, 1);
                }
            }
        }
    }

    /// The worker that was woken for `function` took something else, or went: another one is to come in its place.
    pub(super) fn wake_instead(&mut self, function: u32, out: &mut dyn Outbox) {
        if self.queue.functions.is_ready(function) {
            self.wake(function, out);
        }
    }

    /// Looks at the functions whose grace has passed.
    pub(super) fn wake_more(&mut self, out: &mut dyn Outbox) {
        while let Some((at, function)) = self.waking.looks.front().copied()
            && at <= self.now.mono
        {
            self.waking.looks.pop_front();
            let Some(wake) = self.queue.functions.wake_of(function) else { continue };
            if wake.at != Some(at) {
                continue;
            }
            self.queue.functions.get_mut(function).wake = Wake::default();
            let Some(first) = self.first_ready(function) else { continue };
            // Jobs that move show workers that come; one more of them is enough.
            let count = if first == wake.first { wake.next } else { 1 };
            if self.wake_some(function, count, out) {
                self.look_again(function, count.saturating_mul(2));
            }
        }
    }

    /// Looks at `function` again after the grace, unless nobody sleeps on it: who goes to sleep while a job is ready is told so
    /// at once.
    fn look_again(&mut self, function: u32, next: u32) {
        let Some(first) = self.first_ready(function) else { return };
        if self.queue.functions.get(function).sleepers.is_empty() {
            return;
        }
        let at = self.now.mono.saturating_add(self.config.wake_grace);
        self.queue.functions.get_mut(function).wake = Wake { at: Some(at), first, next };
        self.waking.looks.push_back((at, function));
    }

    /// Nobody waits for longer than the grace, which may have been longer until now.
    pub(super) fn hurry(&mut self) {
        let latest = self.now.mono.saturating_add(self.config.wake_grace);
        for (at, function) in &mut self.waking.looks {
            if *at <= latest {
                continue;
            }
            if let Some(wake) = self.queue.functions.wake_of(*function).filter(|wake| wake.at == Some(*at)) {
                self.queue.functions.get_mut(*function).wake = Wake { at: Some(latest), ..wake };
            }
            *at = latest;
        }
    }

    /// The number of the job of `function` that is first in line.
    fn first_ready(&self, function: u32) -> Option<u64> {
        let first = Priority::ALL.into_iter().find_map(|priority| self.queue.first(function, priority));
        first.map(|job| self.queue.job(job).number)
    }

    /// Wakes up to `count` of the workers that have slept longest; false where nobody slept. Whoever is handed another function's
    /// job instead does not count.
    fn wake_some(&mut self, function: u32, count: u32, out: &mut dyn Outbox) -> bool {
        if self.draining {
            return false;
        }
        let mut woken = 0;
        // A push may have taken the last job: nobody is woken for nothing.
        while woken < count && self.queue.functions.is_ready(function) {
            let Some(slot) = self.queue.peers.pop_sleeper(&mut self.queue.functions, function) else { break };
            let connection = self.connections.at(slot);
            if !connection.all_yours {
                self.send_noop(slot, function, out);
                woken += 1;
                continue;
            }
            let conn = connection.id;
            self.queue.peers.get_mut(slot).sleep = Sleep::Awake;
            match self.serve(conn, out) {
                Some(served) if served == function => woken += 1,
                // What it took is first in its own order; the job that it was to be woken for is still there.
                Some(_) => {}
                // Somebody was faster, and there is nothing left: it sleeps on.
                None => {
                    self.queue.peers.fall_asleep(&mut self.queue.functions, slot);
                    break;
                }
            }
        }
        woken > 0
    }

    pub(super) fn send_noop(&mut self, slot: u32, function: u32, out: &mut dyn Outbox) {
        self.queue.peers.get_mut(slot).sleep = Sleep::Woken(function);
        self.stats.noops += 1;
        let connection = self.connections.at_mut(slot);
        connection.woken = Some(self.now.mono);
        out.send(connection.id, &Response::Noop);
    }
}
