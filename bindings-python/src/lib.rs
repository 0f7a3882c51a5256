//! The native half of the Python package `lineshaft`: conversions around the Rust client, worker, admin client and server.
//!
//! Everything that waits is an `Op`: the blocking classes of Python wait for it on their own thread, the asyncio ones
//! hand it to a `Bridge`. So the two have one implementation, and no I/O happens while the interpreter is held.
//! The names, defaults, documentation and type annotations that people see are in `python/lineshaft`.

mod admin;
mod bridge;
mod client;
mod error;
mod fork;
mod home;
mod op;
mod server;
mod task;
mod worker;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::admin::Admin;
    #[pymodule_export]
    use super::bridge::Bridge;
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::op::Op;
    #[pymodule_export]
    use super::server::Server;
    #[pymodule_export]
    use super::task::{Task, ready};
    #[pymodule_export]
    use super::worker::{Job, Worker};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ERROR_KINDS", super::error::kinds())
    }
}

/// Seconds from Python. Infinite, huge and `None` all mean without limit.
fn seconds(value: Option<f64>) -> PyResult<Option<std::time::Duration>> {
    match value {
        None => Ok(None),
        Some(seconds) if seconds.is_nan() => {
            Err(pyo3::exceptions::PyValueError::new_err("a time in seconds, not NaN"))
        }
        // What is too long for the type is without limit.
        Some(seconds) => Ok(std::time::Duration::try_from_secs_f64(seconds.max(0.0)).ok()),
    }
}
