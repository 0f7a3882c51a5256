//! The one place that reads the environment and the clock.
#![allow(clippy::disallowed_methods)] // Only the command line reads the environment, and only here.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use jiff::Zoned;

/// The environment variable `name`, where it is set and not empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// All environment variables.
pub(crate) fn variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// The time of day here.
pub(crate) fn local_time() -> Zoned {
    Zoned::now()
}

/// Waits for something that nobody announces, such as a port that another process gives back.
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A point in time to measure from.
pub(crate) fn instant() -> Instant {
    Instant::now()
}
