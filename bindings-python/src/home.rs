//! Where the futures run: on the caller's thread, or on the one I/O thread of the asyncio classes.

use std::future::Future;
use std::sync::Arc;

use lineshaft::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use crate::fork::Ours;

/// A runtime. It has no thread of its own: it runs while somebody waits in [`Home::block_on`].
#[derive(Clone, Debug)]
pub(crate) struct Home(Arc<Ours<Runtime>>);

/// The runtime of the asyncio classes of this process, which the thread `lineshaft-asyncio` drives.
static SHARED: Mutex<Option<Home>> = Mutex::new(None);

fn made() -> Result<Home> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map(|runtime| Home(Arc::new(Ours::new(runtime)))).map_err(|error| failed(&error))
}

fn failed(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "runtime", error.to_string())
}

impl Home {
    /// One of its own for a blocking object, the shared one for an asyncio object.
    pub(crate) fn new(asynchronous: bool) -> Result<Self> {
        if asynchronous { Self::shared() } else { made() }
    }

    fn shared() -> Result<Self> {
        let mut shared = SHARED.lock();
        if let Some(home) = &*shared
            && home.0.get().is_ok()
        {
            return Ok(home.clone());
        }
        let home = made()?;
        let runs = home.clone();
        let forever = move || runs.block_on(std::future::pending::<()>());
        let thread = std::thread::Builder::new().name("lineshaft-asyncio".into()).spawn(forever);
        thread.map_err(|error| failed(&error))?;
        Ok(shared.insert(home).clone())
    }

    /// Drives the runtime on this thread until `future` is over.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        Ok(self.0.get()?.block_on(future))
    }

    /// Lets `run` spawn tasks here.
    pub(crate) fn enter<R>(&self, run: impl FnOnce() -> R) -> Result<R> {
        let _entered = self.0.get()?.enter();
        Ok(run())
    }

    pub(crate) fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<tokio::task::AbortHandle> {
        Ok(self.0.get()?.spawn(future).abort_handle())
    }
}

/// Lets a runtime that is driven now and then catch up: the first turn asks the system what has happened to the sockets, the
/// second lets the tasks that wait for them run, the third sends what they had to say.
pub(crate) async fn catch_up() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}
