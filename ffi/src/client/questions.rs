//! Questions about jobs that other calls have submitted.

use std::ffi::c_char;
use std::ptr::null;

use super::calls::finish;
use super::tasks::TaskId;
use super::{Client, inner, with};
use crate::abi::{GEARMAN_MAX_UNIQUE_SIZE, gearman_client_st, gearman_return_t, gearman_status_t};
use crate::panic::fence;
use crate::pointer::{c_bytes, put};
use crate::report::tell;
use crate::returns::{ERROR, IN_PROGRESS, INVALID_ARGUMENT, JOB_EXISTS, SUCCESS};

impl Client {
    /// Sends a question of one call.
    fn begin_question(
        &mut self,
        handle: Option<&[u8]>,
        unique: Option<&[u8]>,
    ) -> Result<TaskId, gearman_return_t> {
        self.universal.report.reset();
        if handle.or(unique).is_none_or(|name| name.len() > GEARMAN_MAX_UNIQUE_SIZE) {
            let why = "a handle or unique has 64 bytes at the most";
            return Err(self.universal.report.record("status", INVALID_ARGUMENT, why));
        }
        let id = self.add_call(Self::status_task(handle, unique));
        self.begin(id, &[])
    }
}

/// Asks how the job with a handle or a unique stands.
///
/// # Safety
/// As for gearman_client_job_status().
unsafe fn question(
    client: *mut gearman_client_st,
    handle: *const c_char,
    unique: *const c_char,
) -> gearman_status_t {
    // SAFETY: the caller's promise; no reference lives while callbacks run.
    unsafe {
        let object = inner(client);
        if object.is_null() {
            return gearman_status_t::failed(INVALID_ARGUMENT);
        }
        let begun = fence(Err(ERROR), || (*object).begin_question(c_bytes(handle), c_bytes(unique)));
        tell(&raw mut (*object).universal.report);
        let id = match begun {
            Ok(id) => id,
            Err(code) => return gearman_status_t::failed(code),
        };
        let code = finish(object, id);
        fence(gearman_status_t::failed(ERROR), || {
            let status = match (*object).tasks.get(id) {
                Some(task) if code == SUCCESS => gearman_status_t {
                    is_known: task.is_known,
                    is_running: task.is_running,
                    numerator: task.numerator,
                    denominator: task.denominator,
                    client_count: task.client_count,
                    ..gearman_status_t::UNKNOWN
                },
                _ => gearman_status_t::failed(code),
            };
            (*object).remove(id);
            status
        })
    }
}

/// Asks how the job with a handle stands: whether the server knows it, whether a worker has it, and what that has reported. What
/// is asked for and failed is stored as false and 0.
///
/// Where both `is_known` and `is_running` are NULL the answer itself tells: GEARMAN_IN_PROGRESS where a worker has it,
/// GEARMAN_JOB_EXISTS where it waits, GEARMAN_SUCCESS where it is unknown.
///
/// # Safety
/// `client` is NULL or a client of this library; `job_handle` is NULL or a text that ends with a NUL; the others are NULL or can
/// be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_job_status(
    client: *mut gearman_client_st,
    job_handle: *const c_char,
    is_known: *mut bool,
    is_running: *mut bool,
    numerator: *mut u32,
    denominator: *mut u32,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let status = question(client, job_handle, null());
        put(is_known, status.is_known);
        put(is_running, status.is_running);
        put(numerator, status.numerator);
        put(denominator, status.denominator);
        match status.result_rc {
            SUCCESS if is_known.is_null() && is_running.is_null() => {
                match (status.is_running, status.is_known) {
                    (true, _) => IN_PROGRESS,
                    (false, true) => JOB_EXISTS,
                    (false, false) => SUCCESS,
                }
            }
            code => code,
        }
    }
}

/// Asks how the job with a unique stands. The length is not used: `unique` ends with a NUL. To be read with
/// gearman_status_return() and its kin.
///
/// # Safety
/// `client` is NULL or a client of this library; `unique` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_unique_status(
    client: *mut gearman_client_st,
    unique: *const c_char,
    _unique_length: usize,
) -> gearman_status_t {
    // SAFETY: the caller's promise.
    unsafe { question(client, null(), unique) }
}

/// Reports the job with a handle as failed to every server. GEARMAN_JOB_NOT_FOUND where one does not know it, or does not
/// let this client end it.
///
/// # Safety
/// `client_shell` is NULL or a client of this library; `job_handle` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_cancel_job(
    client_shell: *mut gearman_client_st,
    job_handle: *mut c_char,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let handle = c_bytes(job_handle).unwrap_or_default();
        with(client_shell, INVALID_ARGUMENT, |client| client.universal.cancel(handle))
    }
}
