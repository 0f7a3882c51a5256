//! One look at the server, for all who watch.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::broker::report::FunctionReport;
use crate::broker::{Alarm, Alarms};
use crate::server::View;
use crate::server::report::Report;

/// Nobody gets a fresh look sooner than this after the last one.
pub(super) const FRESH: Duration = Duration::from_millis(900);
/// Looks further apart than this say little about how things go now.
const COMPARABLE: Duration = Duration::from_mins(1);

/// How the server stood.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) report: Report,
    /// In the order of their places.
    pub(super) functions: Vec<FunctionRow>,
    pub(super) alarms: Vec<Alarm>,
    /// Alarms that there was no room for.
    pub(super) more_alarms: usize,
    /// Of all functions together; `None` where there is no earlier look to compare with.
    pub(super) rates: Option<Rates>,
}

/// What is kept of a function from one look to the next.
#[derive(Debug)]
pub(super) struct FunctionRow {
    pub(super) place: u32,
    pub(super) name: Box<[u8]>,
    /// Jobs that can run, by priority.
    pub(super) queued: [u32; 3],
    pub(super) delayed: u32,
    pub(super) running: u32,
    pub(super) workers: u32,
    pub(super) oldest: Option<Duration>,
    counts: Counts,
    pub(super) rates: Option<Rates>,
}

/// What only grows.
#[derive(Clone, Copy, Debug)]
struct Counts {
    added: u64,
    done: u64,
    /// By their workers, or because they had been tried too often.
    failed: u64,
}

/// What happens a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) added: f64,
    pub(super) done: f64,
    pub(super) failed: f64,
}

impl Counts {
    fn rates(self, before: Self, seconds: f64) -> Rates {
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Rates {
            added: rate(self.added, before.added),
            done: rate(self.done, before.done),
            failed: rate(self.failed, before.failed),
        }
    }
}

impl FunctionRow {
    fn new(report: FunctionReport) -> Self {
        let counters = &report.counters;
        let counts = Counts { added: counters.added, done: counters.done, failed: counters.all_failed() };
        Self {
            counts,
            place: report.place,
            name: report.name,
            queued: report.queued,
            delayed: report.delayed,
            running: report.running,
            workers: report.workers,
            oldest: report.oldest,
            rates: None,
        }
    }

    /// Jobs that can run.
    pub(super) fn ready(&self) -> u64 {
        self.queued.iter().map(|count| u64::from(*count)).sum()
    }
}

impl Snapshot {
    fn take(view: &View, report: Report, before: Option<&Self>) -> Self {
        let mut alarms = Alarms::new(view.alarm_limits());
        alarms.store(&report.broker.store, report.broker.store_failing.as_deref());
        let functions: Vec<_> =
            view.functions(0, usize::MAX).items.into_iter().map(FunctionRow::new).collect();
        for row in &functions {
            alarms.function(&row.name, row.ready(), row.workers.into(), row.oldest);
        }
        view.woken(&mut |address, id, since| alarms.woken(address, id, since));
        let (alarms, more_alarms) = alarms.list();
        let mut snapshot = Self { report, functions, alarms, more_alarms, rates: None };
        if let Some(before) = before {
            snapshot.compare(before);
        }
        snapshot
    }

    fn compare(&mut self, before: &Self) {
        let apart = self.report.uptime.saturating_sub(before.report.uptime);
        if apart.is_zero() || apart > COMPARABLE {
            return;
        }
        let seconds = apart.as_secs_f64();
        self.rates = Some(self.counts().rates(before.counts(), seconds));
        // Both stand in the order of their places, which a dropped function leaves to another one.
        let mut earlier = before.functions.iter().peekable();
        for row in &mut self.functions {
            while earlier.next_if(|before| before.place < row.place).is_some() {}
            if let Some(before) = earlier.peek().filter(|it| it.place == row.place && it.name == row.name) {
                row.rates = Some(row.counts.rates(before.counts, seconds));
            }
        }
    }

    fn counts(&self) -> Counts {
        let stats = &self.report.broker.stats;
        Counts {
            added: stats.submitted,
            done: stats.completed,
            failed: stats.failed + stats.excepted + stats.dropped,
        }
    }

    /// How long the oldest of all jobs that can run has been able to.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.functions.iter().filter_map(|function| function.oldest).max()
    }
}

/// The last look. It is taken when somebody wants one, and again only when it is no longer fresh.
#[derive(Debug, Default)]
pub(super) struct Snapshots(Mutex<Option<Arc<Snapshot>>>);

impl Snapshots {
    /// A look that is fresh.
    pub(super) fn get(&self, view: &View) -> Arc<Snapshot> {
        let mut last = self.0.lock();
        let report = view.report();
        match &*last {
            Some(snapshot) if report.uptime.saturating_sub(snapshot.report.uptime) < FRESH => {
                snapshot.clone()
            }
            before => {
                let snapshot = Arc::new(Snapshot::take(view, report, before.as_deref()));
                *last = Some(snapshot.clone());
                snapshot
            }
        }
    }
}
