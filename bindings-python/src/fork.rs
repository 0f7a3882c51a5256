//! What must not be touched by a child that `fork` has made.

use lineshaft::{Error, ErrorKind};

/// A value of one process. In a forked child it cannot be reached, and is never dropped: its sockets, epoll descriptors and
/// threads are the parent's, and its locks may have been held by threads that do not exist in the child.
#[derive(Debug)]
pub(crate) struct Ours<T> {
    process: u32,
    /// `None` only while it is dropped.
    value: Option<T>,
}

impl<T> Ours<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: std::process::id(), value: Some(value) }
    }

    /// The value, in the process that has made it.
    pub(crate) fn get(&self) -> lineshaft::Result<&T> {
        match &self.value {
            Some(value) if self.process == std::process::id() => Ok(value),
            _ => {
                let detail = "this object was made before fork(); make a new one in the child";
                Err(Error::new(ErrorKind::Closed, "fork", detail))
            }
        }
    }

    /// The value itself, in the process that has made it.
    pub(crate) fn into_inner(mut self) -> Option<T> {
        if self.process == std::process::id() { self.value.take() } else { None }
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            std::mem::forget(self.value.take());
        }
    }
}
