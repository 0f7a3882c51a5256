//! The blocking client's side of one job.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::blocking::{Client, Inner};
use super::exchange::{Question, Ticket};
use super::gather::Gather;
use super::{Event, JobStatus, Submission};
use crate::error::{Error, ErrorKind, Result};
use crate::types::JobHandle;

/// A submitted job, as its client sees it: wait for [`Task::result`], or iterate over its events as they come.
///
/// As an iterator it ends after its last event, or after the one error that ended it. Dropping it does not cancel the job:
/// its result is thrown away when it comes.
pub struct Task {
    inner: Arc<Mutex<Inner>>,
    ticket: Ticket,
    error_told: bool,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("handle", &self.handle()).finish_non_exhaustive()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.inner.lock().exchange.release(self.ticket);
    }
}

impl Task {
    pub(super) const fn new(inner: Arc<Mutex<Inner>>, ticket: Ticket) -> Self {
        Self { inner, ticket, error_told: false }
    }

    /// Waits until the server has the job.
    pub(super) fn created(self) -> Result<Self> {
        let ticket = self.ticket;
        let mut inner = self.inner.lock();
        inner.drive(None, |exchange| exchange.is_created(ticket) || exchange.is_over(ticket));
        if !inner.exchange.is_created(ticket) {
            return Err(inner.exchange.error(ticket).cloned().unwrap_or_else(gone));
        }
        drop(inner);
        Ok(self)
    }

    /// The server's name for the job; empty until the server has answered.
    pub fn handle(&self) -> JobHandle {
        let inner = self.inner.lock();
        inner.exchange.handle(self.ticket).unwrap_or_else(|| JobHandle::new(Bytes::new()))
    }

    /// Waits for the end of the job: all its pieces of data and its final result, put together. What was taken as an event
    /// before is not in it. A background job is over, with an empty result, when the server has it.
    ///
    /// # Errors
    /// [`ErrorKind::WorkFail`]; [`ErrorKind::WorkException`], the exception in [`Error::data`];
    /// [`ErrorKind::LostConnection`]; [`ErrorKind::Timeout`].
    pub fn result(self) -> Result<Bytes> {
        self.gather(None)
    }

    /// As [`Task::result`], but no longer than `timeout` from now: then [`ErrorKind::Timeout`].
    ///
    /// # Errors
    /// As [`Task::result`].
    pub fn result_within(self, timeout: Duration) -> Result<Bytes> {
        self.gather(Some(timeout))
    }

    fn gather(self, timeout: Option<Duration>) -> Result<Bytes> {
        let ticket = self.ticket;
        let mut inner = self.inner.lock();
        let limit = timeout.map(|timeout| inner.until(timeout));
        let mut gather = Gather::default();
        loop {
            while let Some(event) = inner.exchange.next_result_event(ticket) {
                if let Some(result) = gather.take(event) {
                    return result;
                }
            }
            if inner.exchange.is_over(ticket) {
                return inner.exchange.error(ticket).cloned().map_or_else(|| Ok(Bytes::new()), Err);
            }
            let more =
                |exchange: &super::exchange::Exchange| exchange.has_event(ticket) || exchange.is_over(ticket);
            if !inner.drive(limit, more) && !inner.exchange.is_over(ticket) {
                return Err(Error::new(ErrorKind::Timeout, "task", "no result yet; the job may still run"));
            }
        }
    }

    /// The next event, if one comes within `timeout`; zero does not wait. `Ok(None)` when none has come, or none will.
    ///
    /// # Errors
    /// As [`Task::result`], except that failures and exceptions are events; each error once.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<Event>> {
        self.wait_event(Some(timeout))
    }

    fn wait_event(&mut self, timeout: Option<Duration>) -> Result<Option<Event>> {
        let ticket = self.ticket;
        let mut inner = self.inner.lock();
        let limit = timeout.map(|timeout| inner.until(timeout));
        inner.drive(limit, |exchange| exchange.has_event(ticket) || exchange.is_over(ticket));
        if let Some(event) = inner.exchange.next_event(ticket) {
            return Ok(Some(event));
        }
        match inner.exchange.error(ticket) {
            Some(error) if !self.error_told => {
                self.error_told = true;
                Err(error.clone())
            }
            _ => Ok(None),
        }
    }

    /// How the job stands, asked of the server.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn status(&self) -> Result<JobStatus> {
        let handle = self.handle();
        self.inner.lock().ask_status(Question::Status(handle.as_bytes()))
    }

    /// True when nothing more will come from the server. Does not look for what has come since; [`Client::step`] does.
    pub fn is_over(&self) -> bool {
        self.inner.lock().exchange.is_over(self.ticket)
    }
}

impl Iterator for Task {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        self.wait_event(None).transpose()
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::NotConnected, "submit", "")
}

/// The results of [`Client::map`], in the order of the jobs.
#[derive(Debug)]
pub struct Map<'c, I> {
    client: &'c Client,
    jobs: I,
    in_flight: usize,
    started: VecDeque<Result<Task>>,
}

impl<'c, I> Map<'c, I> {
    pub(super) fn new(client: &'c Client, jobs: I, in_flight: usize) -> Self {
        Self { client, jobs, in_flight: in_flight.max(1), started: VecDeque::new() }
    }
}

impl<'a, I: Iterator<Item = Submission<'a>>> Iterator for Map<'_, I> {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        while self.started.len() < self.in_flight {
            let Some(job) = self.jobs.next() else { break };
            self.started.push_back(self.client.start(&job));
        }
        self.started.pop_front().map(|task| task.and_then(Task::result))
    }
}
