//! The pipe that wakes a worker from another thread or from a signal handler; see [`crate::kill`].

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::abi::{gearman_id_t, gearman_return_t};
use crate::kill::NO_ID;
use crate::returns::{SHUTDOWN, SHUTDOWN_GRACEFUL};

/// What `gearman_kill` writes to let a worker end after what it is doing.
pub(crate) const INTERRUPT: u8 = b'i';
/// What it writes to let it end at once.
pub(crate) const KILL: u8 = b'k';

/// The worker's ends of the pipe, and what has come through it. Both ends are closed with the worker, and only then.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    /// Read and write end.
    ends: Option<[OwnedFd; 2]>,
    signal: Option<gearman_return_t>,
}

impl Wake {
    /// A pipe whose ends neither block nor pass to other programs.
    pub(crate) fn open() -> std::io::Result<Self> {
        let mut fds = [-1; 2];
        // SAFETY: there is room for two descriptors.
        if unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else's.
        let ends = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Self { ends: Some(ends), signal: None })
    }

    pub(crate) fn id(&self) -> gearman_id_t {
        match &self.ends {
            Some([read, write]) => gearman_id_t { read_fd: read.as_raw_fd(), write_fd: write.as_raw_fd() },
            None => NO_ID,
        }
    }

    /// What to wait for beside the servers; nothing after a signal has come.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.ends.as_ref().map(|[read, _]| read.as_fd())
    }

    /// The signal that has come before, without a look into the pipe.
    pub(crate) const fn known(&self) -> Option<gearman_return_t> {
        self.signal
    }

    /// What every call answers from a signal on: [`SHUTDOWN_GRACEFUL`], or [`SHUTDOWN`] where the worker is to end at once.
    pub(crate) fn signalled(&mut self) -> Option<gearman_return_t> {
        let [read, _] = self.ends.as_ref()?;
        let mut bytes = [0u8; 64];
        // SAFETY: there is room for as many bytes as are asked for.
        let length = unsafe { libc::read(read.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
        let bytes = &bytes[..usize::try_from(length).unwrap_or(0)];
        if bytes.contains(&KILL) {
            self.signal = Some(SHUTDOWN);
        } else if !bytes.is_empty() && self.signal.is_none() {
            self.signal = Some(SHUTDOWN_GRACEFUL);
        }
        self.signal
    }
}
