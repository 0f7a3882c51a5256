//! The service manager, where one has started us: it hears that we are ready, reload, stop and live, and may have made the sockets.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lineshaft::server::{Beat, Passed, Pulse};
use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::exit::{Exit, Failure, reason};
use crate::surroundings;

/// Whether a service manager waits for this very process to say that it is ready, or has made sockets for it. It runs in the background then, and must not
/// leave that process: the manager would lose sight of it.
pub(crate) fn waits_for_us() -> bool {
    let own = std::process::id().to_string();
    let is_own = |name| surroundings::variable(name).is_some_and(|pid| pid.to_str() == Some(&own));
    // Sockets are passed to one process only.
    is_own("LISTEN_PID") || is_own("SYSTEMD_EXEC_PID") && surroundings::variable("NOTIFY_SOCKET").is_some()
}

/// The sockets that have been passed to us (`LISTEN_FDS`); empty where none have.
pub(crate) fn sockets() -> Result<Vec<Passed>, Failure> {
    let mut passed = ListenFd::from_env();
    let count = passed.len();
    let mut socket = |at| match passed.take_tcp_listener(at) {
        Ok(Some(listener)) => Ok(Passed::from(listener)),
        _ => match passed.take_unix_listener(at) {
            Ok(Some(listener)) => Ok(Passed::from(listener)),
            _ => Err(Failure::new(
                Exit::Usage,
                format!(
                    "LISTEN_FDS: descriptor {} is no stream socket: pass sockets of ListenStream= only",
                    at + FIRST
                ),
            )),
        },
    };
    (0..count).map(&mut socket).collect()
}

/// The number of the first descriptor that is passed.
const FIRST: usize = 3;

/// The server listens, and everything is in place.
pub(crate) fn ready(address: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("Listening on {address}"))]);
}

/// Settings are being read anew; [`reloaded`] follows.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the service manager cannot be told of the reload: {}", reason(&error)),
    }
}

/// What [`reloading`] has announced is done.
pub(crate) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// New connections are refused, and the server ends when no job is left. That may take longer than a manager waits for a service
/// that says it stops, so it is told in words only.
pub(crate) fn draining() {
    tell(&[NotifyState::Status("Draining: ends when no job is left")]);
}

/// The server ends now.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Does nothing where there is no manager.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the service manager cannot be told how the server is: {}", reason(&error));
    }
}

/// Tells the service manager again and again that the server lives, as often as the manager wants to hear it. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    thread: Option<JoinHandle<()>>,
    end: Option<Sender<()>>,
}

impl Watchdog {
    /// `None` where nobody wants to hear it.
    pub(crate) fn start(pulse: Pulse) -> io::Result<Option<Self>> {
        let Some(limit) = sd_notify::watchdog_enabled() else { return Ok(None) };
        let (end, ended) = channel();
        let watch = move || {
            loop {
                let mut pause = limit / 4;
                match pulse.beat(limit / 2) {
                    Beat::Lives => tell(&[NotifyState::Watchdog]),
                    Beat::Hangs => {
                        tracing::error!(
                            "an I/O thread hangs, or somebody keeps the broker's lock, for {:?}: the service manager is not told that the server lives",
                            limit / 2
                        );
                        // Not much is left until the manager gives up.
                        pause = Duration::ZERO;
                    }
                    Beat::Gone => {
                        if ended.recv_timeout(limit / 4) == Err(RecvTimeoutError::Timeout) {
                            tracing::error!(
                                "the server's threads have ended, though nobody has stopped it: the service manager is not told that it lives"
                            );
                        }
                        return;
                    }
                }
                if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("lineshaft-watchdog".into()).spawn(watch)?;
        Ok(Some(Self { thread: Some(thread), end: Some(end) }))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.end.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the watchdog has panicked");
        }
    }
}
