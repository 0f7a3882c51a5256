//! One deadline of a task, set anew all the time.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::Clock;

/// Waits for deadlines that mostly move further away: the runtime's timer is touched only when one comes nearer.
#[derive(Debug)]
pub(crate) struct Timer {
    clock: Clock,
    sleep: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Timer {
    pub(crate) const fn new(clock: Clock) -> Self {
        Self { clock, sleep: None }
    }

    /// Ends at `deadline` or earlier; never where there is none. Cancel safe.
    pub(crate) async fn until(&mut self, deadline: Option<Duration>) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        if self.sleep.as_ref().is_none_or(|(set, _)| *set > deadline) {
            let wait = deadline.saturating_sub(self.clock.now());
            self.sleep = Some((deadline, Box::pin(sleep(wait))));
        }
        if let Some((_, sleep)) = &mut self.sleep {
            sleep.as_mut().await;
            self.sleep = None;
        }
    }
}
