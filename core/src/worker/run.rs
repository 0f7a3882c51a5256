//! What the lines of an async worker share, and how a job is run.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::FixedState;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::Options;
use super::job::{BlockingJob, JobError, Outcome, last_word, panicked};
use super::job_async::Job;
use super::line::Reports;
use crate::error::Error;
use crate::net::{Address, Backoff, Clock};

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A function of an async worker.
#[derive(Clone)]
pub(super) enum Function {
    Async(Arc<dyn Fn(Job) -> Running + Send + Sync>),
    /// On a thread of the runtime's pool for such work.
    Blocking(Arc<dyn Fn(&mut BlockingJob<'_>) -> Outcome + Send + Sync>),
}

/// Who is told of trouble with a server.
pub(super) type OnError = Box<dyn Fn(&Address, &Error) + Send + Sync>;

/// How a worker's life goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    /// No new jobs; what runs may go on until then.
    Stopping {
        until: Duration,
    },
    /// What still runs is broken off.
    Over,
}

impl Phase {
    pub(super) const fn is_stopping(&self) -> bool {
        !matches!(self, Self::Working)
    }

    pub(super) const fn until(self) -> Option<Duration> {
        match self {
            Self::Working => None,
            Self::Stopping { until } => Some(until),
            Self::Over => Some(Duration::ZERO),
        }
    }
}

/// Shared by a worker's lines and jobs.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) functions: RwLock<HashMap<Bytes, Function, FixedState>>,
    pub(super) on_error: OnError,
    pub(super) phase: watch::Sender<Phase>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("phase", &*self.phase.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn tell(&self, address: &Address, error: &Error) {
        (self.on_error)(address, error);
    }

    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(Backoff::random_seed())
    }
}

/// Runs a job and reports its end.
pub(super) async fn run(worker: Arc<Shared>, job: Job) {
    let (line, connection, handle) = (Arc::clone(&job.line), job.connection, job.handle().clone());
    let function = worker.functions.read().get(job.function()).cloned();
    let outcome = match function {
        // It has been removed while the job was on its way.
        None => Some(Err(JobError::Fail)),
        Some(Function::Async(function)) => {
            let mut phase = worker.phase();
            tokio::select! {
                biased;
                outcome = caught(async move { function(job).await }) => Some(outcome),
                _ = phase.wait_for(|phase| *phase == Phase::Over) => None,
            }
        }
        Some(Function::Blocking(function)) => {
            let running = tokio::task::spawn_blocking(move || {
                let mut reports = Reports { line: Arc::clone(&job.line), connection };
                let mut job = BlockingJob::new(job.assign(), &mut reports);
                catch_unwind(AssertUnwindSafe(|| function(&mut job)))
                    .unwrap_or_else(|payload| Err(panicked(&*payload)))
            });
            // Not having run at all is what happens when the runtime is shut down.
            running.await.ok()
        }
    };
    // The serving task may hear later than a function that has stopped the worker itself.
    if worker.phase.borrow().is_stopping() {
        line.drain();
    }
    match outcome {
        Some(outcome) => line.finish(connection, handle.as_bytes(), last_word(&outcome)),
        None => line.abandon(),
    }
}

/// The outcome of a job's future; a panic becomes an exception.
async fn caught(job: impl Future<Output = Outcome>) -> Outcome {
    let mut job = std::pin::pin!(job);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| job.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => Poll::Ready(Err(panicked(&*payload))),
    })
    .await
}
