//! The client.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use lineshaft::client::{JobStatus, Options, Submission, Task, Unique};
use lineshaft::protocol::Data;
use lineshaft::types::{JobHandle, Priority};
use lineshaft::{Client, Error, ErrorKind, Result};
use napi::bindgen_prelude::{BufferSlice, ClassInstance};
use napi_derive::napi;

use crate::executor::{Executor, Loop};
use crate::output::Item;
use crate::runtime::runtime;
use crate::servers::{Place, servers, thrown};
use crate::task::{Line, Submitted};

/// Options of a client; times in milliseconds, sizes in bytes.
#[napi(object)]
#[derive(Debug, Default)]
pub struct NativeClientOptions {
    pub connect_timeout: Option<f64>,
    pub reconnect_within: Option<f64>,
    pub answer_timeout: Option<f64>,
    pub task_timeout: Option<f64>,
    pub exceptions: Option<bool>,
    pub max_unanswered: Option<f64>,
    pub max_unread: Option<f64>,
    pub max_unsent: Option<f64>,
    pub max_waiting: Option<f64>,
    pub max_result: Option<f64>,
}

/// What a submission says beside function and workload; times in milliseconds.
#[napi(object)]
#[derive(Debug, Default)]
pub struct NativeSubmission {
    /// 0 high, 1 normal, 2 low.
    pub priority: Option<u32>,
    pub background: Option<bool>,
    pub unique: Option<String>,
    /// The workload is the unique.
    pub unique_workload: Option<bool>,
    /// A Unix second.
    pub run_at: Option<f64>,
    pub delay: Option<f64>,
    pub schedule: Option<String>,
    pub reducer: Option<String>,
    pub timeout: Option<f64>,
    /// Tell when the server has it.
    pub tell_created: Option<bool>,
}

/// A submission without its workload.
#[derive(Debug)]
pub(crate) struct Parameters {
    function: String,
    rest: Option<NativeSubmission>,
}

impl Parameters {
    pub(crate) fn submission<'a>(
        &'a self,
        client: &'a Client,
        workload: impl Into<Data<'a>>,
    ) -> Result<Submission<'a, &'a Client>> {
        let mut job = client.job(&self.function, workload);
        let Some(rest) = &self.rest else { return Ok(job) };
        if let Some(priority) = rest.priority {
            let priority = Priority::ALL.get(priority as usize).copied();
            job = job.priority(priority.ok_or_else(|| invalid("no such priority"))?);
        }
        if rest.background == Some(true) {
            job = job.background();
        }
        if let Some(unique) = &rest.unique {
            job = job.unique(unique);
        } else if rest.unique_workload == Some(true) {
            job = job.unique(Unique::Workload);
        }
        if let Some(second) = rest.run_at {
            job = job.epoch(second.ceil() as i64);
        } else if let Some(delay) = rest.delay {
            job = job.delay(duration(delay)?);
        } else if let Some(line) = &rest.schedule {
            job = job.schedule(line);
        }
        if let Some(reducer) = &rest.reducer {
            job = job.reduce(reducer);
        }
        if let Some(timeout) = rest.timeout {
            job = job.timeout(duration(timeout)?);
        }
        Ok(job)
    }
}

/// Milliseconds.
pub(crate) fn duration(milliseconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1000.0)
        .map_err(|_| invalid("a time is a number of milliseconds, not below 0"))
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "submit", why)
}

/// A count or a size.
pub(crate) fn size(number: f64) -> usize {
    number as usize
}

struct Limits {
    /// Bytes of workloads that may wait for a connection, or for room on it.
    max_waiting: usize,
    /// Bytes of a result that may be put together from pieces.
    max_result: usize,
}

impl NativeClientOptions {
    fn read(self) -> Result<(Options, Limits)> {
        let mut options = Options::default();
        for (given, option) in [
            (self.connect_timeout, &mut options.connect_timeout),
            (self.reconnect_within, &mut options.reconnect_within),
            (self.answer_timeout, &mut options.answer_timeout),
        ] {
            if let Some(milliseconds) = given {
                *option = duration(milliseconds)?;
            }
        }
        options.task_timeout = self.task_timeout.map(duration).transpose()?;
        options.exceptions = self.exceptions.unwrap_or(options.exceptions);
        options.max_unanswered = self.max_unanswered.map_or(options.max_unanswered, size);
        options.max_unread = self.max_unread.map_or(options.max_unread, size);
        options.max_unsent = self.max_unsent.map_or(options.max_unsent, size);
        let limits = Limits {
            max_waiting: self.max_waiting.map_or(256 << 20, size),
            max_result: self.max_result.map_or(256 << 20, size),
        };
        Ok((options, limits))
    }
}

/// A client.
#[napi]
pub struct NativeClient {
    executor: Rc<Executor>,
    /// Nothing once it has been closed.
    client: RefCell<Option<Client>>,
    line: Rc<Line>,
    limits: Limits,
}

#[napi]
impl NativeClient {
    /// A client of `places`. It does not connect yet.
    #[napi(constructor)]
    pub fn new(
        executor: ClassInstance<'_, Loop>,
        #[napi(ts_arg_type = "Array<string | NativeServer>")] places: Vec<Place<'_>>,
        options: NativeClientOptions,
    ) -> napi::Result<Self> {
        let made = options
            .read()
            .and_then(|(options, limits)| Ok((Client::with_options(servers(&places)?, options)?, limits)));
        let (client, limits) = made.map_err(|error| thrown(&error))?;
        Ok(Self {
            executor: executor.executor.clone(),
            client: RefCell::new(Some(client)),
            line: Rc::default(),
            limits,
        })
    }

    /// Submits a job; answers the id of its events.
    #[napi]
    pub fn submit(
        &self,
        name: String,
        workload: BufferSlice<'_>,
        rest: Option<NativeSubmission>,
    ) -> napi::Result<u32> {
        let tell_created = rest.as_ref().is_some_and(|rest| rest.tell_created == Some(true));
        let submitted = Submitted::new(tell_created, self.limits.max_result);
        let parameters = Parameters { function: name, rest };
        let runtime = runtime().map_err(|error| thrown(&error))?;
        let _entered = runtime.enter();
        let submitted = match self.start(&parameters, &workload) {
            Ok(Some(task)) => submitted.running(task),
            Err(error) => submitted.refused(error),
            Ok(None) => {
                let client = self.client.borrow().clone();
                match client {
                    Some(client) => {
                        let workload = Bytes::copy_from_slice(&workload);
                        submitted.waiting(&self.line, client, parameters, workload)
                    }
                    None => submitted.refused(closed()),
                }
            }
        };
        Ok(self.executor.add(Box::new(submitted)))
    }

    /// Submits at once, where nobody waits and there is room.
    fn start(&self, parameters: &Parameters, workload: &[u8]) -> Result<Option<Task>> {
        let client = self.client.borrow();
        let client = client.as_ref().ok_or_else(closed)?;
        let submission = parameters.submission(client, workload)?;
        if self.line.is_empty() {
            let starting = pin!(submission.start());
            if let Poll::Ready(result) = starting.poll(&mut Context::from_waker(Waker::noop())) {
                return result.map(Some);
            }
        }
        let limit = self.limits.max_waiting;
        if self.line.bytes().saturating_add(workload.len()) > limit {
            let detail =
                format!("{limit} bytes (maxWaiting) wait to be sent; await what has been submitted first");
            return Err(Error::new(ErrorKind::QueueFull, "submit", detail));
        }
        Ok(None)
    }

    /// Connects now.
    #[napi]
    pub fn connect(&self) -> napi::Result<u32> {
        self.ask(async |client| {
            client.connect().await?;
            Ok(Item::Nothing)
        })
    }

    /// How a job stands: known, running, numerator, denominator.
    #[napi]
    pub fn status(&self, handle: String) -> napi::Result<u32> {
        self.ask(async move |client| {
            client.status(&JobHandle::from(handle.as_str())).await.map(|status| status_item(&status))
        })
    }

    /// As [`NativeClient::status`], and how many submissions wait for it.
    #[napi]
    pub fn status_by_unique(&self, unique: String) -> napi::Result<u32> {
        self.ask(async move |client| client.status_by_unique(unique).await.map(|status| status_item(&status)))
    }

    /// Sends bytes there and back.
    #[napi]
    pub fn echo(&self, data: BufferSlice<'_>) -> napi::Result<u32> {
        let data = data.to_vec();
        self.ask(async move |client| {
            client.echo(data).await?;
            Ok(Item::Nothing)
        })
    }

    /// No more requests; the connection ends when the tasks have been removed.
    #[napi]
    pub fn close(&self) {
        self.client.take();
    }

    fn ask(&self, question: impl AsyncFnOnce(&Client) -> Result<Item> + 'static) -> napi::Result<u32> {
        let runtime = runtime().map_err(|error| thrown(&error))?;
        let _entered = runtime.enter();
        let client = self.client.borrow().clone();
        Ok(self.executor.future(async move { question(&client.ok_or_else(closed)?).await }))
    }
}

pub(crate) fn status_item(status: &JobStatus) -> Item {
    Item::List(vec![
        Item::Flag(status.known),
        Item::Flag(status.running),
        status.progress.numerator.into(),
        status.progress.denominator.into(),
        status.clients.map_or(Item::Nothing, Item::from),
    ])
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "client", "it has been closed")
}
