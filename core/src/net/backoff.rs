//! How long to wait before a server is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The wait before the first new attempt; it doubles with every failure.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Growing waits with jitter, so that a thousand workers do not return to a restarted server in the same millisecond.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    failures: u32,
    seed: u64,
}

impl Backoff {
    /// `seed` decides the jitter.
    pub(crate) const fn new(seed: u64) -> Self {
        // A generator that begins with 0 stays there.
        Self { failures: 0, seed: seed | 1 }
    }

    /// A seed that differs from one client to the next.
    pub(crate) fn random_seed() -> u64 {
        RandomState::new().hash_one(0u8)
    }

    /// After a success the waits are short again.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: between half of the current step and the whole of it.
    pub(crate) fn next(&mut self) -> Duration {
        let step = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let fraction = (self.seed >> 40) as f64 / (1u64 << 24) as f64;
        step.mul_f64(0.5 + fraction / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(7);
        let mut step = FIRST;
        for _ in 0..20 {
            let wait = backoff.next();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
            step = (step * 2).min(LONGEST);
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn two_seeds_give_two_rhythms() {
        assert_ne!(Backoff::new(1).next(), Backoff::new(1 << 40).next());
    }
}
