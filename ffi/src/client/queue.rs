//! The functions that add tasks, run them and look after them.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use bytes::Bytes;
use lineshaft::types::Priority;

use super::add::{Job, submit};
use super::drive::{drive, free, free_all};
use super::run::Goal;
use super::{Client, inner, with};
use crate::abi::{GEARMAN_MAX_UNIQUE_SIZE, gearman_client_st, gearman_return_t, gearman_task_st};
use crate::panic::fence;
use crate::pointer::{bytes, c_bytes, put};
use crate::report::tell;
use crate::returns::{ERROR, INVALID_ARGUMENT, SUCCESS};

/// What a program says of a task, under the names of the parameters.
struct New {
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
}

/// Adds a task for a job.
///
/// # Safety
/// As for gearman_client_add_task().
unsafe fn add(
    client: *mut gearman_client_st,
    new: New,
    priority: Priority,
    background: bool,
) -> *mut gearman_task_st {
    let New { task, context, function_name, unique, workload, workload_size: size, ret_ptr } = new;
    // SAFETY: the caller's promise.
    unsafe {
        let made = with(client, Err(INVALID_ARGUMENT), |client| {
            let job = Job { function: c_bytes(function_name), unique: c_bytes(unique), workload, size };
            let bytes = bytes(workload, size);
            let mut made = client.make(job, bytes, submit(priority, background))?;
            made.workload = Bytes::copy_from_slice(bytes);
            Ok(client.add(made, task, context))
        });
        put(ret_ptr, made.err().unwrap_or(SUCCESS));
        made.unwrap_or(null_mut())
    }
}

/// Adds a task for a foreground job, which gearman_client_run_tasks() sends. The workload is copied.
///
/// `task` NULL lets the library allocate it; otherwise it is memory of the program. It belongs to the client until
/// gearman_task_free(), gearman_client_task_free_all() or gearman_client_free(). `unique` NULL or empty makes one, `#` makes one of
/// the workload. NULL, with the reason in `ret_ptr`, where an argument is not acceptable.
///
/// # Safety
/// `client` is NULL or a client of this library, `task` NULL or room for a gearman_task_st that stays until the task has
/// been freed; texts end with a NUL; `workload` is NULL or has `workload_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    let new = New { task, context, function_name, unique, workload, workload_size, ret_ptr };
    // SAFETY: the caller's promise.
    unsafe { add(client, new, Priority::Normal, false) }
}

/// As gearman_client_add_task(), for a foreground job of high priority.
///
/// # Safety
/// As for gearman_client_add_task().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_high(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    let new = New { task, context, function_name, unique, workload, workload_size, ret_ptr };
    // SAFETY: the caller's promise.
    unsafe { add(client, new, Priority::High, false) }
}

/// As gearman_client_add_task(), for a foreground job of low priority.
///
/// # Safety
/// As for gearman_client_add_task().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_low(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    let new = New { task, context, function_name, unique, workload, workload_size, ret_ptr };
    // SAFETY: the caller's promise.
    unsafe { add(client, new, Priority::Low, false) }
}

/// As gearman_client_add_task(), for a background job. It has ended when the server has taken the job: only the created callback is called.
///
/// # Safety
/// As for gearman_client_add_task().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_background(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    let new = New { task, context, function_name, unique, workload, workload_size, ret_ptr };
    // SAFETY: the caller's promise.
    unsafe { add(client, new, Priority::Normal, true) }
}

/// As gearman_client_add_task(), for a background job of high priority. It has ended when the server has taken the job: only the created callback is called.
///
/// # Safety
/// As for gearman_client_add_task().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_high_background(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    let new = New { task, context, function_name, unique, workload, workload_size, ret_ptr };
    // SAFETY: the caller's promise.
    unsafe { add(client, new, Priority::High, true) }
}

/// As gearman_client_add_task(), for a background job of low priority. It has ended when the server has taken the job: only the created callback is called.
///
/// # Safety
/// As for gearman_client_add_task().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_low_background(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    let new = New { task, context, function_name, unique, workload, workload_size, ret_ptr };
    // SAFETY: the caller's promise.
    unsafe { add(client, new, Priority::Low, true) }
}

/// Adds a task that asks how the job with a handle stands. The status callback is told the answer.
///
/// # Safety
/// As for gearman_client_add_task(); `job_handle` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_status(
    client: *mut gearman_client_st,
    task: *mut gearman_task_st,
    context: *mut c_void,
    job_handle: *const c_char,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    // SAFETY: the caller's promise.
    unsafe {
        let made = with(client, Err(INVALID_ARGUMENT), |client| {
            let Some(handle) = c_bytes(job_handle) else {
                let why = "there is no handle";
                return Err(client.universal.report.record("add_task_status", INVALID_ARGUMENT, why));
            };
            Ok(client.add(Client::status_task(Some(handle), None), task, context))
        });
        put(ret_ptr, made.err().unwrap_or(SUCCESS));
        made.unwrap_or(null_mut())
    }
}

/// Adds a task that asks how the job with a unique stands. The status callback is told the answer.
///
/// # Safety
/// As for gearman_client_add_task(); `unique_handle` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_task_status_by_unique(
    client: *mut gearman_client_st,
    task_ptr: *mut gearman_task_st,
    unique_handle: *const c_char,
    ret_ptr: *mut gearman_return_t,
) -> *mut gearman_task_st {
    // SAFETY: the caller's promise.
    unsafe {
        let made = with(client, Err(INVALID_ARGUMENT), |client| {
            match c_bytes(unique_handle).filter(|unique| unique.len() <= GEARMAN_MAX_UNIQUE_SIZE) {
                Some(unique) => Ok(client.add(Client::status_task(None, Some(unique)), task_ptr, null_mut())),
                None => {
                    let why = "a unique has 64 bytes at the most";
                    Err(client.universal.report.record("add_task_status", INVALID_ARGUMENT, why))
                }
            }
        });
        put(ret_ptr, made.err().unwrap_or(SUCCESS));
        made.unwrap_or(null_mut())
    }
}

/// Runs all tasks until none is under way, and calls their callbacks. That jobs fail is no error.
///
/// In non-blocking mode it answers GEARMAN_IO_WAIT where it would have to wait: call gearman_client_wait(), then this again.
/// What a callback answers but GEARMAN_SUCCESS ends the call with that value, and the next call begins with the same
/// callback. GEARMAN_NO_SERVERS, GEARMAN_COULD_NOT_CONNECT and GEARMAN_TIMEOUT leave the tasks as they are;
/// GEARMAN_LOST_CONNECTION ends those that were under way on that connection.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_run_tasks(client: *mut gearman_client_st) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let object = inner(client);
        if object.is_null() {
            return INVALID_ARGUMENT;
        }
        let early = fence(Some(ERROR), || (*object).begin_run());
        match early {
            Some(code) => {
                tell(&raw mut (*object).universal.report);
                code
            }
            None => drive(object, Goal::All),
        }
    }
}

/// True where the client has tasks, ended or not.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_has_tasks(client: *const gearman_client_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe { with(client, false, |client| client.tasks.first().is_some()) }
}

/// True where the client has tasks that have not ended.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_has_active_tasks(client: *mut gearman_client_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe { with(client, false, |client| client.tasks.iter().any(|task| !task.state.is_final())) }
}

/// Frees all tasks of a client; the function for their contexts is called for each.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_task_free_all(client: *mut gearman_client_st) {
    // SAFETY: the caller's promise.
    unsafe {
        let object = inner(client);
        if !object.is_null() {
            free_all(object);
        }
    }
}

/// Frees a task; the function for its context is called first. NULL is allowed; a task in memory of the program may be freed
/// twice, its memory itself is never freed.
///
/// # Safety
/// `task` is NULL or a task of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_task_free(task: *mut gearman_task_st) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(task) = super::task_access::object(task) {
            free(task.client, task.id);
        }
    }
}

/// The task that was added to the same client after this one; NULL behind the last.
///
/// # Safety
/// `task` is NULL or a task of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_next(task: *mut gearman_task_st) -> *mut gearman_task_st {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(task) = super::task_access::object(task) else { return null_mut() };
        fence(null_mut(), || (*task.client).tasks.after(task.id).map_or(null_mut(), |task| task.shell))
    }
}
