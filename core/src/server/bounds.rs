//! The limits on connections, which may change while the server runs.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::ServerLimits;

/// [`ServerLimits`] that are read without the lock.
#[derive(Debug)]
pub(super) struct Bounds {
    max_connections: AtomicUsize,
    max_output: AtomicUsize,
    max_backlog: AtomicUsize,
    max_input: AtomicUsize,
}

impl Bounds {
    pub(super) const fn new(limits: ServerLimits) -> Self {
        let ServerLimits { max_connections, max_output, max_backlog, max_input } = limits;
        Self {
            max_connections: AtomicUsize::new(max_connections),
            max_output: AtomicUsize::new(max_output),
            max_backlog: AtomicUsize::new(max_backlog),
            max_input: AtomicUsize::new(max_input),
        }
    }

    pub(super) fn set(&self, limits: ServerLimits) {
        let ServerLimits { max_connections, max_output, max_backlog, max_input } = limits;
        self.max_connections.store(max_connections, Relaxed);
        self.max_output.store(max_output, Relaxed);
        self.max_backlog.store(max_backlog, Relaxed);
        self.max_input.store(max_input, Relaxed);
    }

    pub(super) fn get(&self) -> ServerLimits {
        ServerLimits {
            max_connections: self.max_connections.load(Relaxed),
            max_output: self.max_output.load(Relaxed),
            max_backlog: self.max_backlog.load(Relaxed),
            max_input: self.max_input.load(Relaxed),
        }
    }
}
