//! The calls that wait for one job: `gearman_client_do` and its kin.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use lineshaft::types::Priority;

use super::add::{Job, submit};
use super::drive::drive;
use super::run::Goal;
use super::task::{Handle, Request};
use super::tasks::TaskId;
use super::{Client, inner, with};
use crate::abi::{GEARMAN_JOB_HANDLE_SIZE, gearman_client_st, gearman_return_t};
use crate::allocator::Allocator;
use crate::panic::fence;
use crate::pointer::{bytes, c_bytes, put};
use crate::report::tell;
use crate::returns::{ERROR, INVALID_ARGUMENT, IO_WAIT, MEMORY_ALLOCATION_FAILURE, SUCCESS};

impl Client {
    /// Sends a job of one call.
    fn begin_job(
        &mut self,
        job: Job<'_>,
        workload: &[u8],
        request: Request,
    ) -> Result<TaskId, gearman_return_t> {
        self.universal.report.reset();
        let task = self.make(job, workload, request)?;
        let id = self.add_call(task);
        self.begin(id, workload)
    }

    /// Sends the request of one call's task.
    pub(super) fn begin(&mut self, id: TaskId, workload: &[u8]) -> Result<TaskId, gearman_return_t> {
        let mut sent = self.send_now(id, workload);
        if sent.is_ok() && self.universal.non_blocking {
            // Nobody looks at the answer: what counts is that the server gets it.
            sent = self.flush_now().and_then(|()| self.take_stray_answers());
            sent = sent.and_then(|()| Err(self.universal.report.note(IO_WAIT)));
        }
        if let Err(code) = sent {
            self.remove(id);
            return Err(code);
        }
        Ok(id)
    }

    /// What has become of a call's task, which was driven with `code`.
    fn outcome(&mut self, id: TaskId, code: gearman_return_t) -> gearman_return_t {
        match self.tasks.get(id) {
            Some(task) if code == SUCCESS && task.outcome != SUCCESS => {
                let outcome = task.outcome;
                self.universal.report.note(outcome)
            }
            _ => code,
        }
    }
}

/// Drives what one call has begun, and answers with what has become of it. The task is the caller's to remove.
///
/// # Safety
/// As for [`drive`].
pub(super) unsafe fn finish(client: *mut Client, id: TaskId) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let code = drive(client, Goal::Task(id));
        fence(ERROR, || (*client).outcome(id, code))
    }
}

/// What a program says of a job that it waits for.
#[derive(Clone, Copy)]
struct Call {
    function: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    size: usize,
    priority: Priority,
}

impl Call {
    /// Sends the job.
    ///
    /// # Safety
    /// As for gearman_client_do(); `client` is not NULL.
    unsafe fn begin(self, client: *mut Client, background: bool) -> Result<TaskId, gearman_return_t> {
        let Self { function, unique, workload, size, priority } = self;
        // SAFETY: the caller's promise.
        unsafe {
            let begun = fence(Err(ERROR), || {
                let job = Job { function: c_bytes(function), unique: c_bytes(unique), workload, size };
                (*client).begin_job(job, bytes(workload, size), submit(priority, background))
            });
            tell(&raw mut (*client).universal.report);
            begun
        }
    }
}

/// Runs a foreground job to its end.
///
/// # Safety
/// As for gearman_client_do().
unsafe fn run(
    client: *mut gearman_client_st,
    call: Call,
    result_size: *mut usize,
    ret: *mut gearman_return_t,
) -> *mut c_void {
    // SAFETY: the caller's promise; no reference lives while callbacks or the program's allocator run.
    unsafe {
        put(result_size, 0);
        let object = inner(client);
        if object.is_null() {
            put(ret, INVALID_ARGUMENT);
            return null_mut();
        }
        let id = match call.begin(object, false) {
            Ok(id) => id,
            Err(code) => {
                put(ret, code);
                return null_mut();
            }
        };
        let mut code = finish(object, id);
        let (size, allocator) = fence((0, Allocator::default()), || {
            let result =
                (*object).tasks.get(id).filter(|_| code == SUCCESS).and_then(|task| task.result.as_ref());
            (result.and_then(|result| result.text()).map_or(0, <[u8]>::len), (*object).universal.allocator)
        });
        let mut memory = null_mut();
        if size > 0 {
            // One byte more for a NUL, which texts want.
            memory = allocator.allocate(size + 1);
            if memory.is_null() {
                code = MEMORY_ALLOCATION_FAILURE;
            }
        }
        fence((), || {
            let result = (*object).tasks.get(id).and_then(|task| task.result.as_ref());
            if let Some(text) = result.and_then(|result| result.text()).filter(|_| !memory.is_null()) {
                std::ptr::copy_nonoverlapping(text.as_ptr(), memory.cast(), size);
                memory.cast::<u8>().add(size).write(0);
                put(result_size, size);
            }
            (*object).remove(id);
        });
        put(ret, code);
        memory
    }
}

/// Submits a background job.
///
/// # Safety
/// As for gearman_client_do_background().
unsafe fn hand_over(client: *mut gearman_client_st, call: Call, job_handle: *mut c_char) -> gearman_return_t {
    // SAFETY: the caller's promise; no reference lives while callbacks run.
    unsafe {
        put(job_handle, 0);
        let object = inner(client);
        if object.is_null() {
            return INVALID_ARGUMENT;
        }
        (*object).last_handle = Handle::default();
        let id = match call.begin(object, true) {
            Ok(id) => id,
            Err(code) => return code,
        };
        let code = finish(object, id);
        fence((), || {
            if let Some(task) = (*object).tasks.get(id).filter(|_| code == SUCCESS) {
                (*object).last_handle = task.handle;
                put(job_handle.cast::<[u8; GEARMAN_JOB_HANDLE_SIZE]>(), *task.handle.as_array());
            }
            (*object).remove(id);
        });
        code
    }
}

/// Runs a job to its end and answers with its result: memory that the program frees with free(), or with its own free
/// function where it has set a malloc function. A NUL stands behind the result. NULL where that is empty, or the job has
/// failed.
///
/// `ret_ptr` tells: GEARMAN_SUCCESS, GEARMAN_WORK_FAIL, GEARMAN_WORK_EXCEPTION, GEARMAN_TIMEOUT, GEARMAN_LOST_CONNECTION,
/// GEARMAN_NO_SERVERS, GEARMAN_COULD_NOT_CONNECT, GEARMAN_INVALID_ARGUMENT or a server's error. In non-blocking mode the job is
/// sent, and the answer is GEARMAN_IO_WAIT. Callbacks are not called.
///
/// # Safety
/// `client` is NULL or a client of this library; texts end with a NUL; `workload` is NULL or has `workload_size` bytes;
/// `result_size` and `ret_ptr` are NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_do(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    result_size: *mut usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut c_void {
    let (function, size, priority) = (function_name, workload_size, Priority::Normal);
    // SAFETY: the caller's promise.
    unsafe { run(client, Call { function, unique, workload, size, priority }, result_size, ret_ptr) }
}

/// As gearman_client_do(), for a job of high priority.
///
/// # Safety
/// As for gearman_client_do().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_do_high(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    result_size: *mut usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut c_void {
    let (function, size, priority) = (function_name, workload_size, Priority::High);
    // SAFETY: the caller's promise.
    unsafe { run(client, Call { function, unique, workload, size, priority }, result_size, ret_ptr) }
}

/// As gearman_client_do(), for a job of low priority.
///
/// # Safety
/// As for gearman_client_do().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_do_low(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    result_size: *mut usize,
    ret_ptr: *mut gearman_return_t,
) -> *mut c_void {
    let (function, size, priority) = (function_name, workload_size, Priority::Low);
    // SAFETY: the caller's promise.
    unsafe { run(client, Call { function, unique, workload, size, priority }, result_size, ret_ptr) }
}

/// Submits a background job, and returns when the server has it. Its handle is copied to `job_handle`, where there is one.
///
/// In non-blocking mode the job is sent, the handle is empty, and the answer is GEARMAN_IO_WAIT.
///
/// # Safety
/// As for gearman_client_do(); `job_handle` is NULL or has room for 64 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_do_background(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    job_handle: *mut c_char,
) -> gearman_return_t {
    let (function, size, priority) = (function_name, workload_size, Priority::Normal);
    // SAFETY: the caller's promise.
    unsafe { hand_over(client, Call { function, unique, workload, size, priority }, job_handle) }
}

/// As gearman_client_do_background(), for a job of high priority.
///
/// # Safety
/// As for gearman_client_do_background().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_do_high_background(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    job_handle: *mut c_char,
) -> gearman_return_t {
    let (function, size, priority) = (function_name, workload_size, Priority::High);
    // SAFETY: the caller's promise.
    unsafe { hand_over(client, Call { function, unique, workload, size, priority }, job_handle) }
}

/// As gearman_client_do_background(), for a job of low priority.
///
/// # Safety
/// As for gearman_client_do_background().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_do_low_background(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    unique: *const c_char,
    workload: *const c_void,
    workload_size: usize,
    job_handle: *mut c_char,
) -> gearman_return_t {
    let (function, size, priority) = (function_name, workload_size, Priority::Low);
    // SAFETY: the caller's promise.
    unsafe { hand_over(client, Call { function, unique, workload, size, priority }, job_handle) }
}

/// The handle of the last background job that a call of this client has submitted; empty where there is none. Lives as
/// long as the client. NULL and errno EINVAL for NULL.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_do_job_handle(client: *mut gearman_client_st) -> *const c_char {
    // SAFETY: the caller's promise; errno is this thread's own.
    unsafe {
        if client.is_null() {
            *libc::__errno_location() = libc::EINVAL;
        }
        with(client, std::ptr::null(), |client| client.last_handle.as_ptr())
    }
}

/// Deprecated: stores 0 and 0. Add a task and a status callback instead.
///
/// # Safety
/// Both pointers are NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_do_status(
    _client: *mut gearman_client_st,
    numerator: *mut u32,
    denominator: *mut u32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        put(numerator, 0);
        put(denominator, 0);
    }
}
