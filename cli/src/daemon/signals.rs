//! The signals of gearmand. They are blocked in every thread, and taken one by one by the thread that waits for them.

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::exit::Failure;

/// What somebody wants of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// TERM or INT: end at once.
    Stop,
    /// USR1: take no more connections, end when no jobs are left.
    Drain,
    /// HUP: read the settings again, and open the log file anew.
    Reload,
}

/// The blocked signals.
#[derive(Debug)]
pub(crate) struct Signals(SigSet);

impl Signals {
    /// Blocks them, for this thread and all that it starts afterwards.
    pub(crate) fn block() -> Result<Self, Failure> {
        let signals: SigSet =
            [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGHUP].into_iter().collect();
        signals.thread_block().map_err(|error| Failure::system("cannot block signals", &error.into()))?;
        Ok(Self(signals))
    }

    /// Waits for the next one.
    pub(crate) fn next(&self) -> Wish {
        loop {
            match self.0.wait() {
                Ok(Signal::SIGTERM | Signal::SIGINT) => return Wish::Stop,
                Ok(Signal::SIGUSR1) => return Wish::Drain,
                Ok(Signal::SIGHUP) => return Wish::Reload,
                // Interrupted by something else, such as being stopped and continued.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Makes whoever waits for signals hear [`Wish::Stop`].
pub(crate) fn stop_self() {
    // Fails only where there is no such process or signal.
    let _ = kill(Pid::this(), Signal::SIGTERM);
}
