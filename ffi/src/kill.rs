//! How a worker is woken from another thread or from a signal handler.

use std::os::fd::RawFd;

use crate::abi::{gearman_id_t, gearman_return_t, gearman_signal_t};
use crate::panic::fence;
use crate::returns::{COULD_NOT_CONNECT, SUCCESS};
use crate::worker::{INTERRUPT, KILL};

const SIGNAL_CHECK: gearman_signal_t = 0;
const SIGNAL_INTERRUPT: gearman_signal_t = 1;

/// Nobody.
pub(crate) const NO_ID: gearman_id_t = gearman_id_t { read_fd: -1, write_fd: -1 };

/// Wakes a worker from another thread or from a signal handler.
///
/// From GEARMAN_INTERRUPT on, the worker's calls answer GEARMAN_SHUTDOWN_GRACEFUL; from GEARMAN_KILL or
/// GEARMAN_SIGNAL_KILLWAIT on, GEARMAN_SHUTDOWN. GEARMAN_SIGNAL_CHECK does nothing to the worker. A function that is running is
/// never interrupted. Answers GEARMAN_COULD_NOT_CONNECT where the worker is gone. Allocates nothing and takes no lock.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_kill(handle: gearman_id_t, signal: gearman_signal_t) -> gearman_return_t {
    fence(COULD_NOT_CONNECT, || {
        if !is_pipe(handle.write_fd) {
            return COULD_NOT_CONNECT;
        }
        match signal {
            SIGNAL_CHECK => SUCCESS,
            SIGNAL_INTERRUPT => write(handle.write_fd, INTERRUPT),
            _ => write(handle.write_fd, KILL),
        }
    })
}

/// A descriptor that is something else now must not be written to: the worker is gone, and its number has been given away.
fn is_pipe(fd: RawFd) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel checks the descriptor, and there is room for the answer, which is read only where there is one.
    fd >= 0
        && unsafe {
            libc::fstat(fd, stat.as_mut_ptr()) == 0
                && stat.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO
        }
}

fn write(fd: RawFd, byte: u8) -> gearman_return_t {
    // SAFETY: one byte is read from where one is.
    match unsafe { libc::write(fd, (&raw const byte).cast(), 1) } {
        1 => SUCCESS,
        // The pipe is full of signals that the worker has not looked at.
        _ if std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock => SUCCESS,
        _ => COULD_NOT_CONNECT,
    }
}

/// False where `handle` names no worker: both descriptors are 0 or less.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_id_valid(handle: gearman_id_t) -> bool {
    handle.read_fd > 0 || handle.write_fd > 0
}

/// A name of no worker: -1 and -1.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_id_initialize() -> gearman_id_t {
    NO_ID
}
