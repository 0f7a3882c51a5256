//! The one place where clients and workers read a clock.

use std::time::{Duration, Instant, SystemTime};

/// Time since the owner was made, as the exchanges want it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

#[allow(clippy::disallowed_methods, reason = "the drivers' single clock")]
impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// Never runs backwards.
    pub(crate) fn now(&self) -> Duration {
        self.0.elapsed()
    }

    /// The wall clock, since 1970. A clock that stands before 1970 counts as 1970.
    pub(crate) fn unix() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}
