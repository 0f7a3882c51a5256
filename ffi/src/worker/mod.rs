//! The worker: `gearman_worker_st`.

mod functions;
mod grab;
mod life;
mod options;
mod reduce;
mod register;
mod servers;
mod station;
#[cfg(test)]
mod tests;
mod wake;
mod work;

use std::ptr::null_mut;

use crate::abi::{gearman_return_t, gearman_worker_st};
use crate::job::Job;
use crate::panic::fence;
use crate::report::tell;
use crate::universal::Universal;

use functions::Functions;
pub(crate) use life::of as clone_of;
#[cfg(test)]
pub(crate) use life::{gearman_worker_create, gearman_worker_free};
use options::Flags;
pub(crate) use station::Station;
use wake::Wake;
pub(crate) use wake::{INTERRUPT, KILL};

/// What a `gearman_worker_st` stands for.
#[derive(Debug, Default)]
pub struct Worker {
    pub(crate) universal: Universal<Station>,
    flags: Flags,
    functions: Functions,
    /// Jobs that have not been freed. Owned; raw pointers because the program holds them as well.
    pub(crate) jobs: Vec<*mut Job>,
    wake: Wake,
    /// The server that is asked first.
    turn: usize,
    /// How many conversations with servers there have been.
    conversations: u64,
    /// The last call has answered with a function's own failure: the next one does nothing, as libgearman's.
    settled: bool,
}

/// The object behind a handle; NULL where there is none.
///
/// # Safety
/// `worker` is NULL or a handle that this library has initialised.
pub(crate) unsafe fn inner(worker: *const gearman_worker_st) -> *mut Worker {
    // SAFETY: the caller's promise.
    unsafe { worker.as_ref() }.map_or(null_mut(), |worker| worker._impl)
}

/// Runs `body` with the object behind a handle, then hands what it has recorded to the log function. `otherwise` is the
/// answer for NULL and for a panic.
///
/// # Safety
/// As [`inner`]; `body` calls nothing of the program's.
pub(crate) unsafe fn with<T: Copy>(
    worker: *const gearman_worker_st,
    otherwise: T,
    body: impl FnOnce(&mut Worker) -> T,
) -> T {
    // SAFETY: the caller's promise.
    unsafe { within(inner(worker), otherwise, body) }
}

/// As [`with`], for the object itself.
///
/// # Safety
/// `object` is NULL or valid; `body` calls nothing of the program's.
pub(crate) unsafe fn within<T: Copy>(
    object: *mut Worker,
    otherwise: T,
    body: impl FnOnce(&mut Worker) -> T,
) -> T {
    if object.is_null() {
        return otherwise;
    }
    // SAFETY: the object lives as long as its handle, and nothing else runs while this does.
    let answer = fence(otherwise, || body(unsafe { &mut *object }));
    // SAFETY: the reference has ended.
    unsafe { tell(&raw mut (*object).universal.report) };
    answer
}

impl Worker {
    /// Closes the connections to all servers: what was under way there is theirs to begin again.
    fn close_all(&mut self) {
        for connection in &mut self.universal.connections {
            connection.line.close();
        }
    }

    /// What to answer because somebody has woken the worker to end it, if so.
    fn ended(&mut self) -> Option<gearman_return_t> {
        let code = self.wake.signalled()?;
        Some(self.universal.report.note(code))
    }
}
