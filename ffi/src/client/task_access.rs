//! What a program can ask a task.

use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

use bytes::Bytes;

use super::task::{State, Task};
use crate::abi::{gearman_return_t, gearman_string_t, gearman_task_st};
use crate::allocator::Allocator;
use crate::panic::fence;
use crate::pointer::{bytes, put};
use crate::result::gearman_result_st;
use crate::returns::{self, INVALID_ARGUMENT, SUCCESS, UNKNOWN_STATE};

/// The task behind a handle; `None` for NULL and for a handle that has been freed.
///
/// # Safety
/// `task` is NULL or a handle that this library has initialised; the reference ends before anything of the program runs.
pub(super) unsafe fn object<'a>(task: *const gearman_task_st) -> Option<&'a mut Task> {
    // SAFETY: the caller's promise.
    unsafe { task.as_ref()?._impl.as_mut() }
}

/// Asks the task behind a handle; `otherwise` is the answer for none and for a panic.
///
/// # Safety
/// As for [`object`].
unsafe fn ask<T>(task: *const gearman_task_st, otherwise: T, question: impl FnOnce(&mut Task) -> T) -> T
where
    T: Copy,
{
    // SAFETY: the caller's promise.
    fence(otherwise, || unsafe { object(task) }.map_or(otherwise, question))
}

/// True every other time that it is asked about a task.
///
/// # Safety
/// As for [`object`].
pub(crate) unsafe fn pause_once(task: *const gearman_task_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        ask(task, false, |task| {
            task.has_paused = !task.has_paused;
            task.has_paused
        })
    }
}

/// The pointer that the program gave when it added the task, or with gearman_task_set_context(); NULL without one.
///
/// # Safety
/// `task` is NULL or a task of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_context(task: *const gearman_task_st) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { ask(task, null_mut(), |task| task.context) }
}

/// Stores another pointer of the program's. The old one is not freed.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_set_context(task: *mut gearman_task_st, context: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { ask(task, (), |task| task.context = context) }
}

/// The function's name as it is sent, with its namespace in front. Lives as long as the task.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_function_name(task: *const gearman_task_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { ask(task, null(), |task| task.function.as_ptr()) }
}

/// The unique as it is sent: 36 letters where the library has made one. Lives as long as the task.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_unique(task: *const gearman_task_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { ask(task, null(), |task| task.unique.as_ptr()) }
}

/// The job's handle; empty until the server has told it. Lives as long as the task.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_job_handle(task: *const gearman_task_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { ask(task, null(), |task| task.handle.as_ptr()) }
}

/// True while the server has the job: from the created callback to the end, or as the last status answer says.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_is_known(task: *const gearman_task_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ask(task, false, |task| task.is_known) }
}

/// True while a worker has sent data, or as the last status answer says.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_is_running(task: *const gearman_task_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ask(task, false, |task| task.is_running) }
}

/// True where the task has come to its end.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_is_finished(task: *const gearman_task_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ask(task, false, |task| task.state.is_final()) }
}

/// What the worker has last reported as done; 0 before that.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_numerator(task: *const gearman_task_st) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { ask(task, 0, |task| task.numerator) }
}

/// What the worker has last reported as all there is to do; 0 before that.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_denominator(task: *const gearman_task_st) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { ask(task, 0, |task| task.denominator) }
}

/// GEARMAN_UNKNOWN_STATE until the task has ended, then what has become of it: GEARMAN_SUCCESS, GEARMAN_WORK_FAIL,
/// GEARMAN_WORK_EXCEPTION, GEARMAN_LOST_CONNECTION, or the server's error.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_return(task: *const gearman_task_st) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe { ask(task, INVALID_ARGUMENT, |task| task.outcome) }
}

/// The name of gearman_task_return(); NULL where that is GEARMAN_SUCCESS, or the task has not ended. Static.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_error(task: *const gearman_task_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        ask(task, null(), |task| match task.outcome {
            SUCCESS | UNKNOWN_STATE => null(),
            code => returns::name(code).as_ptr(),
        })
    }
}

/// How far the task has come, as text: `GEARMAN_TASK_STATE_FINISHED` for example. Static.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_strstate(task: *const gearman_task_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { ask(task, null(), |task| task.state.name().as_ptr()) }
}

/// The data of what a callback is told; NULL where there is none, or with GEARMAN_CLIENT_UNBUFFERED_RESULT. There is no NUL
/// behind it. Valid until the callback returns.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_data(task: *const gearman_task_st) -> *const c_void {
    // SAFETY: the caller's promise.
    unsafe {
        ask(task, null(), |task| match &task.data {
            Some(data) if !task.is_unbuffered && !data.is_empty() => data.as_ptr().cast(),
            _ => null(),
        })
    }
}

/// The size of the data of what a callback is told, in bytes.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_data_size(task: *const gearman_task_st) -> usize {
    // SAFETY: the caller's promise.
    unsafe { ask(task, 0, |task| task.data.as_ref().map_or(0, Bytes::len)) }
}

/// Gives the data of what a callback is told away: memory of the program's malloc function, or of malloc(). NULL where there is
/// none.
///
/// # Safety
/// As for gearman_task_context(); `data_size` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_task_take_data(
    task: *mut gearman_task_st,
    data_size: *mut usize,
) -> *mut c_void {
    // SAFETY: the caller's promise; no reference lives while the program's allocator runs.
    unsafe {
        let size = gearman_task_data_size(task);
        let allocator = ask(task, Allocator::default(), |task| (*task.client).universal.allocator);
        let memory = if size == 0 { null_mut() } else { allocator.allocate(size) };
        let given = if memory.is_null() { 0 } else { size };
        put(data_size, given);
        if given > 0 {
            ask(task, (), |task| {
                if let Some(data) = task.data.take() {
                    std::ptr::copy_nonoverlapping(data.as_ptr(), memory.cast(), data.len().min(size));
                }
            });
        }
        memory
    }
}

/// Reads the next piece of the data of what a callback is told into `data`, and answers its size; 0 at the end.
///
/// # Safety
/// As for gearman_task_context(); `data` has room for `data_size` bytes, `ret_ptr` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_recv_data(
    task: *mut gearman_task_st,
    data: *mut c_void,
    data_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        put(ret_ptr, if task.is_null() || data.is_null() { INVALID_ARGUMENT } else { SUCCESS });
        if data.is_null() {
            return 0;
        }
        ask(task, 0, |task| {
            let Some(rest) = task.data.as_ref().and_then(|all| all.get(task.read..)) else { return 0 };
            let size = rest.len().min(data_size);
            std::ptr::copy_nonoverlapping(rest.as_ptr(), data.cast(), size);
            task.read += size;
            size
        })
    }
}

/// Puts a piece behind the workload of a task that has not been sent, and answers its size.
///
/// # Safety
/// As for gearman_task_context(); `workload` has `workload_size` bytes, `ret_ptr` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_send_workload(
    task: *mut gearman_task_st,
    workload: *const c_void,
    workload_size: usize,
    ret_ptr: *mut gearman_return_t,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let more = bytes(workload, workload_size);
        let taken = ask(task, Err(INVALID_ARGUMENT), |task| match task.state {
            State::New => {
                task.workload = [&task.workload[..], more].concat().into();
                Ok(more.len())
            }
            _ => Err(INVALID_ARGUMENT),
        });
        put(ret_ptr, taken.err().unwrap_or(SUCCESS));
        taken.unwrap_or(0)
    }
}

/// Hands a workload over to a task that has not been sent. The library frees it, with the program's free function or free().
///
/// # Safety
/// As for gearman_task_context(); `workload` has `workload_size` bytes and comes from the allocator of the task's client.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_task_give_workload(
    task: *mut gearman_task_st,
    workload: *const c_void,
    workload_size: usize,
) {
    // SAFETY: the caller's promise; no reference lives while the program's allocator runs.
    unsafe {
        let given = bytes(workload, workload_size);
        let allocator = ask(task, None, |task| {
            if task.state == State::New {
                task.workload = Bytes::copy_from_slice(given);
            }
            Some((*task.client).universal.allocator)
        });
        if let Some(allocator) = allocator {
            allocator.release(workload.cast_mut());
        }
    }
}

/// True where the worker has ended the job with an exception that says something.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_has_exception(task_shell: *const gearman_task_st) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ask(task_shell, false, |task| task.exception.as_ref().is_some_and(|data| !data.is_empty())) }
}

/// What the exception says; NULL and 0 without one. Lives as long as the task.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_exception(task: *const gearman_task_st) -> gearman_string_t {
    // SAFETY: the caller's promise.
    unsafe {
        ask(task, gearman_string_t::NONE, |task| match &task.exception {
            Some(data) => gearman_string_t { c_str: data.as_ptr().cast(), size: data.len() },
            None => gearman_string_t::NONE,
        })
    }
}

/// The result of a task of gearman_execute(); NULL where it has none, and for any other task. Lives as long as the task.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_result(task: *mut gearman_task_st) -> *mut gearman_result_st {
    // SAFETY: the caller's promise.
    unsafe {
        ask(task, null_mut(), |task| {
            task.result.as_mut().map_or(null_mut(), |result| result as *mut gearman_result_st)
        })
    }
}
