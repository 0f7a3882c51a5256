//! What a job's function reports.

use std::ffi::c_void;

use lineshaft::protocol::{Data, Request, Work};

use super::Job;
use crate::abi::{gearman_job_st, gearman_return_t};
use crate::panic::fence;
use crate::pointer::bytes;
use crate::report::tell;
use crate::returns::{INVALID_ARGUMENT, LOST_CONNECTION, SUCCESS, TIMEOUT};
use crate::worker::Worker;

impl Worker {
    /// Sends a report and waits until it is written, however long that takes: half a report would be worth nothing.
    fn report(&mut self, conversation: u64, handle: &[u8], work: Work<'_>) -> gearman_return_t {
        let at = self.universal.connections.iter().position(|it| it.is_conversation(conversation));
        let Some(at) = at else {
            let why =
                "the connection that the job came over has been lost, its server gives it to another worker";
            return self.universal.report.record("job", LOST_CONNECTION, why);
        };
        self.universal.connections[at].line.send(&Request::Work { handle, work });
        loop {
            let line = &mut self.universal.connections[at].line;
            if let Err(error) = line.flush() {
                return self.universal.fail(at, &error);
            }
            if line.unsent() == 0 {
                return SUCCESS;
            }
            match self.universal.wait_for_one(at) {
                Ok(()) | Err(TIMEOUT) => {}
                Err(code) => return code,
            }
            // A server may itself wait for somebody to read.
            if let Err(error) = self.universal.connections[at].line.fill() {
                return self.universal.fail(at, &error);
            }
        }
    }
}

impl Job {
    /// Tells the server something; nothing where it has been told the end. What ends a job does so even where it cannot be sent.
    pub(crate) fn send(&mut self, work: Work<'_>) -> gearman_return_t {
        if self.is_finished {
            return SUCCESS;
        }
        self.is_finished = work.ends_job();
        // SAFETY: a job's worker lives at least as long as the job, and is another object.
        let worker = unsafe { &mut *self.worker };
        worker.report(self.conversation, self.text(0), work)
    }

    /// A piece of the result, or of the work where this is a map job.
    fn send_data(&mut self, data: &[u8]) -> gearman_return_t {
        match self.is_map() {
            true => self.add_piece(data),
            false => self.send(Work::Data(Data::Borrowed(data))),
        }
    }

    /// The end of a map job is told when its pieces are done.
    fn refuse_map(&self, place: &str) -> Result<(), gearman_return_t> {
        if !self.is_map() {
            return Ok(());
        }
        // SAFETY: as in `send`.
        let worker = unsafe { &mut *self.worker };
        Err(worker.universal.report.record(
            place,
            INVALID_ARGUMENT,
            "the pieces of a map job decide how it ends",
        ))
    }
}

/// Runs `body` with the job behind a handle, then hands what has been recorded to the log function.
///
/// # Safety
/// `job` is NULL or a job of this library; `body` calls nothing of the program's.
unsafe fn with(
    job: *mut gearman_job_st,
    body: impl FnOnce(&mut Job) -> gearman_return_t,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let object = job.as_ref().map_or(std::ptr::null_mut(), |job| job._impl);
        if object.is_null() {
            return INVALID_ARGUMENT;
        }
        let answer = fence(INVALID_ARGUMENT, || body(&mut *object));
        tell(&raw mut (*(*object).worker).universal.report);
        answer
    }
}

/// Sends a piece of the result. In a map job the piece is work: it goes to the reducer, as a job of its own.
///
/// This and the other reports wait until the server has them, whatever the timeout. After the end of the job they answer GEARMAN_SUCCESS
/// and send nothing; GEARMAN_LOST_CONNECTION where the server that gave the job has been lost.
///
/// # Safety
/// `job` is NULL or a job of this library; `data` is NULL or has `data_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_send_data(
    job: *mut gearman_job_st,
    data: *const c_void,
    data_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let data = bytes(data, data_size);
        with(job, |job| job.send_data(data))
    }
}

/// Sends a warning; see gearman_job_send_data().
///
/// # Safety
/// As for gearman_job_send_data().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_send_warning(
    job: *mut gearman_job_st,
    warning: *const c_void,
    warning_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let warning = bytes(warning, warning_size);
        with(job, |job| job.send(Work::Warning(Data::Borrowed(warning))))
    }
}

/// Tells how far the job has come; see gearman_job_send_data().
///
/// # Safety
/// As for gearman_job_send_data().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_send_status(
    job: *mut gearman_job_st,
    numerator: u32,
    denominator: u32,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        with(job, |job| {
            let (numerator, denominator) = (numerator.to_string(), denominator.to_string());
            job.send(Work::Status { numerator: numerator.as_bytes(), denominator: denominator.as_bytes() })
        })
    }
}

/// Ends the job with the (rest of the) result. GEARMAN_INVALID_ARGUMENT in a map job; see gearman_job_send_data().
///
/// # Safety
/// As for gearman_job_send_data().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_send_complete(
    job: *mut gearman_job_st,
    result: *const c_void,
    result_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let result = bytes(result, result_size);
        with(job, |job| match job.refuse_map("send_complete") {
            Ok(()) => job.send(Work::Complete(Data::Borrowed(result))),
            Err(code) => code,
        })
    }
}

/// Ends the job with an exception, which must not be empty: GEARMAN_INVALID_ARGUMENT. See gearman_job_send_data().
///
/// # Safety
/// As for gearman_job_send_data().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_send_exception(
    job: *mut gearman_job_st,
    exception: *const c_void,
    exception_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let exception = bytes(exception, exception_size);
        if exception.is_empty() {
            return INVALID_ARGUMENT;
        }
        with(job, |job| job.send(Work::Exception(Data::Borrowed(exception))))
    }
}

/// Ends the job without a result. GEARMAN_INVALID_ARGUMENT in a map job; see gearman_job_send_data().
///
/// # Safety
/// As for gearman_job_send_data().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_send_fail(job: *mut gearman_job_st) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        with(job, |job| match job.refuse_map("send_fail") {
            Ok(()) => job.send(Work::Fail),
            Err(code) => code,
        })
    }
}
