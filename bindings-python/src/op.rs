//! Something that takes its time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lineshaft::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error::{OrRaise as _, raised};
use crate::home::Home;
use crate::seconds;

/// How long a thread waits before it looks whether a signal (Ctrl-C) has come for it.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// Makes a Python object of what came out.
pub(crate) type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;
pub(crate) type Running = Pin<Box<dyn Future<Output = Finish> + Send>>;

/// An operation under way. Wait for it with [`Op::wait`], or give it to a `Bridge`; dropping it gives it up.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Op {
    running: Mutex<Option<Running>>,
    pub(crate) home: Home,
}

impl Op {
    pub(crate) fn new<T, F, C>(home: &Home, future: F, convert: C) -> Self
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
        C: FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    {
        let running: Running = Box::pin(async move {
            let result = future.await;
            let finish: Finish = Box::new(move |py| convert(py, result.or_raise(py)?));
            finish
        });
        Self { running: Mutex::new(Some(running)), home: home.clone() }
    }

    /// An operation that answers nothing.
    pub(crate) fn plain(home: &Home, future: impl Future<Output = Result<()>> + Send + 'static) -> Self {
        Self::new(home, future, |py, ()| Ok(py.None()))
    }

    /// The future, which can be taken once.
    pub(crate) fn take(&self) -> PyResult<Running> {
        let used = || PyRuntimeError::new_err("the operation has been waited for already");
        self.running.lock().take().ok_or_else(used)
    }

    /// What is there without waiting.
    fn look(&self, running: &mut Running) -> Result<Option<Finish>> {
        let mut context = Context::from_waker(Waker::noop());
        let poll = self.home.enter(|| running.as_mut().poll(&mut context))?;
        Ok(match poll {
            Poll::Ready(finish) => Some(finish),
            Poll::Pending => None,
        })
    }
}

#[pymethods]
impl Op {
    /// Waits on this thread, with the interpreter released, at most `timeout` seconds. Signals are looked after meanwhile.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let mut left = seconds(timeout)?;
        let mut running = self.take()?;
        if let Some(finish) = self.look(&mut running).or_raise(py)? {
            return finish(py);
        }
        loop {
            let slice = left.map_or(SIGNAL_CHECK, |left| left.min(SIGNAL_CHECK));
            let waited = py.detach(|| {
                self.home.block_on(async { tokio::time::timeout(slice, &mut running).await.ok() })
            });
            if let Some(finish) = waited.or_raise(py)? {
                return finish(py);
            }
            py.check_signals()?;
            if let Some(left) = &mut left {
                *left = left.saturating_sub(slice);
                if left.is_zero() {
                    let detail = "nothing yet; what was asked for may still happen";
                    return Err(raised(py, &Error::new(ErrorKind::Timeout, "wait", detail)));
                }
            }
        }
    }

    /// What is there without waiting, as a tuple of one; `None` where there is nothing yet: then the operation goes on.
    fn poll(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>,)>> {
        let mut running = self.take()?;
        match self.look(&mut running).or_raise(py)? {
            Some(finish) => Ok(Some((finish(py)?,))),
            None => {
                *self.running.lock() = Some(running);
                Ok(None)
            }
        }
    }
}
