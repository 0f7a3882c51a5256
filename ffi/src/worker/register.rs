//! How a worker gets and loses functions.

use std::ffi::{c_char, c_void};

use lineshaft::protocol::Request;

use super::functions::{Callback, Function};
use super::station::Mood;
use super::{Worker, inner, with};
use crate::abi::{
    GEARMAN_FUNCTION_MAX_SIZE, gearman_function_t, gearman_return_t, gearman_worker_callback,
    gearman_worker_st,
};
use crate::panic::fence;
use crate::pointer::{bytes, c_bytes, c_text};
use crate::returns::{INVALID_ARGUMENT, NO_REGISTERED_FUNCTION, NO_REGISTERED_FUNCTIONS, SUCCESS};

impl Worker {
    fn add_function(
        &mut self,
        name: &[u8],
        callback: Option<Callback>,
        timeout: u32,
        context: *mut c_void,
    ) -> gearman_return_t {
        let why = match (name, callback) {
            (b"", _) => "a function has a name",
            (_, None) => "a function has something to call",
            (name, _) if name.len() > GEARMAN_FUNCTION_MAX_SIZE => {
                "a function's name has 512 bytes at the most"
            }
            (name, Some(callback)) => {
                let function =
                    Function { name: c_text(&self.universal.full_name(name)), timeout, callback, context };
                self.announce_change(&function.can_do());
                self.functions.add(function);
                return SUCCESS;
            }
        };
        self.universal.report.record("add_function", INVALID_ARGUMENT, why)
    }

    fn unregister(&mut self, name: &[u8]) -> gearman_return_t {
        let name = self.universal.full_name(name);
        if !self.functions.remove(&name) {
            let why = "there is no such function";
            return self.universal.report.record("unregister", NO_REGISTERED_FUNCTION, why);
        }
        self.announce_change(&Request::CantDo { function: &name });
        SUCCESS
    }

    fn unregister_all(&mut self) -> gearman_return_t {
        if self.functions.is_empty() {
            let why = "there is no function";
            return self.universal.report.record("unregister_all", NO_REGISTERED_FUNCTIONS, why);
        }
        self.functions.clear();
        self.announce_change(&Request::ResetAbilities);
        SUCCESS
    }

    /// Lets servers that know the functions know of a change: with the next grab, which comes even where the worker sleeps, for the
    /// server may have jobs for a new function.
    fn announce_change(&mut self, request: &Request<'_>) {
        self.flags.has_changes = true;
        for connection in &mut self.universal.connections {
            if connection.is_announced() {
                connection.line.send(request);
                if connection.peer.mood == Mood::Asleep {
                    connection.peer.mood = Mood::Ready;
                }
            }
        }
    }
}

/// Announces a function without something to call, for gearman_worker_grab_job(). Servers are told at the next grab.
///
/// With a `timeout` other than 0, servers take a job away from a worker that has had it for so many seconds; the worker itself is not
/// interrupted. GEARMAN_INVALID_ARGUMENT without a name, or where it has more than 512 bytes.
///
/// # Safety
/// `worker` is NULL or a worker of this library; `function_name` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_register(
    worker: *mut gearman_worker_st,
    function_name: *const c_char,
    timeout: u32,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let name = c_bytes(function_name).unwrap_or_default();
        with(worker, INVALID_ARGUMENT, |worker| {
            worker.add_function(name, Some(Callback::None), timeout, std::ptr::null_mut())
        })
    }
}

/// Adds a function of the first version, which gives its result back. One of the same name is replaced. Servers are told at the
/// next grab; for `timeout` see gearman_worker_register().
///
/// GEARMAN_INVALID_ARGUMENT without a name or function, or where the name has more than 512 bytes.
///
/// # Safety
/// As for gearman_worker_register(); `function` takes what gearman_worker_fn says.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_add_function(
    worker: *mut gearman_worker_st,
    function_name: *const c_char,
    timeout: u32,
    function: gearman_worker_callback,
    context: *mut c_void,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let name = c_bytes(function_name).unwrap_or_default();
        with(worker, INVALID_ARGUMENT, |worker| {
            worker.add_function(name, function.map(Callback::V1), timeout, context)
        })
    }
}

/// Adds a function of any version; see gearman_function_create_v1(), gearman_function_create_v2() and
/// gearman_function_create_partition(). For the rest see gearman_worker_add_function().
///
/// # Safety
/// As for gearman_worker_register(); `function_name` has `function_name_length` bytes, and `function` has been made by this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_define_function(
    worker: *mut gearman_worker_st,
    function_name: *const c_char,
    function_name_length: usize,
    function: gearman_function_t,
    timeout: u32,
    context: *mut c_void,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let name = bytes(function_name.cast(), function_name_length);
        with(worker, INVALID_ARGUMENT, |worker| {
            worker.add_function(name, Callback::of(&function), timeout, context)
        })
    }
}

/// Takes a function away; servers are told at the next grab. GEARMAN_NO_REGISTERED_FUNCTION where there is none of that name,
/// GEARMAN_INVALID_ARGUMENT for NULL.
///
/// # Safety
/// As for gearman_worker_register().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_unregister(
    worker: *mut gearman_worker_st,
    function_name: *const c_char,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(name) = c_bytes(function_name) else { return INVALID_ARGUMENT };
        with(worker, INVALID_ARGUMENT, |worker| worker.unregister(name))
    }
}

/// Takes all functions away; servers are told at the next grab. GEARMAN_NO_REGISTERED_FUNCTIONS where there is none.
///
/// # Safety
/// As for gearman_worker_register().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_unregister_all(
    worker: *mut gearman_worker_st,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe { with(worker, INVALID_ARGUMENT, Worker::unregister_all) }
}

/// True where the worker has a function of that name, which is without the namespace.
///
/// # Safety
/// As for gearman_worker_register(); `function_name` has `function_length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_function_exist(
    worker: *mut gearman_worker_st,
    function_name: *const c_char,
    function_length: usize,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let name = bytes(function_name.cast(), function_length);
        fence(false, || {
            let Some(worker) = inner(worker).as_ref() else { return false };
            worker.functions.get(&worker.universal.full_name(name)).is_some()
        })
    }
}
