//! The async worker.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Options;
use super::exchange::{Ability, Settings};
use super::job::{BlockingJob, Outcome};
use super::job_async::Job;
use super::line::Line;
use super::run::{Function, OnError, Phase, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, Clock, IntoServers, Servers};
use crate::protocol::check_function;

/// An asynchronous worker. It runs on tokio and serves all its servers, with one connection each.
///
/// A server that cannot be reached is tried again with growing pauses (0.1 s to 30 s) and hinders nobody. The result of a
/// job whose connection has been lost is dropped: the server has given that job to somebody else.
///
/// ```
/// # let server = lineshaft::server::Server::builder().listen("127.0.0.1:0".parse()?).start()?;
/// # let address = server.addresses()[0].to_string();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use lineshaft::Worker;
///
/// let worker = Worker::builder(&address)
///     .function("reverse", |job| async move {
///         job.send_status(1, 2).await?;
///         Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>())
///     })
///     .concurrency(8)
///     .build()?;
/// # let control = worker.control();
/// # let client = lineshaft::Client::new(&address)?;
/// # let asked = tokio::spawn(async move {
/// #     let answer = client.submit("reverse", "abc").await?.await;
/// #     control.stop(std::time::Duration::from_secs(1));
/// #     answer
/// # });
/// worker.run().await?;
/// # assert_eq!(asked.await.unwrap()?, "cba");
/// # Ok::<(), lineshaft::Error>(())
/// # })?;
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Debug)]
pub struct Worker {
    control: Control,
}

/// Changes and stops a running [`Worker`].
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
    lines: Arc<[Arc<Line>]>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

/// What a [`Worker`] is made from.
pub struct Builder {
    servers: Result<Servers>,
    options: Options,
    functions: Vec<(Ability, Function)>,
    on_error: OnError,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker of `servers`.
    pub fn builder(servers: impl IntoServers) -> Builder {
        Builder {
            servers: servers.into_servers(),
            options: Options::default(),
            functions: Vec::new(),
            on_error: Box::new(|_, _| {}),
        }
    }

    /// Something to change and stop this worker with.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Works until [`Control::stop`]. Dropping the future stops at once: what runs is broken off, and its jobs go to others.
    ///
    /// # Errors
    /// [`ErrorKind::NoRegisteredFunctions`]. Trouble with servers is not an error here: see [`Builder::on_error`].
    pub async fn run(self) -> Result<()> {
        let Control { shared, lines } = &self.control;
        if shared.functions.read().is_empty() {
            let detail = "add a function before the worker runs";
            return Err(Error::new(ErrorKind::NoRegisteredFunctions, "run", detail));
        }
        // Jobs that still run when this future ends, in whatever way, are broken off.
        let _over = Over(shared);
        let mut serving = JoinSet::new();
        for line in lines.iter() {
            serving.spawn(Arc::clone(line).serve(Arc::clone(shared)));
        }
        while serving.join_next().await.is_some() {}
        Ok(())
    }
}

struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.phase.send_replace(Phase::Over);
    }
}

fn boxed<F, Fut, R>(function: F) -> Function
where
    F: Fn(Job) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome<R>> + Send + 'static,
    R: Into<Bytes>,
{
    Function::Async(Arc::new(move |job| {
        let running = function(job);
        Box::pin(async move { running.await.map(Into::into) })
    }))
}

fn boxed_blocking<R: Into<Bytes>>(
    function: impl Fn(&mut BlockingJob<'_>) -> Outcome<R> + Send + Sync + 'static,
) -> Function {
    Function::Blocking(Arc::new(move |job| function(job).map(Into::into)))
}

fn ability(name: &[u8], timeout: Option<Duration>) -> Ability {
    Ability { function: Bytes::copy_from_slice(name), timeout }
}

impl Builder {
    /// Adds an async function. A panic in it becomes an exception of the job.
    #[must_use]
    pub fn function<F, Fut, R>(mut self, name: impl AsRef<[u8]>, function: F) -> Self
    where
        F: Fn(Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<R>> + Send + 'static,
        R: Into<Bytes>,
    {
        self.functions.push((ability(name.as_ref(), None), boxed(function)));
        self
    }

    /// As [`Builder::function`]; a job that takes longer than `timeout` is given to somebody else by the server, and what
    /// comes of it here is dropped. Servers round everything below a second up to one.
    #[must_use]
    pub fn function_with_timeout<F, Fut, R>(
        mut self,
        name: impl AsRef<[u8]>,
        timeout: Duration,
        function: F,
    ) -> Self
    where
        F: Fn(Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<R>> + Send + 'static,
        R: Into<Bytes>,
    {
        self.functions.push((ability(name.as_ref(), Some(timeout)), boxed(function)));
        self
    }

    /// Adds a function that blocks. It runs on a thread of the runtime's pool for such work.
    #[must_use]
    pub fn function_blocking<R: Into<Bytes>>(
        mut self,
        name: impl AsRef<[u8]>,
        function: impl Fn(&mut BlockingJob<'_>) -> Outcome<R> + Send + Sync + 'static,
    ) -> Self {
        self.functions.push((ability(name.as_ref(), None), boxed_blocking(function)));
        self
    }

    /// Jobs at once, on one connection per server. Default 1; 0 counts as 1.
    #[must_use]
    pub const fn concurrency(mut self, jobs: usize) -> Self {
        self.options.concurrency = jobs;
        self
    }

    /// The name that the admin command `workers` shows. Default none: the server shows `-`.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.options.client_id = Some(id.into());
        self
    }

    /// All options at once; what was set before is replaced.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Who is told of lost connections, servers that cannot be reached, and complaints of servers, among them those about
    /// results that came too late. Nobody by default.
    #[must_use]
    pub fn on_error(mut self, told: impl Fn(&Address, &Error) + Send + Sync + 'static) -> Self {
        self.on_error = Box::new(told);
        self
    }

    /// The worker. It connects when it runs.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where a text is no address; [`ErrorKind::InvalidFunctionName`].
    pub fn build(self) -> Result<Worker> {
        let servers = self.servers?;
        for (ability, _) in &self.functions {
            check_function("add function", &ability.function, &self.options.limits)?;
        }
        let settings = Settings {
            client_id: self.options.client_id.clone().map(Bytes::from),
            all_yours: servers.len() == 1,
            answer_timeout: self.options.answer_timeout,
        };
        let shared = Arc::new(Shared {
            options: self.options,
            clock: Clock::new(),
            functions: RwLock::new(HashMap::default()),
            on_error: self.on_error,
            phase: watch::Sender::new(Phase::Working),
        });
        let line = |address: &Address| {
            Line::new(Arc::downgrade(&shared), address.clone(), settings.clone(), &shared.options)
        };
        let lines: Arc<[_]> = servers.iter().map(line).collect();
        let control = Control { shared, lines };
        for (ability, function) in self.functions {
            control.add(ability, function)?;
        }
        Ok(Worker { control })
    }
}

impl Control {
    /// Adds an async function to the worker as it runs, or replaces it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidFunctionName`]: empty, with a NUL, or above 512 bytes.
    pub fn add_function<F, Fut, R>(&self, name: impl AsRef<[u8]>, function: F) -> Result<()>
    where
        F: Fn(Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<R>> + Send + 'static,
        R: Into<Bytes>,
    {
        self.add(ability(name.as_ref(), None), boxed(function))
    }

    /// As [`Control::add_function`], with the timeout of [`Builder::function_with_timeout`].
    ///
    /// # Errors
    /// As [`Control::add_function`].
    pub fn add_function_with_timeout<F, Fut, R>(
        &self,
        name: impl AsRef<[u8]>,
        timeout: Duration,
        function: F,
    ) -> Result<()>
    where
        F: Fn(Job) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<R>> + Send + 'static,
        R: Into<Bytes>,
    {
        self.add(ability(name.as_ref(), Some(timeout)), boxed(function))
    }

    /// As [`Control::add_function`], for a function that blocks.
    ///
    /// # Errors
    /// As [`Control::add_function`].
    pub fn add_function_blocking<R: Into<Bytes>>(
        &self,
        name: impl AsRef<[u8]>,
        function: impl Fn(&mut BlockingJob<'_>) -> Outcome<R> + Send + Sync + 'static,
    ) -> Result<()> {
        self.add(ability(name.as_ref(), None), boxed_blocking(function))
    }

    fn add(&self, ability: Ability, function: Function) -> Result<()> {
        check_function("add function", &ability.function, &self.shared.options.limits)?;
        self.shared.functions.write().insert(ability.function.clone(), function);
        for line in self.lines.iter() {
            line.act(|exchange, send| exchange.add(ability.clone(), send));
        }
        Ok(())
    }

    /// Removes a function; the servers give its jobs that run here to somebody else. False where the worker did not have it.
    pub fn remove_function(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        for line in self.lines.iter() {
            line.act(|exchange, send| exchange.remove(name, send));
        }
        self.shared.functions.write().remove(name).is_some()
    }

    /// Stops the worker: it takes no new jobs, finishes what runs, and then [`Worker::run`] returns. What still runs after
    /// `grace` is broken off and handed back to the servers by closing the connections; a function that blocks cannot be
    /// broken off, its result is dropped.
    pub fn stop(&self, grace: Duration) {
        // Now, and not when the lines come to it: the job that ends next must not ask for another.
        for line in self.lines.iter() {
            line.act(|exchange, _| exchange.drain());
        }
        let until = self.shared.clock.now().saturating_add(grace);
        self.shared.phase.send_if_modified(|phase| {
            let stops = *phase == Phase::Working;
            if stops {
                *phase = Phase::Stopping { until };
            }
            stops
        });
    }
}
