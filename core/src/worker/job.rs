//! A job, as the function that does it sees it.

use std::fmt;

use bytes::Bytes;

use crate::error::Result;
use crate::protocol::{Assign, Data, Work};

/// How a job ended badly. A function returns it as its error; `?` makes an exception of any other error, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// WORK_FAIL: the job failed, and nothing more is said.
    Fail,
    /// WORK_EXCEPTION: the job failed, and these bytes tell the client why. A client that has not asked for exceptions
    /// hears of a failure alone.
    Exception(Bytes),
}

impl JobError {
    /// An exception with this text.
    pub fn exception(text: impl Into<Bytes>) -> Self {
        Self::Exception(text.into())
    }
}

impl<E: std::error::Error> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::Exception(error.to_string().into())
    }
}

/// What a function gives back: the result of the job, or how it ended badly.
pub type Outcome<T = Bytes> = Result<T, JobError>;

/// The last packet of a job.
pub(super) fn last_word(outcome: &Outcome) -> Work<'_> {
    match outcome {
        Ok(result) => Work::Complete(result.into()),
        Err(JobError::Fail) => Work::Fail,
        Err(JobError::Exception(data)) => Work::Exception(data.into()),
    }
}

/// The exception that a panic becomes.
pub(super) fn panicked(payload: &(dyn std::any::Any + Send)) -> JobError {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    JobError::Exception(format!("panic: {text}").into())
}

/// Who passes a job's reports on.
pub(super) trait Report {
    fn report(&mut self, handle: &[u8], work: Work<'_>) -> Result<()>;
}

/// A job for a function that blocks: in a [`blocking::Worker`](crate::blocking::Worker), or on a thread of an async one.
pub struct BlockingJob<'a> {
    assign: Assign<'a>,
    reports: &'a mut dyn Report,
}

impl fmt::Debug for BlockingJob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("assign", &self.assign).finish_non_exhaustive()
    }
}

impl<'a> BlockingJob<'a> {
    pub(super) fn new(assign: Assign<'a>, reports: &'a mut dyn Report) -> Self {
        Self { assign, reports }
    }

    /// What the job is about.
    pub fn workload(&self) -> &[u8] {
        &self.assign.workload
    }

    /// The workload, to be kept; a large one is not copied.
    pub fn to_bytes(&self) -> Bytes {
        self.assign.workload.to_bytes()
    }

    /// The server's name for the job.
    pub fn handle(&self) -> &[u8] {
        self.assign.handle
    }

    /// The function that is asked for.
    pub fn function(&self) -> &[u8] {
        self.assign.function
    }

    /// The submission's unique; empty where there is none.
    pub fn unique(&self) -> &[u8] {
        self.assign.unique
    }

    /// The submission's reducer, in a map/reduce job.
    pub fn reducer(&self) -> Option<&[u8]> {
        Some(self.assign.reducer).filter(|reducer| !reducer.is_empty())
    }

    /// Sends a piece of the result. Waits where a slow connection has much to carry already.
    ///
    /// # Errors
    /// [`ErrorKind::LostConnection`](crate::ErrorKind::LostConnection): the server has given the job to somebody else by now.
    pub fn send_data<'d>(&mut self, data: impl Into<Data<'d>>) -> Result<()> {
        self.reports.report(self.assign.handle, Work::Data(data.into()))
    }

    /// Sends something that people should know.
    ///
    /// # Errors
    /// As [`BlockingJob::send_data`].
    pub fn send_warning<'d>(&mut self, data: impl Into<Data<'d>>) -> Result<()> {
        self.reports.report(self.assign.handle, Work::Warning(data.into()))
    }

    /// Says how far the job has come, in units of the function's own choice.
    ///
    /// # Errors
    /// As [`BlockingJob::send_data`].
    pub fn send_status(&mut self, numerator: u32, denominator: u32) -> Result<()> {
        let (numerator, denominator) = (numerator.to_string(), denominator.to_string());
        let status = Work::Status { numerator: numerator.as_bytes(), denominator: denominator.as_bytes() };
        self.reports.report(self.assign.handle, status)
    }
}
