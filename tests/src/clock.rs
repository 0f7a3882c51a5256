//! The one place where tests read the clock and wait.
#![allow(clippy::disallowed_methods, reason = "tests of whole processes live in real time")]

use std::time::{Duration, Instant};

/// How long a peer, a server or a program gets for what it normally does at once. Only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The time.
pub fn now() -> Instant {
    Instant::now()
}

/// Waits. For waits that are part of what is tested (a timeout that must pass, a silence that must last).
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Asks `ready` again and again until it gives a value, at most for `limit`.
pub fn poll<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + limit;
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if now() >= deadline {
            return None;
        }
        // Nothing tells of another process's progress: ask again soon.
        pause(Duration::from_millis(5));
    }
}
