//! The one place of this program that reads the clock and waits.

use std::time::{Duration, Instant};

/// What time it is.
#[allow(clippy::disallowed_methods, reason = "the program's single clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits for something outside this process that announces itself by nothing: a server that starts or ends.
#[allow(clippy::disallowed_methods, reason = "the program's single clock")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
