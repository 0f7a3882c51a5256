//! The client.

use std::time::Duration;

use bytes::Bytes;
use lineshaft::Client as Native;
use lineshaft::client::{JobStatus, Options, Submission, Unique};
use lineshaft::types::{JobHandle, Priority};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::error::{OrRaise as _, exception};
use crate::fork::Ours;
use crate::home::{Home, catch_up};
use crate::op::Op;
use crate::server::servers;
use crate::task::Task;

/// A client: one connection to the first of its servers that can be reached.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Client {
    client: Ours<Native>,
    home: Home,
    asynchronous: bool,
}

/// What Python says about a job, in this order.
#[derive(FromPyObject)]
struct Given(
    /// The function.
    PyBackedBytes,
    /// The workload.
    PyBackedBytes,
    /// The unique; empty means the workload.
    Option<PyBackedBytes>,
    /// 0, 1, 2: high, normal, low.
    usize,
    /// Whether nobody waits for the result.
    bool,
    /// When; `None` is now.
    Option<When>,
    /// The reducer.
    Option<PyBackedBytes>,
    /// How long its task may take, in seconds.
    Option<f64>,
);

#[derive(Clone, FromPyObject)]
enum When {
    /// A Unix second.
    At(i64),
    /// In so many seconds.
    In(f64),
    /// A cron line.
    Schedule(String),
}

/// The same, without Python.
struct Job {
    function: Bytes,
    workload: Bytes,
    unique: Option<Bytes>,
    priority: Priority,
    background: bool,
    when: Option<When>,
    reducer: Option<Bytes>,
    timeout: Option<Duration>,
}

impl Job {
    fn read(given: &Given) -> PyResult<Self> {
        let copy = |bytes: &PyBackedBytes| Bytes::copy_from_slice(bytes);
        let priority = Priority::ALL.get(given.3).copied();
        Ok(Self {
            function: copy(&given.0),
            workload: copy(&given.1),
            unique: given.2.as_ref().map(copy),
            priority: priority.ok_or_else(|| PyValueError::new_err("a priority is 0, 1 or 2"))?,
            background: given.4,
            when: given.5.clone(),
            reducer: given.6.as_ref().map(copy),
            timeout: crate::seconds(given.7)?,
        })
    }

    fn submission(&self) -> Submission<'_> {
        self.fill(Submission::new(&self.function, &self.workload))
    }

    fn fill<'a, C>(&'a self, submission: Submission<'a, C>) -> Submission<'a, C> {
        let mut submission = submission.priority(self.priority);
        submission = match &self.unique {
            None => submission,
            Some(key) if key.is_empty() => submission.unique(Unique::Workload),
            Some(key) => submission.unique(&key[..]),
        };
        submission = match &self.when {
            None => submission,
            Some(When::At(second)) => submission.epoch(*second),
            Some(When::In(delay)) => {
                let delay = Duration::try_from_secs_f64(delay.max(0.0));
                submission.delay(delay.unwrap_or(Duration::MAX))
            }
            Some(When::Schedule(line)) => submission.schedule(line),
        };
        if self.background {
            submission = submission.background();
        }
        if let Some(reducer) = &self.reducer {
            submission = submission.reduce(reducer);
        }
        match self.timeout {
            Some(timeout) => submission.timeout(timeout),
            None => submission,
        }
    }
}

impl Client {
    /// The client, after what has happened to its connection meanwhile has been looked at.
    async fn looked_after(client: Native, asynchronous: bool) -> Native {
        if !asynchronous {
            catch_up().await;
        }
        client
    }

    fn current(&self, py: Python<'_>) -> PyResult<impl Future<Output = Native> + Send + 'static> {
        let client = self.client.get().or_raise(py)?.clone();
        Ok(Self::looked_after(client, self.asynchronous))
    }
}

fn standing(py: Python<'_>, status: JobStatus) -> PyResult<Py<PyAny>> {
    let progress = status.progress;
    (status.known, status.running, progress.numerator, progress.denominator, status.clients).into_py_any(py)
}

#[pymethods]
impl Client {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "named and explained in Python")]
    fn new(
        py: Python<'_>,
        given: Vec<Bound<'_, PyAny>>,
        connect_timeout: f64,
        reconnect_within: f64,
        answer_timeout: f64,
        task_timeout: Option<f64>,
        exceptions: bool,
        max_unanswered: usize,
        asynchronous: bool,
    ) -> PyResult<Self> {
        let time = |value| Ok::<_, PyErr>(crate::seconds(Some(value))?.unwrap_or(Duration::MAX));
        let options = Options {
            connect_timeout: time(connect_timeout)?,
            reconnect_within: time(reconnect_within)?,
            answer_timeout: time(answer_timeout)?,
            task_timeout: crate::seconds(task_timeout)?,
            exceptions,
            max_unanswered,
            ..Options::default()
        };
        let client = Native::with_options(servers(py, &given)?, options).or_raise(py)?;
        let home = Home::new(asynchronous).or_raise(py)?;
        Ok(Self { client: Ours::new(client), home, asynchronous })
    }

    fn connect(&self, py: Python<'_>) -> PyResult<Op> {
        let client = self.current(py)?;
        Ok(Op::plain(&self.home, async move { client.await.connect().await }))
    }

    /// Submits jobs; `wait` for the server's answers, or only until all are on their way. Answers a list of tasks, with an
    /// exception where a job was refused.
    fn submit(&self, py: Python<'_>, jobs: Vec<Given>, wait: bool) -> PyResult<Op> {
        let jobs = jobs.iter().map(Job::read).collect::<PyResult<Vec<_>>>()?;
        let client = self.current(py)?;
        let home = self.home.clone();
        let submit = async move {
            let client = client.await;
            if wait {
                return Ok(client.submit_many(jobs.iter().map(Job::submission)).await);
            }
            let mut started = Vec::with_capacity(jobs.len());
            for job in &jobs {
                started.push(job.fill(client.job(&job.function, &job.workload)).start().await);
            }
            Ok(started)
        };
        Ok(Op::new(&self.home, submit, move |py, tasks: Vec<_>| {
            let mut told = Vec::with_capacity(tasks.len());
            for task in tasks {
                told.push(match task {
                    Ok(task) => Task::new(task, &home).into_py_any(py)?,
                    Err(error) => exception(py, &error)?.unbind(),
                });
            }
            told.into_py_any(py)
        }))
    }

    fn status(&self, py: Python<'_>, handle: PyBackedBytes) -> PyResult<Op> {
        let client = self.current(py)?;
        let handle = JobHandle::from(&*handle);
        Ok(Op::new(&self.home, async move { client.await.status(&handle).await }, standing))
    }

    fn status_by_unique(&self, py: Python<'_>, unique: PyBackedBytes) -> PyResult<Op> {
        let client = self.current(py)?;
        let unique = Bytes::copy_from_slice(&unique);
        Ok(Op::new(&self.home, async move { client.await.status_by_unique(unique).await }, standing))
    }

    fn echo(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<Op> {
        let client = self.current(py)?;
        let data = Bytes::copy_from_slice(&data);
        Ok(Op::plain(&self.home, async move { client.await.echo(data).await }))
    }
}
