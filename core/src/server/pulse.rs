//! Whether a server lives.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use super::state::{Shared, Tools};

/// What [`Pulse::beat`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Every I/O thread has taken the broker's lock and given it back.
    Lives,
    /// One of them has not in time: it hangs, or somebody keeps the lock.
    Hangs,
    /// The server has been stopped.
    Gone,
}

/// Tells whether a server lives, and neither keeps it alive nor any descriptor of it.
#[derive(Clone, Debug)]
pub struct Pulse {
    shared: Weak<Shared>,
    handles: Weak<[Handle]>,
}

impl Pulse {
    pub(super) fn new(shared: &Arc<Shared>, handles: &Arc<[Handle]>) -> Self {
        Self { shared: Arc::downgrade(shared), handles: Arc::downgrade(handles) }
    }

    /// Lets every I/O thread run a task that takes the broker's lock, and waits `limit` at the most until all have done it.
    pub fn beat(&self, limit: Duration) -> Beat {
        let (Some(shared), Some(handles)) = (self.shared.upgrade(), self.handles.upgrade()) else {
            return Beat::Gone;
        };
        let start = shared.clock.moment();
        let (done, beats) = channel();
        for handle in handles.iter() {
            let (shared, done) = (shared.clone(), done.clone());
            handle.spawn(async move {
                shared.turn(&mut Tools::default(), None, |_| ());
                // Who has asked may have given up.
                let _ = done.send(());
            });
        }
        drop(done);
        for _ in handles.iter() {
            let left = limit.saturating_sub(shared.clock.moment().duration_since(start));
            match beats.recv_timeout(left) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => return Beat::Hangs,
                // A runtime that ends drops its tasks.
                Err(RecvTimeoutError::Disconnected) => return Beat::Gone,
            }
        }
        Beat::Lives
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Beat;
    use crate::server::Server;

    /// Only a failing test waits so long.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_server_beats_unless_its_lock_is_kept() {
        let server = Server::builder().threads(2).start().unwrap();
        let pulse = server.pulse();
        assert_eq!(pulse.beat(PATIENCE), Beat::Lives);
        let kept = server.shared.state.lock();
        assert_eq!(
            pulse.beat(Duration::from_millis(50)),
            Beat::Hangs,
            "the lock is kept for all of that time"
        );
        drop(kept);
        assert_eq!(pulse.beat(PATIENCE), Beat::Lives);
        server.stop();
        assert_eq!(pulse.beat(PATIENCE), Beat::Gone);
    }

    #[test]
    fn a_server_beats_unless_one_of_its_threads_hangs() {
        let server = Server::builder().threads(2).start().unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        server.handles[1].spawn(async move { wait.recv() });
        assert_eq!(
            server.pulse().beat(Duration::from_millis(50)),
            Beat::Hangs,
            "the thread hangs for all of that time"
        );
        go.send(()).unwrap();
        assert_eq!(server.pulse().beat(PATIENCE), Beat::Lives);
    }
}
