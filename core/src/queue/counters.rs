//! What has happened to the jobs of a function, and how long they took. Numbers only grow.

use std::time::Duration;

/// Monotonic time in steps of [`Tick::LENGTH`], in 32 bits because every queued job has one. It wraps: what is longer ago than
/// 198 days looks younger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tick(pub(super) u32);

impl Tick {
    /// About as fine as the coarse clocks that turns are given.
    pub(crate) const LENGTH: Duration = Duration::from_millis(4);

    pub(crate) const fn of(mono: Duration) -> Self {
        let per_second = 1000 / Self::LENGTH.as_millis() as u64;
        let nanos = Self::LENGTH.subsec_nanos();
        Self((mono.as_secs().wrapping_mul(per_second) + (mono.subsec_nanos() / nanos) as u64) as u32)
    }

    /// Ticks since `earlier`.
    const fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Time since `earlier`.
    pub(crate) fn age(self, earlier: Self) -> Duration {
        Self::LENGTH * self.since(earlier)
    }
}

/// The time of what happens, as the queue needs it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct At {
    /// The Unix second.
    pub(crate) wall: u64,
    pub(crate) tick: Tick,
}

/// Durations, counted in ranges. The last range has no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS.len() + 1],
    ticks: u64,
}

impl Histogram {
    /// The longest duration that each range but the last holds: steps of about five times, from what the clocks of turns can
    /// tell apart to two hours.
    pub const BOUNDS: [Duration; 10] = [
        Duration::from_millis(4),
        Duration::from_millis(20),
        Duration::from_millis(100),
        Duration::from_millis(500),
        Duration::from_secs(2),
        Duration::from_secs(10),
        Duration::from_secs(60),
        Duration::from_secs(300),
        Duration::from_secs(1800),
        Duration::from_secs(7200),
    ];

    const TICKS: [u32; Self::BOUNDS.len()] = {
        let mut ticks = [0; Self::BOUNDS.len()];
        let mut at = 0;
        while at < ticks.len() {
            ticks[at] = (Self::BOUNDS[at].as_millis() / Tick::LENGTH.as_millis()) as u32;
            at += 1;
        }
        ticks
    };

    pub(super) fn add(&mut self, from: Tick, to: Tick) {
        let ticks = to.since(from);
        let range = Self::TICKS.iter().position(|bound| ticks <= *bound).unwrap_or(Self::TICKS.len());
        self.counts[range] += 1;
        self.ticks += u64::from(ticks);
    }

    /// How many durations are in each range.
    pub const fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, to 4 ms each.
    pub const fn sum(&self) -> Duration {
        Duration::from_millis(self.ticks * Tick::LENGTH.as_millis() as u64)
    }
}

/// What has happened to the jobs of a function since it was made. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Jobs made by a submission or a schedule; not those that a store has brought back.
    pub added: u64,
    /// Jobs that ended by WORK_COMPLETE.
    pub done: u64,
    /// Jobs that ended by WORK_FAIL of their worker.
    pub failed: u64,
    /// Jobs that ended by WORK_EXCEPTION.
    pub exceptions: u64,
    /// Times a job went back to the queue after a worker had had it.
    pub retried: u64,
    /// Times a worker took too long for a job.
    pub timed_out: u64,
    /// Jobs that were cancelled, or dropped with their function.
    pub cancelled: u64,
    /// Jobs that failed because they had been given back too often.
    pub dropped: u64,
    /// Jobs removed because nobody waited for them any more.
    pub abandoned: u64,
    /// From the moment at which a job could run (it came, its time came, or it was given back) until a worker had it.
    pub wait: Histogram,
    /// From there to the worker's WORK_COMPLETE, WORK_FAIL or WORK_EXCEPTION.
    pub run: Histogram,
}

impl Counters {
    /// Jobs that failed in whatever way: their workers said so, or they had been given back too often.
    pub const fn all_failed(&self) -> u64 {
        self.failed + self.exceptions + self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_wrap_and_differences_stay_right() {
        let moment = Duration::from_secs(u64::from(u32::MAX) / 250);
        let (before, after) = (Tick::of(moment), Tick::of(moment + Duration::from_secs(60)));
        assert!(after.0 < before.0, "the moment is chosen so that the number wraps");
        assert_eq!(after.age(before), Duration::from_secs(60));
        assert_eq!(Tick::of(Duration::from_millis(1999)).0, 499);
    }

    #[test]
    fn a_duration_stands_in_the_range_that_ends_at_it() {
        let mut histogram = Histogram::default();
        for (range, bound) in Histogram::BOUNDS.into_iter().enumerate() {
            histogram.add(Tick(7), Tick(7 + Tick::of(bound).0));
            assert_eq!(histogram.counts()[range], 1, "{bound:?}");
            histogram.add(Tick(7), Tick(8 + Tick::of(bound).0));
            assert_eq!(histogram.counts()[range + 1], 1, "more than {bound:?}");
            histogram = Histogram::default();
        }
        histogram.add(Tick(0), Tick(250));
        histogram.add(Tick(0), Tick(0));
        assert_eq!((histogram.count(), histogram.sum()), (2, Duration::from_secs(1)));
    }
}
