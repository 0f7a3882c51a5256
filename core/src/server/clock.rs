//! The one place of the server that reads clocks, and the task that ticks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::state::{Shared, Tools};
use crate::broker::Now;

/// Both clocks. A turn reads them as they stood at the kernel's last tick (one to four milliseconds ago, the same for all): that costs
/// a tenth of an exact reading, of which a short turn would otherwise spend a quarter of its time on. What waits for a moment to
/// come reads them exactly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    /// The start by the wall clock, since the Unix epoch.
    pub(super) started: Duration,
    /// The same moment as the kernel counts it.
    raw: Duration,
}

#[allow(clippy::disallowed_methods, reason = "this is the server's clock")]
impl Clock {
    pub(super) fn new() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), started, raw: read(ClockId::Monotonic) }
    }

    /// The time exactly.
    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.start.elapsed(), wall }
    }

    /// The time of the kernel's last tick.
    pub(super) fn coarse(self) -> Now {
        let mono = read(COARSE_MONOTONIC).saturating_sub(self.raw);
        Now { mono, wall: read(COARSE_REALTIME) }
    }

    /// This moment, to measure from.
    pub(super) fn moment(self) -> Instant {
        Instant::now()
    }

    /// The moment in `time` from now; `None` where it is too far away to come.
    pub(super) fn after(self, time: Duration) -> Option<Instant> {
        Instant::now().checked_add(time)
    }

    /// The moment that the broker calls `mono`.
    pub(super) fn instant(self, mono: Duration) -> Instant {
        self.start + mono
    }
}

#[cfg(target_os = "linux")]
const COARSE_MONOTONIC: ClockId = ClockId::MonotonicCoarse;
#[cfg(target_os = "linux")]
const COARSE_REALTIME: ClockId = ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const COARSE_MONOTONIC: ClockId = ClockId::Monotonic;
#[cfg(not(target_os = "linux"))]
const COARSE_REALTIME: ClockId = ClockId::Realtime;

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // Before the epoch counts as the epoch.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Ticks whenever the broker wants it. Runs until its runtime ends.
pub(super) async fn tick(shared: Arc<Shared>) {
    let mut tools = Tools::default();
    loop {
        let armed = shared.state.lock().armed;
        match armed {
            None => shared.rearm.notified().await,
            Some(at) => {
                let at = tokio::time::Instant::from_std(shared.clock.instant(at));
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {
                        let now = shared.clock.now();
                        shared.turn_at(now, &mut tools, None, |turn| turn.tick());
                    }
                    () = shared.rearm.notified() => {}
                }
            }
        }
    }
}
