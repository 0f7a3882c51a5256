//! The server in this process.

use std::sync::Arc;

use lineshaft::broker::{Compat, Config};
use lineshaft::net::{Address, LocalBroker, Servers};
use lineshaft::server::Server;
use lineshaft::{Error, ErrorKind, Result};
use napi::bindgen_prelude::ClassInstance;
use napi_derive::napi;
use parking_lot::Mutex;

use crate::client::{duration, size};
use crate::executor::Loop;
use crate::output::Item;
use crate::runtime::runtime;
use crate::servers::thrown;

/// Settings of a server; times in milliseconds, sizes in bytes.
#[napi(object)]
#[derive(Debug, Default)]
pub struct NativeServerOptions {
    /// Addresses; none at all for a server without sockets.
    pub listen: Vec<String>,
    pub threads: Option<u32>,
    /// `1.1` or `2.0`.
    pub compat: Option<String>,
    pub exceptions: Option<bool>,
    pub job_retries: Option<u32>,
    pub handle_prefix: Option<String>,
    pub worker_wakeup: Option<u32>,
    pub wake_grace: Option<f64>,
    pub max_queue_bytes: Option<f64>,
    pub max_function_bytes: Option<f64>,
    /// An address of a store; `memory` or nothing for none.
    pub store: Option<String>,
}

impl NativeServerOptions {
    fn config(&self) -> Result<Config> {
        let mut config = Config { pid: std::process::id(), ..Config::default() };
        config.compat = match self.compat.as_deref() {
            None | Some("2.0") => Compat::V2_0,
            Some("1.1") => Compat::V1_1,
            Some(other) => {
                let detail = format!("compat is `{other}`; it can be 1.1 or 2.0");
                return Err(Error::new(ErrorKind::InvalidArgument, "start server", detail));
            }
        };
        config.exceptions = self.exceptions.unwrap_or(config.exceptions);
        config.job_retries = self.job_retries;
        config.worker_wakeup = self.worker_wakeup;
        if let Some(prefix) = &self.handle_prefix {
            config.handle_prefix.clone_from(prefix);
        }
        if let Some(grace) = self.wake_grace {
            config.wake_grace = duration(grace)?;
        }
        config.max_queue_bytes =
            self.max_queue_bytes.map_or(config.max_queue_bytes, |bytes| size(bytes) as u64);
        config.max_function_bytes =
            self.max_function_bytes.map_or(config.max_function_bytes, |bytes| size(bytes) as u64);
        Ok(config)
    }

    fn start(&self) -> Result<Server> {
        let mut builder = Server::builder().broker(self.config()?);
        for text in &self.listen {
            for address in text.parse::<Servers>()?.iter() {
                builder = builder.listen(address.clone());
            }
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads as usize);
        }
        builder.store_at(self.store.as_deref().unwrap_or("memory"))?.start()
    }
}

#[derive(Default)]
struct State {
    server: Option<Server>,
    local: Option<Arc<dyn LocalBroker>>,
}

/// A server in this process.
#[napi]
#[derive(Default)]
pub struct NativeServer {
    state: Arc<Mutex<State>>,
}

#[napi]
impl NativeServer {
    /// A server that has not been started.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts it; the event's value is the list of addresses.
    #[napi]
    pub fn start(
        &self,
        executor: ClassInstance<'_, Loop>,
        options: NativeServerOptions,
    ) -> napi::Result<u32> {
        let runtime = runtime().map_err(|error| thrown(&error))?;
        let _entered = runtime.enter();
        let state = self.state.clone();
        let starting = runtime.spawn_blocking(move || {
            let server = options.start()?;
            let addresses =
                server.addresses().iter().map(|address| Item::Text(address.to_string())).collect();
            *state.lock() = State { local: Some(server.local()), server: Some(server) };
            Ok(Item::List(addresses))
        });
        Ok(executor.executor.future(async move { starting.await.map_err(|error| broken(&error))? }))
    }

    /// Stops it: at once, or when the jobs that run have ended, or the deadline (milliseconds) has passed. The event's value
    /// tells whether nothing was running any more.
    #[napi]
    pub fn stop(&self, executor: ClassInstance<'_, Loop>, deadline: Option<f64>) -> napi::Result<u32> {
        let runtime = runtime().map_err(|error| thrown(&error))?;
        let _entered = runtime.enter();
        let deadline = deadline.map(duration).transpose().map_err(|error| thrown(&error))?;
        let server = self.state.lock().server.take();
        let stopping = runtime.spawn_blocking(move || match (server, deadline) {
            (Some(server), Some(deadline)) => server.shutdown(deadline),
            (server, _) => {
                drop(server);
                true
            }
        });
        Ok(executor
            .executor
            .future(async move { stopping.await.map(Item::Flag).map_err(|error| broken(&error)) }))
    }

    /// What there is: jobs, connections.
    #[napi]
    pub fn counts(&self) -> Option<Vec<u32>> {
        let state = self.state.lock();
        let server = state.server.as_ref()?;
        Some(vec![server.jobs() as u32, server.connections() as u32])
    }

    pub(crate) fn address(&self) -> Result<Address> {
        let local = self.state.lock().local.clone();
        local.map(Address::Local).ok_or_else(|| {
            Error::new(
                ErrorKind::NotConnected,
                "server",
                "it has not been started; await Server.start() first",
            )
        })
    }
}

impl Drop for NativeServer {
    /// A JavaScript thread that ends without having stopped its server must not wait for it.
    fn drop(&mut self) {
        if let (Some(server), Ok(runtime)) = (self.state.lock().server.take(), runtime()) {
            runtime.spawn_blocking(move || drop(server));
        }
    }
}

fn broken(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Io, "server", error.to_string())
}
