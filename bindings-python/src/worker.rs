//! The worker: what its servers assign waits in a queue, and threads or tasks of Python take it from there.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lineshaft::protocol::Data;
use lineshaft::worker::{Control, Job as Native, JobError, Options, Outcome};
use lineshaft::{Result, Worker as NativeWorker};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::error::OrRaise as _;
use crate::fork::Ours;
use crate::home::{Home, catch_up};
use crate::op::Op;
use crate::server::servers;

/// Complaints about servers that wait to be logged; older ones are forgotten.
const MAX_TROUBLES: usize = 64;

struct Assigned {
    job: Arc<Native>,
    outcome: oneshot::Sender<Outcome>,
}

/// Where the jobs go. The queue is as long as the worker's concurrency allows: a job that nobody has taken counts as running.
type Intake = mpsc::UnboundedSender<Assigned>;
type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What the native worker runs: it hands the job over and waits. Where Python drops a job without a word, it failed.
fn hand_over(intake: &Intake) -> impl Fn(Native) -> Running + Send + Sync + 'static {
    let intake = intake.clone();
    move |job| {
        let (outcome, told) = oneshot::channel();
        let handed = intake.send(Assigned { job: Arc::new(job), outcome });
        Box::pin(async move {
            match handed {
                Ok(()) => told.await.unwrap_or(Err(JobError::Fail)),
                Err(_) => Err(JobError::Fail),
            }
        })
    }
}

#[derive(Default)]
struct Troubles {
    lines: Mutex<VecDeque<String>>,
    new: Notify,
}

struct State {
    /// Before it is started: the worker, and what its end is told by, being dropped.
    worker: Mutex<Option<(NativeWorker, watch::Sender<()>)>>,
    ended: watch::Receiver<()>,
    control: Control,
    intake: Intake,
    queue: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Assigned>>>,
    troubles: Arc<Troubles>,
    running: Mutex<Option<AbortHandle>>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().take() {
            running.abort();
        }
    }
}

/// A worker.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Worker {
    state: Ours<State>,
    home: Home,
    asynchronous: bool,
}

#[pymethods]
impl Worker {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "named and explained in Python")]
    fn new(
        py: Python<'_>,
        given: Vec<Bound<'_, PyAny>>,
        functions: Vec<(PyBackedBytes, Option<f64>)>,
        concurrency: usize,
        client_id: Option<String>,
        connect_timeout: f64,
        answer_timeout: f64,
        asynchronous: bool,
    ) -> PyResult<Self> {
        let time = |value| Ok::<_, PyErr>(crate::seconds(Some(value))?.unwrap_or(Duration::MAX));
        let options = Options {
            concurrency,
            client_id,
            connect_timeout: time(connect_timeout)?,
            answer_timeout: time(answer_timeout)?,
            ..Options::default()
        };
        let (intake, queue) = mpsc::unbounded_channel();
        let troubles = Arc::new(Troubles::default());
        let told = Arc::clone(&troubles);
        let mut builder =
            NativeWorker::builder(servers(py, &given)?).options(options).on_error(move |address, error| {
                let mut lines = told.lines.lock();
                if lines.len() == MAX_TROUBLES {
                    lines.pop_front();
                }
                lines.push_back(format!("{address}: {error}"));
                told.new.notify_one();
            });
        for (name, timeout) in &functions {
            builder = match crate::seconds(*timeout)? {
                Some(timeout) => builder.function_with_timeout(&**name, timeout, hand_over(&intake)),
                None => builder.function(&**name, hand_over(&intake)),
            };
        }
        let worker = builder.build().or_raise(py)?;
        let (end, ended) = watch::channel(());
        let state = State {
            control: worker.control(),
            worker: Mutex::new(Some((worker, end))),
            ended,
            intake,
            queue: Arc::new(tokio::sync::Mutex::new(queue)),
            troubles,
            running: Mutex::default(),
        };
        let home = Home::new(asynchronous).or_raise(py)?;
        Ok(Self { state: Ours::new(state), home, asynchronous })
    }

    /// Connects and takes jobs from now on. Does nothing when called again.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let state = self.state.get().or_raise(py)?;
        let Some((worker, end)) = state.worker.lock().take() else { return Ok(()) };
        let run = async move {
            // What it can fail for is having no functions, which Python has looked at.
            let _ = worker.run().await;
            drop(end);
        };
        let running = self.home.spawn(run).or_raise(py)?;
        *state.running.lock() = Some(running);
        Ok(())
    }

    /// Waits for jobs, at most `limit` of them, or for trouble with a server. Answers the jobs, the troubles as text, and false
    /// when the worker has ended.
    fn next_jobs(&self, py: Python<'_>, limit: usize) -> PyResult<Op> {
        let state = self.state.get().or_raise(py)?;
        let (queue, troubles) = (Arc::clone(&state.queue), Arc::clone(&state.troubles));
        let home = self.home.clone();
        let asynchronous = self.asynchronous;
        let mut ended = state.ended.clone();
        let wait = async move {
            let mut jobs = Vec::new();
            let mut on = true;
            tokio::select! {
                biased;
                _ = async { queue.lock().await.recv_many(&mut jobs, limit).await } => {}
                _ = ended.changed() => on = false,
                () = troubles.new.notified() => {}
            }
            let lines: Vec<String> = troubles.lines.lock().drain(..).collect();
            Ok((jobs, lines, on))
        };
        Ok(Op::new(&self.home, wait, move |py, (jobs, lines, on): (Vec<Assigned>, _, _)| {
            // Those that the end of the worker has broken off are not begun.
            let jobs = jobs.into_iter().filter(|assigned| !assigned.outcome.is_closed());
            let jobs = jobs.map(|assigned| Job::new(assigned, &home, asynchronous));
            let jobs = jobs.map(|job| Py::new(py, job)).collect::<PyResult<Vec<_>>>()?;
            (jobs, lines, on).into_py_any(py)
        }))
    }

    fn add_function(&self, py: Python<'_>, name: PyBackedBytes, timeout: Option<f64>) -> PyResult<()> {
        let state = self.state.get().or_raise(py)?;
        let function = hand_over(&state.intake);
        match crate::seconds(timeout)? {
            Some(timeout) => state.control.add_function_with_timeout(&*name, timeout, function),
            None => state.control.add_function(&*name, function),
        }
        .or_raise(py)
    }

    fn remove_function(&self, py: Python<'_>, name: PyBackedBytes) -> PyResult<bool> {
        Ok(self.state.get().or_raise(py)?.control.remove_function(&*name))
    }

    /// No new jobs; what runs may take so many seconds more.
    fn stop(&self, py: Python<'_>, grace: Option<f64>) -> PyResult<()> {
        let grace = crate::seconds(grace)?.unwrap_or(Duration::MAX);
        self.state.get().or_raise(py)?.control.stop(grace);
        Ok(())
    }

    /// Waits until the worker has ended.
    fn finished(&self, py: Python<'_>) -> PyResult<Op> {
        let mut ended = self.state.get().or_raise(py)?.ended.clone();
        Ok(Op::plain(&self.home, async move {
            // The error is the end: the sender is gone.
            while ended.changed().await.is_ok() {}
            Ok(())
        }))
    }

    /// Ends everything now; what runs is given back to the servers.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let state = self.state.get().or_raise(py)?;
        drop(state.worker.lock().take());
        if let Some(running) = state.running.lock().take() {
            running.abort();
        }
        Ok(())
    }
}

/// A job in Python's hands, and how its outcome is told: once.
struct Held {
    job: Arc<Native>,
    outcome: Mutex<Option<oneshot::Sender<Outcome>>>,
}

/// A job that has been assigned.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Job {
    inner: Ours<Held>,
    home: Home,
    asynchronous: bool,
}

impl Job {
    fn new(assigned: Assigned, home: &Home, asynchronous: bool) -> Self {
        let inner = Ours::new(Held { job: assigned.job, outcome: Mutex::new(Some(assigned.outcome)) });
        Self { inner, home: home.clone(), asynchronous }
    }

    fn job(&self, py: Python<'_>) -> PyResult<Arc<Native>> {
        Ok(Arc::clone(&self.inner.get().or_raise(py)?.job))
    }

    fn end(&self, py: Python<'_>, outcome: Outcome) -> PyResult<bool> {
        let sender = self.inner.get().or_raise(py)?.outcome.lock().take();
        Ok(sender.is_some_and(|sender| sender.send(outcome).is_ok()))
    }

    /// A report; with a runtime that runs only now and then, also seen off.
    fn report(&self, send: impl Future<Output = Result<()>> + Send + 'static) -> Op {
        let asynchronous = self.asynchronous;
        Op::plain(&self.home, async move {
            send.await?;
            if !asynchronous {
                catch_up().await;
            }
            Ok(())
        })
    }
}

#[pymethods]
impl Job {
    fn workload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.job(py)?.workload()))
    }

    fn handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.job(py)?.handle().as_bytes()))
    }

    fn function<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.job(py)?.function()))
    }

    fn unique<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.job(py)?.unique()))
    }

    fn reducer<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.job(py)?.reducer().map(|reducer| PyBytes::new(py, reducer)))
    }

    fn send_data(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<Op> {
        let (job, data) = (self.job(py)?, Bytes::copy_from_slice(&data));
        Ok(self.report(async move { job.send_data(Data::Shared(data)).await }))
    }

    fn send_warning(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<Op> {
        let (job, data) = (self.job(py)?, Bytes::copy_from_slice(&data));
        Ok(self.report(async move { job.send_warning(Data::Shared(data)).await }))
    }

    fn send_status(&self, py: Python<'_>, numerator: u32, denominator: u32) -> PyResult<Op> {
        let job = self.job(py)?;
        Ok(self.report(async move { job.send_status(numerator, denominator).await }))
    }

    /// Whether what comes of the job is dropped: its connection is gone, or the worker has ended.
    fn cancelled(&self, py: Python<'_>) -> PyResult<Op> {
        let inner = self.inner.get().or_raise(py)?;
        let broken_off = inner.outcome.lock().as_ref().is_none_or(oneshot::Sender::is_closed);
        let (job, asynchronous) = (Arc::clone(&inner.job), self.asynchronous);
        let look = async move {
            if !asynchronous && !broken_off {
                catch_up().await;
            }
            Ok(broken_off || job.is_lost())
        };
        Ok(Op::new(&self.home, look, |py, cancelled| cancelled.into_py_any(py)))
    }

    fn complete(&self, py: Python<'_>, result: PyBackedBytes) -> PyResult<bool> {
        self.end(py, Ok(Bytes::copy_from_slice(&result)))
    }

    fn fail(&self, py: Python<'_>) -> PyResult<bool> {
        self.end(py, Err(JobError::Fail))
    }

    fn exception(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<bool> {
        self.end(py, Err(JobError::Exception(Bytes::copy_from_slice(&data))))
    }
}
