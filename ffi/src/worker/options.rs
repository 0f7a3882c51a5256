//! What a worker can be told to do differently.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use lineshaft::protocol::Grab;

use super::{Worker, inner, with};
use crate::abi::{
    GEARMAN_WORKER_WAIT_TIMEOUT, gearman_calloc_callback, gearman_free_callback, gearman_log_callback,
    gearman_malloc_callback, gearman_realloc_callback, gearman_return_t, gearman_worker_options_t,
    gearman_worker_st,
};
use crate::pointer::c_bytes;
use crate::returns::{FATAL, INVALID_ARGUMENT, SUCCESS};
use crate::unique::uuid;

const ALLOCATED: gearman_worker_options_t = 1;
const NON_BLOCKING: gearman_worker_options_t = 2;
const PACKET_INIT: gearman_worker_options_t = 4;
const CHANGE: gearman_worker_options_t = 64;
const GRAB_UNIQ: gearman_worker_options_t = 128;
const TIMEOUT_RETURN: gearman_worker_options_t = 256;
const GRAB_ALL: gearman_worker_options_t = 512;
const SSL: gearman_worker_options_t = 1024;
const IDENTIFIER: gearman_worker_options_t = 2048;
const STOP_WAIT_ON_SIGNAL: gearman_worker_options_t = 8192;
/// What gearman_worker_set_options() takes back where it is not named.
const SETTABLE: gearman_worker_options_t =
    NON_BLOCKING | GRAB_UNIQ | TIMEOUT_RETURN | GRAB_ALL | SSL | STOP_WAIT_ON_SIGNAL;

/// The options that are not part of [`Universal`](crate::universal::Universal).
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) is_allocated: bool,
    /// The functions are not yet what servers have been told.
    pub(super) has_changes: bool,
    pub(super) grab_uniq: bool,
    pub(super) grab_all: bool,
    /// How jobs are asked for: what the last change of the two options above has made of it.
    pub(super) grab: Grab,
    pub(super) timeout_return: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            is_allocated: false,
            has_changes: false,
            grab_uniq: true,
            grab_all: true,
            grab: Grab::All,
            timeout_return: false,
        }
    }
}

impl Worker {
    fn options(&self) -> gearman_worker_options_t {
        let Flags { is_allocated, has_changes, grab_uniq, grab_all, timeout_return, .. } = self.flags;
        [
            (true, PACKET_INIT),
            (is_allocated, ALLOCATED),
            (self.universal.non_blocking, NON_BLOCKING),
            (has_changes, CHANGE),
            (grab_uniq, GRAB_UNIQ),
            (timeout_return, TIMEOUT_RETURN),
            (grab_all, GRAB_ALL),
            (self.universal.greeting.tls.on, SSL),
            (self.universal.greeting.identifier.is_some(), IDENTIFIER),
            (self.universal.stop_wait_on_signal, STOP_WAIT_ON_SIGNAL),
        ]
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |bits, (_, bit)| bits | bit)
    }

    fn switch(&mut self, options: gearman_worker_options_t, on: bool) {
        for (bit, grab) in [(GRAB_UNIQ, Grab::Uniq), (GRAB_ALL, Grab::All)] {
            if options & bit != 0 {
                self.flags.grab = if on { grab } else { Grab::Job };
            }
        }
        let places = [
            (&mut self.universal.non_blocking, NON_BLOCKING),
            (&mut self.flags.grab_uniq, GRAB_UNIQ),
            (&mut self.flags.timeout_return, TIMEOUT_RETURN),
            (&mut self.flags.grab_all, GRAB_ALL),
            (&mut self.universal.greeting.tls.on, SSL),
            (&mut self.universal.stop_wait_on_signal, STOP_WAIT_ON_SIGNAL),
        ];
        for (place, bit) in places {
            if options & bit != 0 {
                *place = on;
            }
        }
        if !on && options & TIMEOUT_RETURN != 0 {
            self.universal.timeout = GEARMAN_WORKER_WAIT_TIMEOUT;
        }
        if on && options & IDENTIFIER != 0 && self.universal.greeting.identifier.is_none() {
            self.universal.set_identifier(&uuid());
        }
    }
}

/// The options that are set, as bits of gearman_worker_options_t; 0 for NULL.
///
/// # Safety
/// `worker` is NULL or a worker of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_options(
    worker: *const gearman_worker_st,
) -> gearman_worker_options_t {
    // SAFETY: the caller's promise.
    unsafe { with(worker, 0, |worker| worker.options()) }
}

/// Sets the options in `options` and takes all others back. Without GEARMAN_WORKER_TIMEOUT_RETURN the timeout becomes 10 s.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_set_options(
    worker: *mut gearman_worker_st,
    options: gearman_worker_options_t,
) {
    // SAFETY: the caller's promise.
    unsafe {
        with(worker, (), |worker| {
            worker.switch(!options & SETTABLE, false);
            worker.switch(options, true);
        });
    }
}

/// Sets the options in `options` and leaves the others as they are. GEARMAN_WORKER_IDENTIFIER gives the worker a name of its
/// own making, where it has none.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_add_options(
    worker: *mut gearman_worker_st,
    options: gearman_worker_options_t,
) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.switch(options, true)) }
}

/// Takes the options in `options` back. Without GEARMAN_WORKER_GRAB_UNIQ or GEARMAN_WORKER_GRAB_ALL jobs come without their
/// uniques; taking GEARMAN_WORKER_TIMEOUT_RETURN back sets the timeout to 10 s.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_remove_options(
    worker: *mut gearman_worker_st,
    options: gearman_worker_options_t,
) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.switch(options, false)) }
}

/// How long one wait may take, in milliseconds; -1, the default, for no limit. 0 for NULL.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_timeout(worker: *mut gearman_worker_st) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { with(worker, 0, |worker| worker.universal.timeout) }
}

/// Sets how long one wait may take, in milliseconds, negative for no limit, and that gearman_worker_work() then answers
/// GEARMAN_TIMEOUT.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_timeout(worker: *mut gearman_worker_st, timeout: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        with(worker, (), |worker| {
            worker.flags.timeout_return = true;
            worker.universal.timeout = timeout;
        });
    }
}

/// The program's own pointer; NULL where none has been set.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_context(worker: *const gearman_worker_st) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { inner(worker).as_ref() }.map_or(null_mut(), |worker| worker.universal.context)
}

/// Keeps a pointer of the program's, which is neither looked at nor freed.
///
/// # Safety
/// As for gearman_worker_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_context(worker: *mut gearman_worker_st, context: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.universal.context = context) }
}

/// Sets the function that takes the lines of the log whose level is at most `verbose`; NULL for none.
///
/// # Safety
/// As for gearman_worker_options(); `function` takes what gearman_log_fn says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_log_fn(
    worker: *mut gearman_worker_st,
    function: gearman_log_callback,
    context: *mut c_void,
    verbose: u32,
) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.universal.report.set_log(function, context, verbose)) }
}

/// Sets what allocates the memory for workloads; NULL for malloc(). `context` is shared with the function that frees them: the
/// later of both counts.
///
/// # Safety
/// As for gearman_worker_options(); `function` allocates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_workload_malloc_fn(
    worker: *mut gearman_worker_st,
    function: gearman_malloc_callback,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.universal.allocator.set_malloc(function, context)) }
}

/// Sets what frees workloads and the results of functions of the first version; NULL for free().
///
/// # Safety
/// As for gearman_worker_options(); `function` frees what the worker's other function has allocated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_workload_free_fn(
    worker: *mut gearman_worker_st,
    function: gearman_free_callback,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.universal.allocator.set_free(function, context)) }
}

/// Sets all four functions of an allocator, or none: then the C library's are used. Answers GEARMAN_FATAL where only some are
/// given.
///
/// # Safety
/// As for gearman_worker_options(); the functions belong together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_memory_allocators(
    worker: *mut gearman_worker_st,
    malloc_fn: gearman_malloc_callback,
    free_fn: gearman_free_callback,
    realloc_fn: gearman_realloc_callback,
    calloc_fn: gearman_calloc_callback,
    context: *mut c_void,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        with(worker, INVALID_ARGUMENT, |worker| {
            let allocator = &mut worker.universal.allocator;
            if allocator.set_all(malloc_fn, free_fn, realloc_fn, calloc_fn, context) {
                SUCCESS
            } else {
                FATAL
            }
        })
    }
}

/// Turns TLS on or off from the next connection on, and names its files, as gearman_client_set_ssl() does.
///
/// # Safety
/// As for gearman_worker_options(); the others are NULL or texts that end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_ssl(
    worker: *mut gearman_worker_st,
    ssl: bool,
    ca_file: *const c_char,
    certificate: *const c_char,
    key_file: *const c_char,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let [ca, certificate, key] =
            [ca_file, certificate, key_file].map(|file| c_bytes(file).unwrap_or_default());
        with(worker, (), |worker| {
            worker.universal.greeting.tls.set_files(ca, certificate, key);
            worker.switch(SSL, ssl);
        });
    }
}
