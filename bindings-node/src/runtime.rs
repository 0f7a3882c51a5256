//! The runtime that all JavaScript threads of the process share.

use std::sync::OnceLock;

use lineshaft::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};

/// Threads that may be busy starting and stopping servers at once.
const MAX_BLOCKING: usize = 16;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The runtime, made with the first call: one thread, which does nothing but I/O.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(MAX_BLOCKING)
        .thread_name("lineshaft-node")
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Io, "start", format!("the I/O thread: {error}")))?;
    // Another JavaScript thread may have been faster: then this one goes, without waiting for anything.
    if let Err(unused) = RUNTIME.set(made) {
        unused.shutdown_background();
    }
    RUNTIME.get().ok_or_else(|| Error::new(ErrorKind::Io, "start", "there is no runtime"))
}
