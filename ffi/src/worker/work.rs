//! How a worker does a job.

use std::ffi::c_void;

use lineshaft::protocol::{Data, Work};

use super::functions::Callback;
use super::grab::{Caller, fetch};
use super::reduce::{Pieces, reduce};
use super::{Worker, inner, within};
use crate::abi::{gearman_return_t, gearman_worker_st};
use crate::allocator::Allocator;
use crate::job::{self, Job};
use crate::pointer::bytes;
use crate::returns::{
    self, ERROR, INVALID_ARGUMENT, INVALID_FUNCTION_NAME, LOST_CONNECTION, SHUTDOWN, SUCCESS, WORK_EXCEPTION,
    WORK_FAIL,
};

/// A function with what it is called for. Nothing in it has to be dropped.
#[derive(Clone, Copy)]
struct Call {
    callback: Callback,
    context: *mut c_void,
}

/// What a function has made of its job.
#[derive(Clone, Copy)]
enum Verdict {
    /// Done, and what the call then answers.
    Complete(gearman_return_t),
    /// Failed, and what the call then answers.
    Fail(gearman_return_t),
    /// The job is for another worker: the connections are closed, so that the server gives it away.
    Return,
}

/// Gets one job, runs its function and tells the server the result; waits for a job as long as the timeout allows.
///
/// Answers GEARMAN_SUCCESS; GEARMAN_TIMEOUT where no job has come in time; what the function itself has answered, where the job has
/// failed or is the last one (GEARMAN_SHUTDOWN); and what gearman_worker_grab_job() answers. After a failed job the next call does
/// nothing.
///
/// # Safety
/// `worker` is NULL or a worker of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_work(worker: *mut gearman_worker_st) -> gearman_return_t {
    let mark = 0u8;
    let frame = &raw const mark as usize;
    // SAFETY: the caller's promise. What follows holds nothing but plain numbers and pointers where the program's functions run.
    unsafe {
        let object = inner(worker);
        free_left(object, frame);
        if within(object, false, Worker::is_settled) {
            return SUCCESS;
        }
        let fetched = fetch(object, Caller::Work);
        if fetched.job.is_null() {
            return fetched.code;
        }
        let call = within(object, None, |worker| worker.call_for(&mut *fetched.job, frame));
        let code = match call {
            None => INVALID_FUNCTION_NAME,
            Some(call) => run(object, fetched.job, call, frame),
        };
        if call.is_none() || within(object, false, |worker| worker.holds(fetched.job, frame)) {
            job::free(fetched.job);
        }
        code
    }
}

/// Calls a function and tells the server what it has made of the job.
///
/// # Safety
/// Everything is valid. Not inside a fence.
unsafe fn run(object: *mut Worker, job: *mut Job, call: Call, frame: usize) -> gearman_return_t {
    // SAFETY: the caller's promise. The functions are the program's own.
    unsafe {
        let shell = Job::shell(job);
        match call.callback {
            Callback::None => INVALID_FUNCTION_NAME,
            Callback::V1(function) => {
                let (mut size, mut code) = (0, SUCCESS);
                let memory = function(shell, call.context, &raw mut size, &raw mut code);
                if !within(object, false, |worker| worker.holds(job, frame)) {
                    return SUCCESS;
                }
                let pieces = reduce(job, None, code == SUCCESS);
                let answer = within(object, code, |worker| {
                    let result = bytes(memory, size);
                    worker.finish(&mut *job, of_v1(code), pieces, result)
                });
                let allocator = within(object, Allocator::default(), |worker| worker.universal.allocator);
                allocator.release(memory);
                answer
            }
            Callback::V2(function, aggregator) => {
                let code = function(shell, call.context);
                if !within(object, false, |worker| worker.holds(job, frame)) {
                    return SUCCESS;
                }
                let pieces = reduce(job, aggregator, code == SUCCESS);
                within(object, code, |worker| {
                    let verdict = worker.of_v2(code);
                    worker.finish(&mut *job, verdict, pieces, b"")
                })
            }
        }
    }
}

const fn of_v1(code: gearman_return_t) -> Verdict {
    match code {
        SUCCESS | SHUTDOWN => Verdict::Complete(code),
        LOST_CONNECTION => Verdict::Return,
        other => Verdict::Fail(other),
    }
}

/// Ends the jobs whose functions have been left by `longjmp` or an exception instead of returning: they have failed. Such a function was
/// called from this far up the stack, or further down: while one is still running, calls come from further down only.
///
/// # Safety
/// `object` is NULL or valid. Not inside a fence.
unsafe fn free_left(object: *mut Worker, frame: usize) {
    // SAFETY: the caller's promise; a worker's jobs are valid.
    unsafe {
        loop {
            let left = within(object, None, |worker| {
                let left = worker.jobs.iter().copied().find(|&job| (1..=frame).contains(&(*job).frame))?;
                (*left).send(Work::Fail);
                Some(left)
            });
            let Some(left) = left else { return };
            job::free(left);
        }
    }
}

impl Worker {
    /// True where a call has nothing to do because the last one has answered with a function's failure.
    fn is_settled(&mut self) -> bool {
        std::mem::take(&mut self.settled)
    }

    /// True where a job is still the one that was called for from `frame`. A function that waits on a stack of its own, as fibers
    /// have, may come back after another call has taken it for one that was left.
    fn holds(&self, job: *mut Job, frame: usize) -> bool {
        // SAFETY: a worker's jobs are valid.
        self.jobs.iter().any(|&held| held == job && unsafe { (*held).frame } == frame)
    }

    fn call_for(&mut self, job: &mut Job, frame: usize) -> Option<Call> {
        match self.functions.get(job.function()) {
            Some(function) if !matches!(function.callback, Callback::None) => {
                job.frame = frame;
                Some(Call { callback: function.callback, context: function.context })
            }
            _ => {
                let why = format!("the worker has no function {} to call", job.function().escape_ascii());
                self.universal.report.record("work", INVALID_FUNCTION_NAME, &why);
                None
            }
        }
    }

    fn of_v2(&mut self, code: gearman_return_t) -> Verdict {
        match code {
            SUCCESS | SHUTDOWN => Verdict::Complete(code),
            WORK_FAIL | WORK_EXCEPTION => Verdict::Fail(WORK_FAIL),
            ERROR => Verdict::Return,
            other => {
                let name = returns::name(other).to_str().unwrap_or_default();
                let why = format!("a function has answered {name}, which says nothing about its job");
                self.universal.report.record("work", INVALID_ARGUMENT, &why);
                Verdict::Return
            }
        }
    }

    /// Tells the server how a job has ended. That its connection has been lost is no error: another worker gets the job.
    fn finish(&mut self, job: &mut Job, verdict: Verdict, pieces: Pieces, result: &[u8]) -> gearman_return_t {
        let verdict = match (verdict, pieces) {
            (Verdict::Complete(_), Pieces::Failed(code)) => Verdict::Fail(code),
            (verdict, _) => verdict,
        };
        let (sent, answer) = match verdict {
            Verdict::Complete(code) => {
                let aggregated = std::mem::take(&mut job.result);
                let result =
                    if pieces == Pieces::Done { aggregated.text().unwrap_or_default() } else { result };
                (job.send(Work::Complete(Data::Borrowed(result))), code)
            }
            Verdict::Fail(code) => {
                self.settled = true;
                let sent = job.send(Work::Fail);
                self.universal.report.note(code);
                (sent, code)
            }
            Verdict::Return => {
                self.close_all();
                (SUCCESS, SUCCESS)
            }
        };
        if matches!(sent, SUCCESS | LOST_CONNECTION) { answer } else { sent }
    }
}
