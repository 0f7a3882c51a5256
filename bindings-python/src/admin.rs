//! The admin client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lineshaft::client::admin::{Admin as Native, AdminOptions};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use tokio::sync::Mutex;

use crate::error::OrRaise as _;
use crate::fork::Ours;
use crate::home::Home;
use crate::op::Op;
use crate::server::servers;

/// An admin client. What it answers are plain tuples; Python gives them names.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Admin {
    admin: Ours<Arc<Mutex<Native>>>,
    home: Home,
}

/// An operation on the one connection, one at a time.
macro_rules! ask {
    ($self:ident, $py:ident, |$admin:ident| $call:expr, $convert:expr) => {{
        let shared = Arc::clone($self.admin.get().or_raise($py)?);
        let call = async move {
            let mut guard = shared.lock().await;
            let $admin = &mut *guard;
            $call.await
        };
        Ok(Op::new(&$self.home, call, $convert))
    }};
}

fn text(py: Python<'_>, value: String) -> PyResult<Py<PyAny>> {
    value.into_py_any(py)
}

fn nothing(py: Python<'_>, (): ()) -> PyResult<Py<PyAny>> {
    Ok(py.None())
}

fn bytes<'py>(py: Python<'py>, value: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, value)
}

fn lines(py: Python<'_>, lines: Vec<Bytes>) -> PyResult<Py<PyAny>> {
    lines.iter().map(|line| bytes(py, line)).collect::<Vec<_>>().into_py_any(py)
}

#[pymethods]
impl Admin {
    #[new]
    fn new(
        py: Python<'_>,
        server: Vec<Bound<'_, PyAny>>,
        connect_timeout: f64,
        answer_timeout: f64,
        asynchronous: bool,
    ) -> PyResult<Self> {
        let options = AdminOptions {
            connect_timeout: crate::seconds(Some(connect_timeout))?.unwrap_or(Duration::MAX),
            answer_timeout: crate::seconds(Some(answer_timeout))?.unwrap_or(Duration::MAX),
            ..AdminOptions::default()
        };
        let admin = Native::with_options(servers(py, &server)?, options).or_raise(py)?;
        let home = Home::new(asynchronous).or_raise(py)?;
        Ok(Self { admin: Ours::new(Arc::new(Mutex::new(admin))), home })
    }

    fn version(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.version(), text)
    }

    fn getpid(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.getpid(), |py, pid| pid.into_py_any(py))
    }

    fn status(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.status(), |py, rows| {
            let row = |row: &lineshaft::client::admin::FunctionStatus| {
                (bytes(py, &row.function), row.total, row.running, row.workers)
            };
            rows.iter().map(row).collect::<Vec<_>>().into_py_any(py)
        })
    }

    fn priority_status(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.priority_status(), |py, rows| {
            let rows =
                rows.iter().map(|row| (bytes(py, &row.function), row.high, row.normal, row.low, row.workers));
            rows.collect::<Vec<_>>().into_py_any(py)
        })
    }

    fn workers(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.workers(), |py, rows| {
            let rows = rows.iter().map(|row| {
                let functions: Vec<_> = row.functions.iter().map(|name| bytes(py, name)).collect();
                (row.descriptor, row.address.as_str(), row.client_id.as_str(), functions)
            });
            rows.collect::<Vec<_>>().into_py_any(py)
        })
    }

    fn jobs(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.jobs(), |py, rows| {
            let rows =
                rows.iter().map(|row| (bytes(py, &row.handle), row.retries, row.ignored, row.persisted));
            rows.collect::<Vec<_>>().into_py_any(py)
        })
    }

    fn unique_jobs(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.unique_jobs(), lines)
    }

    fn schedules(&self, py: Python<'_>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.schedules(), |py, rows| {
            let rows = rows.iter().map(|row| {
                let (handle, function, unique) =
                    (bytes(py, &row.handle), bytes(py, &row.function), bytes(py, &row.unique));
                (handle, function, unique, row.fields.as_str(), row.next, row.fired, row.skipped)
            });
            rows.collect::<Vec<_>>().into_py_any(py)
        })
    }

    fn cancel(&self, py: Python<'_>, handle: PyBackedBytes) -> PyResult<Op> {
        ask!(self, py, |admin| admin.cancel(&*handle), nothing)
    }

    fn create_function(&self, py: Python<'_>, function: PyBackedBytes) -> PyResult<Op> {
        ask!(self, py, |admin| admin.create_function(&*function), nothing)
    }

    fn drop_function(&self, py: Python<'_>, function: PyBackedBytes) -> PyResult<Op> {
        ask!(self, py, |admin| admin.drop_function(&*function), nothing)
    }

    fn max_queue(&self, py: Python<'_>, function: PyBackedBytes, jobs: Option<u32>) -> PyResult<Op> {
        ask!(self, py, |admin| admin.max_queue(&*function, jobs), nothing)
    }

    fn max_queue_by_priority(
        &self,
        py: Python<'_>,
        function: PyBackedBytes,
        jobs: [Option<u32>; 3],
    ) -> PyResult<Op> {
        ask!(self, py, |admin| admin.max_queue_by_priority(&*function, jobs), nothing)
    }

    fn command(&self, py: Python<'_>, line: String) -> PyResult<Op> {
        ask!(self, py, |admin| admin.command(&line), lines)
    }
}
