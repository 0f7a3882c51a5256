//! How workers come and go.

use std::ffi::{c_char, c_int};
use std::ptr::{null, null_mut};

use super::wake::Wake;
use super::{Worker, inner};
use crate::abi::{HandleOptions, gearman_worker_st};
use crate::job::free_jobs;
use crate::panic::fence;

/// Makes a worker. `worker` NULL lets the library allocate it; otherwise it is memory of the program, which need not be
/// cleared. Either way gearman_worker_free() ends it.
///
/// Adds the servers that the environment variable GEARMAN_SERVERS names, and opens the pipe of gearman_kill(). NULL where a
/// server cannot be added, or there is no memory or descriptor left.
///
/// # Safety
/// `worker` is NULL or has room for a gearman_worker_st.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_create(worker: *mut gearman_worker_st) -> *mut gearman_worker_st {
    fence(null_mut(), || {
        let mut made = Worker::default();
        if !made.universal.add_servers_of_environment() {
            return null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { install(worker, made) }
    })
}

/// Makes a worker like `from`: with its options but GEARMAN_WORKER_NON_BLOCKING, its servers, functions, timeout, namespace,
/// identifier and log function, but without its context and allocators. The servers come out in reversed order. Without
/// `from` this is gearman_worker_create().
///
/// # Safety
/// `worker` is NULL or has room for a gearman_worker_st; `from` is NULL or a worker of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_clone(
    worker: *mut gearman_worker_st,
    from: *const gearman_worker_st,
) -> *mut gearman_worker_st {
    // SAFETY: the caller's promise.
    unsafe { if from.is_null() { gearman_worker_create(worker) } else { of(worker, inner(from)) } }
}

/// Makes a worker like `from`.
///
/// # Safety
/// `shell` is NULL or has room for a handle; `from` is NULL or valid.
pub(crate) unsafe fn of(shell: *mut gearman_worker_st, from: *const Worker) -> *mut gearman_worker_st {
    // SAFETY: the caller's promise.
    fence(null_mut(), || match unsafe { from.as_ref() } {
        // SAFETY: the caller's promise.
        Some(from) => unsafe { install(shell, from.copy()) },
        None => null_mut(),
    })
}

/// Puts a worker behind a handle.
///
/// # Safety
/// `shell` is NULL or has room for a handle. What it holds is not read.
unsafe fn install(shell: *mut gearman_worker_st, mut worker: Worker) -> *mut gearman_worker_st {
    let Ok(wake) = Wake::open() else { return null_mut() };
    worker.wake = wake;
    worker.flags.is_allocated = shell.is_null();
    let options = HandleOptions { is_allocated: shell.is_null(), is_initialized: true };
    let handle = gearman_worker_st { options, _impl: Box::into_raw(Box::new(worker)) };
    if shell.is_null() {
        return Box::into_raw(Box::new(handle));
    }
    // SAFETY: the caller's promise.
    unsafe { shell.write(handle) };
    shell
}

impl Worker {
    /// See gearman_worker_clone().
    fn copy(&self) -> Self {
        let mut copy = Self {
            universal: self.universal.copy(),
            flags: self.flags,
            functions: self.functions.clone(),
            ..Self::default()
        };
        copy.universal.non_blocking = false;
        copy
    }
}

/// Frees a worker with its functions and all its jobs, and closes its connections: servers give what it has not finished to
/// others. NULL is allowed; a worker in memory of the program may be freed twice, its memory itself is never freed.
///
/// # Safety
/// `worker` is NULL or a worker of this library, and none of its functions is running.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_free(worker: *mut gearman_worker_st) {
    // SAFETY: the caller's promise.
    let object = unsafe { inner(worker) };
    if object.is_null() {
        return;
    }
    // SAFETY: made from a box by `install`, and forgotten by the handle before anything can look at it again.
    unsafe {
        free_jobs(object);
        fence((), || {
            (*worker)._impl = null_mut();
            (*worker).options.is_initialized = false;
            (*object).hear_out();
            drop(Box::from_raw(object));
            if (*worker).options.is_allocated {
                drop(Box::from_raw(worker));
            }
        });
    }
}

impl Worker {
    /// A socket that is closed with something unread in it throws away what the server has not read yet, which may be a result.
    /// Whether anything was there is of no interest any more.
    fn hear_out(&mut self) {
        for connection in &mut self.universal.connections {
            if connection.line.is_open() {
                let _ = connection.line.fill();
            }
        }
    }
}

/// What went wrong last; NULL where nothing has, or for NULL. Stays until the next call with this worker.
///
/// # Safety
/// `worker` is NULL or a worker of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_error(worker: *const gearman_worker_st) -> *const c_char {
    // SAFETY: the caller's promise.
    fence(null(), || {
        unsafe { inner(worker).as_ref() }.map_or(null(), |worker| worker.universal.report.text())
    })
}

/// The system's number of the last error; 0 where it was none of the system's, EINVAL for NULL.
///
/// # Safety
/// As for gearman_worker_error().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_errno(worker: *mut gearman_worker_st) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { inner(worker).as_ref() }.map_or(libc::EINVAL, |worker| worker.universal.report.errno())
}
