//! What a running server says of itself. The lock is taken for short parts, between which others are served.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::MutexGuard;

use super::state::{Shared, State};
use crate::broker::report::{
    ConnectionReport, FunctionReport, JobFilter, JobReport, ScheduleReport, Summary, Woken,
};
use crate::broker::{AlarmLimits, Explanation};
use crate::types::LogLevels;
#[cfg(feature = "http")]
use crate::{broker::Right, types::Identity};

/// Entries that are told under the lock at once.
const PART: usize = 128;
/// Entries that are only looked at under the lock at once.
const LOOKED_AT: usize = 4096;
/// Jobs that are looked at for one page of a list; what has not been found by then is found from the next page on.
const MAX_LOOKED_AT: usize = 1 << 20;
/// Registrations up to which idle and busy workers are counted for each function.
const MAX_COUNTED: usize = 200_000;

/// A server as a whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The broker.
    pub broker: Summary,
    /// Connections, those without a socket included.
    pub connections: usize,
    /// Bytes read from the sockets of peers; HTTP is not among them.
    pub bytes_in: u64,
    /// Bytes written to them.
    pub bytes_out: u64,
    /// Bytes that slow readers have not taken yet.
    pub backlog: usize,
    /// Time since the start.
    pub uptime: Duration,
    /// When it was started, since the Unix epoch.
    pub started: Duration,
    /// Nobody new is let in: the server is being stopped.
    pub stopping: bool,
}

impl Report {
    /// Why the server should not be sent work; `None` where it should.
    pub fn unready(&self) -> Option<String> {
        if self.stopping || self.broker.draining {
            return Some("the server is being stopped".into());
        }
        self.broker.store_failing.as_ref().map(|why| format!("the store fails: {why}"))
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; `None` where this is the last.
    pub next: Option<u64>,
}

/// Workers of a function by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// Those that hold no job, of whatever function.
    pub idle: u32,
    /// The others.
    pub busy: u32,
}

/// Looks at a running server, without hindering it. It does not keep the server from ending.
#[derive(Clone)]
pub struct View(Arc<Shared>);

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")
    }
}

impl View {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    #[cfg(feature = "http")]
    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The server as a whole.
    pub fn report(&self) -> Report {
        let (bytes_in, bytes_out) = (self.0.bytes_in.load(Relaxed), self.0.bytes_out.load(Relaxed));
        let uptime = self.0.clock.now().mono;
        let state = self.0.state.lock();
        Report {
            broker: state.broker.summary(),
            connections: state.connections(),
            backlog: state.backlog(),
            stopping: state.not_listening || state.stopped,
            bytes_in,
            bytes_out,
            uptime,
            started: self.0.clock.started,
        }
    }

    /// Calls `part` with the lock held, again and again with the place that it answers, until it answers none or `enough`.
    fn parts<P>(
        &self,
        from: P,
        mut part: impl FnMut(&State, P) -> Option<P>,
        mut enough: impl FnMut() -> bool,
    ) -> Option<P> {
        let mut from = from;
        loop {
            let state = self.0.state.lock();
            let next = part(&state, from);
            // Whoever waits comes first: this thread would take the lock again at once.
            MutexGuard::unlock_fair(state);
            from = next?;
            if enough() {
                return Some(from);
            }
        }
    }

    /// Functions from the place `from` on, at most `most`.
    pub fn functions(&self, from: u32, most: usize) -> Page<FunctionReport> {
        let mut items = Vec::with_capacity(most.min(PART));
        let now = self.0.clock.now();
        let mut left = most;
        let mut next = Some(from);
        while let Some(from) = next.filter(|_| left > 0) {
            let state = self.0.state.lock();
            next = state.broker.functions(from, left.min(PART), now, &mut |one| items.push(one));
            MutexGuard::unlock_fair(state);
            left = most - items.len();
        }
        Page { items, next: next.map(u64::from) }
    }

    /// One function; `None` where it is not known.
    pub fn function(&self, name: &[u8]) -> Option<FunctionReport> {
        let now = self.0.clock.now();
        self.0.state.lock().broker.function_named(name, now)
    }

    /// Idle and busy workers by the place of their function. `None` where there are more than 200,000 registrations to be counted.
    pub fn staff(&self) -> Option<HashMap<u32, Staff>> {
        let mut staff: HashMap<u32, Staff> = HashMap::new();
        let mut counted = 0;
        let mut count = |_, function, busy| {
            let one = staff.entry(function).or_default();
            *if busy { &mut one.busy } else { &mut one.idle } += 1;
        };
        let part = |state: &State, from| state.broker.registrations(from, LOOKED_AT, &mut count);
        let enough = || {
            counted += LOOKED_AT;
            counted >= MAX_COUNTED
        };
        self.parts(0, part, enough).is_none().then_some(staff)
    }

    /// Connections from the slot `from` on, about `most`; of each at most `details` abilities and jobs. With `workers` those that are
    /// registered for nothing are left out.
    pub fn connections(
        &self,
        from: u32,
        most: usize,
        details: usize,
        workers: bool,
    ) -> Page<ConnectionReport> {
        let now = self.0.clock.now();
        let items = std::cell::RefCell::new(Vec::new());
        let part = |state: &State, from| {
            let each = &mut |one| items.borrow_mut().push(one);
            // With many details fewer connections are told while everybody else waits.
            let part = (20 * PART / details.max(20)).max(1).min(most - items.borrow().len());
            state.broker.connections(from, part, details, workers, now, each)
        };
        let next = self.parts(from, part, || items.borrow().len() >= most);
        Page { items: items.into_inner(), next: next.map(u64::from) }
    }

    /// When something is an alarm.
    pub fn alarm_limits(&self) -> AlarmLimits {
        self.0.state.lock().broker.config().alarms
    }

    /// Workers that were woken and have not come for longer than [`AlarmLimits::wake`]: their address, what they call themselves, how
    /// long ago that was.
    pub fn woken(&self, each: Woken<'_>) {
        let now = self.0.clock.now();
        let longest = self.alarm_limits().wake;
        let part = |state: &State, from| state.broker.woken(from, LOOKED_AT, longest, now, &mut *each);
        self.parts(0, part, || false);
    }

    /// Jobs from the place `from` on that `filter` wants, at most `most`, in no order that means anything. A page may be empty
    /// though there is a next one: a million jobs are looked at for it at the most.
    pub fn jobs(&self, from: u32, most: usize, filter: JobFilter<'_>) -> Page<JobReport> {
        let now = self.0.clock.now();
        let items = std::cell::RefCell::new(Vec::new());
        let mut looked_at = 0;
        let part = |state: &State, from| {
            let mut told = 0;
            state.broker.jobs_from(from, LOOKED_AT, filter, now, &mut |one| {
                let mut items = items.borrow_mut();
                items.push(one);
                told += 1;
                told < PART && items.len() < most
            })
        };
        let next = self.parts(from, part, || {
            looked_at += LOOKED_AT;
            looked_at >= MAX_LOOKED_AT || items.borrow().len() >= most
        });
        Page { items: items.into_inner(), next: next.map(u64::from) }
    }

    /// One job; `None` where there is none of this handle.
    pub fn job(&self, handle: &[u8]) -> Option<JobReport> {
        let now = self.0.clock.now();
        self.0.state.lock().broker.job_named(handle, now)
    }

    /// The workload of a job; `None` where there is none of this handle.
    pub fn workload(&self, handle: &[u8]) -> Option<Bytes> {
        self.0.state.lock().broker.workload_of(handle)
    }

    #[cfg(feature = "http")]
    pub(super) fn permit(&self, identity: &Identity, right: Right, function: &[u8]) -> Result<(), String> {
        self.0.state.lock().broker.permit_to(identity, right, Some(function))
    }

    /// Up to which level lines are logged.
    pub fn log_levels(&self) -> LogLevels {
        self.0.state.lock().broker.log_levels()
    }

    /// Why the job with this handle, or the next job of the function of this name, does not run.
    pub fn explain(&self, word: &[u8]) -> Explanation {
        self.0.state.lock().broker.explain(word)
    }

    /// Schedules from the number `from` on, at most `most`.
    pub fn schedules(&self, from: u64, most: usize) -> Page<ScheduleReport> {
        let mut items = Vec::new();
        let mut next = Some(from);
        while let Some(from) = next.filter(|_| items.len() < most) {
            let part = PART.min(most - items.len());
            let state = self.0.state.lock();
            next = state.broker.schedules(from, part, &mut |one| items.push(one));
            MutexGuard::unlock_fair(state);
        }
        Page { items, next }
    }
}
