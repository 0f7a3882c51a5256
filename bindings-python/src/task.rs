//! A submitted job, as its client sees it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use lineshaft::client::{Event, Task as Native};
use lineshaft::{Error, Result};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{OrRaise as _, exception};
use crate::fork::Ours;
use crate::home::Home;
use crate::op::Op;

/// A task. Its lock is held for moments only, never while somebody waits.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Task {
    task: Ours<Arc<Mutex<Native>>>,
    home: Home,
}

type Shared = Arc<Mutex<Native>>;

fn poll_result(task: &Shared, cx: &mut Context<'_>) -> Poll<Result<Bytes>> {
    Pin::new(&mut *task.lock()).poll(cx)
}

fn told(py: Python<'_>, event: Option<Event>) -> PyResult<Py<PyAny>> {
    let bytes = |data: &[u8]| PyBytes::new(py, data);
    match event {
        None => Ok(py.None()),
        Some(Event::Created(handle)) => ("created", bytes(handle.as_bytes()), 0, 0).into_py_any(py),
        Some(Event::Data(data)) => ("data", bytes(&data), 0, 0).into_py_any(py),
        Some(Event::Warning(data)) => ("warning", bytes(&data), 0, 0).into_py_any(py),
        Some(Event::Status(at)) => ("status", bytes(b""), at.numerator, at.denominator).into_py_any(py),
        Some(Event::Complete(data)) => ("complete", bytes(&data), 0, 0).into_py_any(py),
        Some(Event::Fail) => ("fail", bytes(b""), 0, 0).into_py_any(py),
        Some(Event::Exception(data)) => ("exception", bytes(&data), 0, 0).into_py_any(py),
    }
}

impl Task {
    pub(crate) fn new(task: Native, home: &Home) -> Self {
        Self { task: Ours::new(Arc::new(Mutex::new(task))), home: home.clone() }
    }

    fn shared(&self, py: Python<'_>) -> PyResult<Shared> {
        Ok(Arc::clone(self.task.get().or_raise(py)?))
    }
}

#[pymethods]
impl Task {
    /// The server's name for the job; empty until it is known.
    fn handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let task = self.shared(py)?;
        let handle = task.lock().handle();
        Ok(PyBytes::new(py, handle.as_bytes()))
    }

    fn is_over(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.shared(py)?.lock().is_over())
    }

    /// The result, once. Giving the operation up loses nothing.
    fn result(&self, py: Python<'_>) -> PyResult<Op> {
        let task = self.shared(py)?;
        let result = poll_fn(move |cx| poll_result(&task, cx));
        Ok(Op::new(&self.home, result, |py, result: Bytes| PyBytes::new(py, &result).into_py_any(py)))
    }

    /// The next event, or `None` behind the last one.
    fn event(&self, py: Python<'_>) -> PyResult<Op> {
        let task = self.shared(py)?;
        let next = poll_fn(move |cx| {
            let mut task = task.lock();
            let event = std::pin::pin!(task.event()).poll(cx);
            event.map(Option::transpose)
        });
        Ok(Op::new(&self.home, next, told))
    }
}

/// Waits for the first of these tasks, and answers its result and those of the tasks behind it that are over as well: bytes, or
/// an exception. All belong to one client.
#[pyfunction]
pub(crate) fn ready(py: Python<'_>, tasks: Vec<Bound<'_, Task>>) -> PyResult<Op> {
    let Some(first) = tasks.first() else {
        return Err(pyo3::exceptions::PyValueError::new_err("at least one task"));
    };
    let home = first.get().home.clone();
    let tasks = tasks.iter().map(|task| task.get().shared(py)).collect::<PyResult<Vec<_>>>()?;
    let mut results: Vec<std::result::Result<Bytes, Error>> = Vec::new();
    let waits = poll_fn(move |cx| {
        while let Some(task) = tasks.get(results.len())
            && let Poll::Ready(result) = poll_result(task, cx)
        {
            results.push(result);
        }
        if results.is_empty() { Poll::Pending } else { Poll::Ready(Ok(std::mem::take(&mut results))) }
    });
    Ok(Op::new(&home, waits, |py, results: Vec<_>| {
        let mut told = Vec::with_capacity(results.len());
        for result in results {
            told.push(match result {
                Ok(bytes) => PyBytes::new(py, &bytes).into_any(),
                Err(error) => exception(py, &error)?,
            });
        }
        told.into_py_any(py)
    }))
}
