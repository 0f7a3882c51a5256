//! The server in this process, and what servers can be given as.

use std::time::Duration;

use lineshaft::broker::{Compat, Config};
use lineshaft::net::{Address, Servers};
use lineshaft::server::Server as Native;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::error::OrRaise as _;
use crate::fork::Ours;
use crate::seconds;

/// A running server.
#[pyclass(frozen, module = "lineshaft._native")]
pub(crate) struct Server(Mutex<Option<Ours<Native>>>);

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (listen, threads, compat, exceptions, job_retries, handle_prefix, max_queue_bytes, store, pid))]
    #[expect(clippy::too_many_arguments, reason = "named and explained in Python")]
    fn new(
        py: Python<'_>,
        listen: Vec<String>,
        threads: usize,
        compat: &str,
        exceptions: bool,
        job_retries: Option<u32>,
        handle_prefix: Option<String>,
        max_queue_bytes: Option<u64>,
        store: Option<String>,
        pid: u32,
    ) -> PyResult<Self> {
        let defaults = Config::default();
        let config = Config {
            compat: if compat == "1.1" { Compat::V1_1 } else { Compat::V2_0 },
            exceptions,
            job_retries,
            handle_prefix: handle_prefix.unwrap_or(defaults.handle_prefix),
            max_queue_bytes: max_queue_bytes.unwrap_or(defaults.max_queue_bytes),
            pid,
            ..Config::default()
        };
        let mut builder = Native::builder().threads(threads).broker(config);
        for address in listen {
            builder = builder.listen(address.parse::<Address>().or_raise(py)?);
        }
        let store = store.as_deref().unwrap_or("memory");
        let server = py.detach(|| builder.store_at(store)?.start()).or_raise(py)?;
        Ok(Self(Mutex::new(Some(Ours::new(server)))))
    }

    /// Where it listens; empty when it has ended, and in a forked child.
    fn addresses(&self) -> Vec<String> {
        let guard = self.0.lock();
        let server = guard.as_ref().and_then(|server| server.get().ok());
        server.map(|server| server.addresses().iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    /// Jobs and connections just now.
    fn counts(&self) -> (usize, usize) {
        let guard = self.0.lock();
        let server = guard.as_ref().and_then(|server| server.get().ok());
        server.map_or((0, 0), |server| (server.jobs(), server.connections()))
    }

    /// Ends it: at once, or after what runs has ended, within so many seconds. True where nothing was running any more.
    fn stop(&self, py: Python<'_>, grace: Option<f64>) -> PyResult<bool> {
        let grace = seconds(grace)?.unwrap_or(Duration::MAX);
        let taken = self.0.lock().take();
        let Some(server) = taken.and_then(Ours::into_inner) else { return Ok(true) };
        Ok(py.detach(|| match grace {
            Duration::ZERO => {
                let idle = server.jobs() == 0;
                server.stop();
                idle
            }
            grace => server.shutdown(grace),
        }))
    }
}

/// The servers of a list of addresses as text and servers of this process.
pub(crate) fn servers(py: Python<'_>, given: &[Bound<'_, PyAny>]) -> PyResult<Servers> {
    let mut addresses = Vec::new();
    for each in given {
        if let Ok(server) = each.cast::<Server>() {
            let guard = server.get().0.lock();
            let Some(server) = &*guard else {
                let error = lineshaft::Error::new(
                    lineshaft::ErrorKind::Closed,
                    "connect",
                    "the server of this process has been stopped",
                );
                return Err(crate::error::raised(py, &error));
            };
            addresses.push(Address::Local(server.get().or_raise(py)?.local()));
        } else if let Ok(text) = each.extract::<String>() {
            addresses.extend(text.parse::<Servers>().or_raise(py)?.iter().cloned());
        } else {
            return Err(PyTypeError::new_err("a server is an address as str, or a lineshaft.Server"));
        }
    }
    Ok(addresses.into_iter().collect())
}
