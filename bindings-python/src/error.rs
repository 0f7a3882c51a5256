//! Errors on their way to Python. The class is chosen there, by the stable name of the kind.

use lineshaft::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;

/// The table of kinds: name, number, sentence, and whether trying again may help.
pub(crate) fn kinds() -> Vec<(&'static str, u32, &'static str, bool)> {
    let row = |kind: &ErrorKind| (kind.name(), kind.code(), kind.describe(), kind.is_retryable());
    ErrorKind::ALL.iter().map(row).collect()
}

/// The exception object that an error is.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.import(py, "lineshaft.errors", "_make")?;
    let data = PyBytes::new(py, error.data());
    make.call1((error.kind().name(), error.operation(), error.detail(), error.to_string(), data))
}

/// The same, to be raised.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(|error| error, PyErr::from_value)
}

/// A result whose error is raised.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for lineshaft::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raised(py, &error))
    }
}
