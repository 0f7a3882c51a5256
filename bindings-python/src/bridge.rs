//! From the I/O thread to an asyncio event loop.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::error::OrRaise as _;
use crate::op::{Finish, Op};

/// What has ended and waits to be taken by the event loop.
struct Done {
    ended: Mutex<Vec<(u64, Finish)>>,
    wake: UnixStream,
}

impl Done {
    /// The first of a batch wakes the loop; the others are found when it comes. The I/O thread never waits for the interpreter.
    fn add(&self, token: u64, finish: Finish) {
        let first = {
            let mut ended = self.ended.lock();
            ended.push((token, finish));
            ended.len() == 1
        };
        if first {
            // A full pipe wakes as well.
            let _ = (&self.wake).write(&[0]);
        }
    }
}

/// Carries operations to the I/O thread and what comes of them back, for one event loop. The loop watches [`Bridge::fileno`]
/// and calls [`Bridge::take`] when it is readable: once a batch, however many operations have ended.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Bridge {
    done: Arc<Done>,
    woken: UnixStream,
    under_way: Mutex<(u64, HashMap<u64, AbortHandle>)>,
}

#[pymethods]
impl Bridge {
    #[new]
    fn new() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let done = Done { ended: Mutex::default(), wake };
        Ok(Self { done: Arc::new(done), woken, under_way: Mutex::default() })
    }

    /// The descriptor that is readable when something has ended.
    fn fileno(&self) -> i32 {
        self.woken.as_raw_fd()
    }

    /// Sets an operation going; the number names it.
    fn start(&self, py: Python<'_>, op: &Op) -> PyResult<u64> {
        let running = op.take()?;
        let done = Arc::clone(&self.done);
        let mut under_way = self.under_way.lock();
        under_way.0 += 1;
        let token = under_way.0;
        let handle = op.home.spawn(async move { done.add(token, running.await) }).or_raise(py)?;
        under_way.1.insert(token, handle);
        Ok(token)
    }

    /// Gives an operation up. It may have ended all the same; then nobody is told.
    fn cancel(&self, token: u64) {
        if let Some(handle) = self.under_way.lock().1.remove(&token) {
            handle.abort();
        }
    }

    /// What has ended: number, value, exception. One of the two is `None`.
    fn take(&self, py: Python<'_>) -> Vec<(u64, Option<Py<PyAny>>, Option<PyErr>)> {
        let mut bytes = [0; 64];
        // Nothing to read is fine: another call has taken it.
        while matches!((&self.woken).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        let ended = std::mem::take(&mut *self.done.ended.lock());
        let mut wanted = Vec::with_capacity(ended.len());
        {
            let mut under_way = self.under_way.lock();
            wanted.extend(ended.into_iter().filter(|(token, _)| under_way.1.remove(token).is_some()));
        }
        let told = |(token, finish): (u64, Finish)| match finish(py) {
            Ok(value) => (token, Some(value), None),
            Err(error) => (token, None, Some(error)),
        };
        wanted.into_iter().map(told).collect()
    }
}
