//! The way out of a state machine.

use super::{OutBuf, Request};

/// Where the packets of an exchange go: into the out-buffer of a socket, or straight into a broker of the same process.
/// Packets that are given together belong together: they travel in one write, or take effect under one lock.
pub trait Outgoing: FnMut(&[Request<'_>]) {}

impl<F: FnMut(&[Request<'_>]) + ?Sized> Outgoing for F {}

impl OutBuf {
    /// Appends `requests`, oldest first.
    pub fn put_requests(&mut self, requests: &[Request<'_>]) {
        for request in requests {
            request.encode(self);
        }
    }
}
