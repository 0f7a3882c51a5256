//! The one place of the server that reads clocks, and the task that ticks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::state::{Shared, Tools};
use crate::broker::{Input, Now};

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

#[allow(clippy::disallowed_methods, reason = "this is the server's clock")]
impl Clock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(super) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.start.elapsed(), wall }
    }

    /// The moment that the broker calls `mono`.
    pub(super) fn instant(self, mono: Duration) -> Instant {
        self.start + mono
    }
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
                        shared.turn(&mut tools, None, |turn| {
                            turn.input(Input::Tick);
                            turn.state.armed = turn.state.broker.next_wakeup();
                        });
                    }
                    () = shared.rearm.notified() => {}
                }
            }
        }
    }
}
