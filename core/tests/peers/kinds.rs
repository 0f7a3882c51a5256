//! Both kinds of client and worker behind one face, so that a story is written once.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use lineshaft::client::{Event, JobStatus, Options, Submission};
use lineshaft::net::{IntoServers, Servers};
use lineshaft::worker::{self, JobError, Outcome};
use lineshaft::{ErrorKind, Result, blocking};
use tokio::runtime::{Builder, Runtime};

/// How long a test waits for what must happen. Reached only by failures.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blocking,
    Async,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Blocking, Kind::Async];

pub(crate) fn runtime() -> Arc<Runtime> {
    Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}

pub(crate) enum Client {
    Blocking(blocking::Client),
    Async(Arc<Runtime>, lineshaft::Client),
}

pub(crate) enum Task {
    Blocking(blocking::Task),
    Async(Arc<Runtime>, lineshaft::client::Task),
}

impl Client {
    pub(crate) fn new(kind: Kind, servers: impl IntoServers) -> Self {
        Self::with(kind, servers, Options { answer_timeout: PATIENCE, ..Options::default() })
    }

    pub(crate) fn with(kind: Kind, servers: impl IntoServers, options: Options) -> Self {
        match kind {
            Kind::Blocking => Self::Blocking(blocking::Client::with_options(servers, options).unwrap()),
            Kind::Async => Self::Async(runtime(), lineshaft::Client::with_options(servers, options).unwrap()),
        }
    }

    pub(crate) fn send(&self, job: Submission<'_>) -> Result<Task> {
        self.send_many(vec![job]).remove(0)
    }

    pub(crate) fn send_many(&self, jobs: Vec<Submission<'_>>) -> Vec<Result<Task>> {
        match self {
            Self::Blocking(client) => {
                client.submit_many(jobs).into_iter().map(|task| task.map(Task::Blocking)).collect()
            }
            Self::Async(runtime, client) => runtime
                .block_on(client.submit_many(jobs))
                .into_iter()
                .map(|task| task.map(|task| Task::Async(runtime.clone(), task)))
                .collect(),
        }
    }

    /// Runs one foreground job.
    pub(crate) fn run(&self, function: &str, workload: &[u8]) -> Result<Bytes> {
        self.send(Submission::new(function, workload).timeout(PATIENCE))?.result()
    }

    pub(crate) fn map(&self, jobs: Vec<Submission<'_>>, in_flight: usize) -> Vec<Result<Bytes>> {
        match self {
            Self::Blocking(client) => client.map(jobs, in_flight).collect(),
            Self::Async(runtime, client) => runtime.block_on(async {
                let (mut map, mut results) = (client.map(jobs, in_flight), Vec::new());
                while let Some(result) = map.next().await {
                    results.push(result);
                }
                results
            }),
        }
    }

    pub(crate) fn status(&self, task: &Task) -> Result<JobStatus> {
        let handle = task.handle();
        match self {
            Self::Blocking(client) => client.status(&handle),
            Self::Async(runtime, client) => runtime.block_on(client.status(&handle)),
        }
    }

    pub(crate) fn status_by_unique(&self, unique: &str) -> Result<JobStatus> {
        match self {
            Self::Blocking(client) => client.status_by_unique(unique),
            Self::Async(runtime, client) => runtime.block_on(client.status_by_unique(unique)),
        }
    }

    pub(crate) fn echo(&self, data: &[u8]) -> Result<()> {
        match self {
            Self::Blocking(client) => client.echo(data),
            Self::Async(runtime, client) => runtime.block_on(client.echo(data)),
        }
    }

    pub(crate) fn set_option(&self, name: &str) -> Result<()> {
        match self {
            Self::Blocking(client) => client.set_option(name),
            Self::Async(runtime, client) => runtime.block_on(client.set_option(name)),
        }
    }

    pub(crate) fn connect(&self) -> Result<()> {
        match self {
            Self::Blocking(client) => client.connect(),
            Self::Async(runtime, client) => runtime.block_on(client.connect()),
        }
    }
}

impl Task {
    pub(crate) fn handle(&self) -> lineshaft::types::JobHandle {
        match self {
            Self::Blocking(task) => task.handle(),
            Self::Async(_, task) => task.handle(),
        }
    }

    pub(crate) fn result(self) -> Result<Bytes> {
        match self {
            Self::Blocking(task) => task.result(),
            Self::Async(runtime, task) => runtime.block_on(task),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Result<Event>> {
        match self {
            Self::Blocking(task) => task.next(),
            Self::Async(runtime, task) => runtime.block_on(task.event()),
        }
    }

    /// All events, and the error that ended them.
    pub(crate) fn events(mut self) -> (Vec<Event>, Option<ErrorKind>) {
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            match event {
                Ok(event) => events.push(event),
                Err(error) => {
                    assert!(self.next().is_none(), "an error is told once");
                    return (events, Some(error.kind()));
                }
            }
        }
        (events, None)
    }
}

type Function = Arc<dyn Fn(&mut blocking::Job<'_>) -> Outcome + Send + Sync>;

/// A worker at work. It stops, quickly, when it is dropped.
pub(crate) struct Worker {
    stop: Box<dyn Fn() + Send>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Worker {
    /// A worker of `kind` with functions that block.
    pub(crate) fn start(
        kind: Kind,
        servers: impl IntoServers,
        options: worker::Options,
        functions: Vec<(&str, Function)>,
    ) -> Self {
        let servers: Servers = servers.into_servers().unwrap();
        match kind {
            Kind::Blocking => {
                let mut worker = blocking::Worker::with_options(servers, options).unwrap();
                for (name, function) in functions {
                    worker.add_function(name, move |job| function(job)).unwrap();
                }
                let stopper = worker.stopper().unwrap();
                let thread = std::thread::spawn(move || worker.run().unwrap());
                Self { stop: Box::new(move || stopper.stop()), thread: Some(thread) }
            }
            Kind::Async => {
                let mut builder = lineshaft::Worker::builder(servers).options(options);
                for (name, function) in functions {
                    builder = builder.function_blocking(name, move |job| function(job));
                }
                let worker = builder.build().unwrap();
                let control = worker.control();
                let thread = std::thread::spawn(move || runtime().block_on(worker.run()).unwrap());
                Self { stop: Box::new(move || control.stop(PATIENCE)), thread: Some(thread) }
            }
        }
    }

    /// A worker that can do [`functions`].
    pub(crate) fn new(kind: Kind, servers: impl IntoServers) -> Self {
        Self::start(kind, servers, worker::Options::default(), functions())
    }

    /// Lets it finish what it does and end.
    pub(crate) fn stop(&self) {
        (self.stop)();
    }
}

pub(crate) fn function(act: impl Fn(&mut blocking::Job<'_>) -> Outcome + Send + Sync + 'static) -> Function {
    Arc::new(act)
}

/// One function for each way in which a job can go.
pub(crate) fn functions() -> Vec<(&'static str, Function)> {
    vec![
        ("echo", function(|job| Ok(job.to_bytes()))),
        ("reverse", function(|job| Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>().into()))),
        ("fail", function(|_| Err(JobError::Fail))),
        ("exception", function(|_| Err(JobError::exception("what was wrong")))),
        ("error", function(|job| Ok(String::from_utf8(job.workload().to_vec()).map(Bytes::from)?))),
        ("panic", function(|job| panic!("no {}", job.workload().escape_ascii()))),
        (
            "stream",
            function(|job| {
                job.send_data("one ")?;
                job.send_warning("careful")?;
                job.send_status(1, 2)?;
                job.send_data("two ")?;
                Ok("three".into())
            }),
        ),
        (
            "describe",
            function(|job| {
                let (function, unique) = (job.function().escape_ascii(), job.unique().escape_ascii());
                let reducer = job.reducer().map(|reducer| reducer.escape_ascii().to_string());
                assert!(!job.handle().is_empty());
                Ok(format!("{function} {unique} {reducer:?}").into())
            }),
        ),
    ]
}
