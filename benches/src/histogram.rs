//! Durations, kept in buckets.

use std::time::Duration;

/// Each power of two is divided into so many buckets: what is read back is at most 1/32 too low.
const BUCKETS_PER_POWER: usize = 32;
const SHIFT: u32 = BUCKETS_PER_POWER.trailing_zeros();

/// How often which duration was seen.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS_PER_POWER * 64], total: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Adds one duration.
    pub(crate) fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.longest = self.longest.max(time);
    }

    /// The duration that `share` (0 to 1) of all do not exceed; zero where there is none.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(lower_edge(bucket));
            }
        }
        Duration::ZERO
    }

    /// The longest one, exactly.
    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.checked_ilog2().unwrap_or(0).saturating_sub(SHIFT);
    (power as usize * BUCKETS_PER_POWER) + (nanos >> power) as usize
}

fn lower_edge(bucket: usize) -> u64 {
    let power = (bucket / BUCKETS_PER_POWER).saturating_sub(1);
    ((bucket - power * BUCKETS_PER_POWER) as u64) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_a_bucket_too_low() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, micros) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let read = histogram.percentile(share).as_nanos() as f64;
            let exact = f64::from(micros) * 1000.0;
            assert!(read <= exact && read > exact * (1.0 - 1.0 / 32.0) - 1.0, "{share}: {read}");
        }
        assert_eq!(histogram.longest(), Duration::from_millis(1));
    }

    #[test]
    fn every_duration_has_a_bucket() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.percentile(0.5), Duration::ZERO);
        assert!(Histogram::default().percentile(0.99).is_zero());
    }
}
