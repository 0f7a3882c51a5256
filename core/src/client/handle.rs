//! The async client.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;

use super::driver::{Owner, Shared, not_connected};
use super::exchange::{Answer, Question};
use super::task::Task;
use super::{JobStatus, Options, Submission};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Clock, IntoServers, Servers};
use crate::protocol::Data;
use crate::types::JobHandle;

/// An asynchronous client. It runs on tokio, connects with its first request and keeps that connection; clones share it.
/// Submissions of many tasks go out in one write.
///
/// A lost connection ends the foreground tasks that are under way with [`ErrorKind::LostConnection`] (their jobs may have
/// run, or run still); the next request connects again, to the first server of the list that can be reached,
/// or, after a server that owed an answer for too long, to the first one behind it.
///
/// ```
/// # let server = lineshaft::server::Server::builder().listen("127.0.0.1:0".parse()?).start()?;
/// # let address = server.addresses()[0].to_string();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let reverse = |job: lineshaft::worker::Job| async move { Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>()) };
/// # tokio::spawn(lineshaft::Worker::builder(&address).function("reverse", reverse).build()?.run());
/// use lineshaft::Client;
///
/// let client = Client::new(&address)?;
/// let task = client.submit("reverse", "abc").await?;
/// assert_eq!(task.await?, "cba");
///
/// let handle = client.job("resize", "cat.jpg").low().unique("cat").background().send().await?.handle();
/// assert!(client.status(&handle).await?.known);
/// # Ok::<(), lineshaft::Error>(())
/// # })?;
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    owner: Arc<Owner>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client of `servers`, with the default [`Options`]. It does not connect yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where a text is no address.
    pub fn new(servers: impl IntoServers) -> Result<Self> {
        Self::with_options(servers, Options::default())
    }

    /// As [`Client::new`], with options.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_options(servers: impl IntoServers, options: Options) -> Result<Self> {
        Ok(Self::of(servers.into_servers()?, options))
    }

    /// As [`Client::with_options`], for servers that are servers.
    pub(crate) fn of(servers: Servers, options: Options) -> Self {
        Self { owner: Arc::new(Owner(Shared::new(servers, options))) }
    }

    /// Connects now, where the first request would.
    ///
    /// # Errors
    /// [`ErrorKind::CouldNotConnect`] with every server's reason, [`ErrorKind::Resolve`].
    pub async fn connect(&self) -> Result<()> {
        self.owner.0.ready().await
    }

    /// Submits a foreground job and waits until the server has it.
    ///
    /// # Errors
    /// As [`Submission::send`].
    pub async fn submit<'a>(
        &self,
        function: &'a (impl AsRef<[u8]> + ?Sized),
        workload: impl Into<Data<'a>>,
    ) -> Result<Task> {
        let job = Submission::new(function, workload);
        self.start(&job).await?.created().await
    }

    /// A job with more to say about it; end with [`Submission::send`].
    pub fn job<'c, 'a>(
        &'c self,
        function: &'a (impl AsRef<[u8]> + ?Sized),
        workload: impl Into<Data<'a>>,
    ) -> Submission<'a, &'c Self> {
        Submission::of(self, function, workload)
    }

    /// Submits many jobs without waiting for one before the next is sent, then waits until the server has answered all.
    /// The results stand in the order of the jobs.
    pub async fn submit_many<'a>(&self, jobs: impl IntoIterator<Item = Submission<'a>>) -> Vec<Result<Task>> {
        let mut tasks = Vec::new();
        for job in jobs {
            tasks.push(self.start(&job).await);
        }
        let mut created = Vec::with_capacity(tasks.len());
        for task in tasks {
            created.push(match task {
                Ok(task) => task.created().await,
                Err(error) => Err(error),
            });
        }
        created
    }

    /// Runs foreground jobs, at most `in_flight` at once; [`Map::next`] gives their results in the order of the jobs.
    pub fn map<'a, I>(&self, jobs: I, in_flight: usize) -> Map<'_, I::IntoIter>
    where
        I: IntoIterator<Item = Submission<'a>>,
    {
        let in_flight = in_flight.max(1);
        Map { client: self, jobs: jobs.into_iter(), in_flight, started: VecDeque::new() }
    }

    async fn start<C>(&self, job: &Submission<'_, C>) -> Result<Task> {
        let shared = &self.owner.0;
        shared.ready().await?;
        let options = &shared.options;
        let timeout = job.own_timeout().or(options.task_timeout);
        let deadline = timeout.map(|timeout| shared.clock.now().saturating_add(timeout));
        let ticket = job.packet(&options.limits, Clock::unix, |submit| {
            shared.request(|exchange, send| exchange.submit(submit, deadline, send))
        })??;
        Ok(Task::new(Arc::clone(&self.owner), ticket))
    }

    /// How a job stands. A job of another server than the one this client is connected to is not known.
    ///
    /// # Errors
    /// Those of the connection, and [`ErrorKind::ArgumentTooLarge`] where the handle is too long for any server.
    pub async fn status(&self, handle: &JobHandle) -> Result<JobStatus> {
        self.ask_status(Question::Status(handle.as_bytes())).await
    }

    /// How the job with this unique stands, whatever its function. gearmand finds no jobs with [`super::Unique::Workload`].
    ///
    /// # Errors
    /// As [`Client::status`].
    pub async fn status_by_unique(&self, unique: impl AsRef<[u8]>) -> Result<JobStatus> {
        self.ask_status(Question::StatusUnique(unique.as_ref())).await
    }

    async fn ask_status(&self, question: Question<'_>) -> Result<JobStatus> {
        match self.ask(question).await? {
            Answer::Status(status) => Ok(status),
            _ => Err(Error::new(ErrorKind::UnexpectedPacket, "status", "")),
        }
    }

    /// Sends bytes to the server and compares what comes back.
    ///
    /// # Errors
    /// [`ErrorKind::EchoMismatch`], and those of the connection.
    pub async fn echo(&self, data: impl AsRef<[u8]>) -> Result<()> {
        let data = data.as_ref();
        match self.ask(Question::Echo(data)).await? {
            Answer::Echo(back) if back == data => Ok(()),
            _ => Err(Error::new(ErrorKind::EchoMismatch, "echo", "")),
        }
    }

    /// Sets an option of the connection; `exceptions`, the one that exists, is set unless [`Options::exceptions`] is off.
    /// A new connection does not have it again.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownOption`], and those of the connection.
    pub async fn set_option(&self, name: impl AsRef<[u8]>) -> Result<()> {
        self.ask(Question::Option(name.as_ref())).await.map(|_| ())
    }

    async fn ask(&self, question: Question<'_>) -> Result<Answer> {
        let shared = &self.owner.0;
        question.check(&shared.options.limits)?;
        shared.ready().await?;
        let ticket = shared.request(|exchange, send| exchange.ask(question, None, send))?;
        // Releases the ticket, also where the caller stops waiting.
        let _task = Task::new(Arc::clone(&self.owner), ticket);
        poll_fn(|cx| {
            shared.poll(cx, ticket, |exchange| {
                if let Some(answer) = exchange.take_answer(ticket) {
                    return Some(Ok(answer));
                }
                let over = exchange.is_over(ticket);
                over.then(|| Err(exchange.error(ticket).cloned().unwrap_or_else(not_connected)))
            })
        })
        .await
    }
}

impl Submission<'_, &Client> {
    /// Submits the job and waits until the server has it.
    ///
    /// # Errors
    /// What a [`Submission`] is refused for; [`ErrorKind::CouldNotConnect`]; what the server says, such as
    /// [`ErrorKind::QueueError`]; [`ErrorKind::LostConnection`] and [`ErrorKind::Timeout`], after which the job may
    /// exist all the same.
    pub async fn send(self) -> Result<Task> {
        self.start().await?.created().await
    }

    /// Submits the job and does not wait for the server's answer: an error of the server comes with the task's result. The job
    /// is still written when the task and the client are dropped, as long as the runtime lives.
    ///
    /// # Errors
    /// Those of [`Submission::send`] that are known before the server has answered.
    pub async fn start(self) -> Result<Task> {
        self.client.start(&self).await
    }
}

/// Jobs of [`Client::map`] under way.
#[derive(Debug)]
pub struct Map<'c, I> {
    client: &'c Client,
    jobs: I,
    in_flight: usize,
    started: VecDeque<Result<Task>>,
}

impl<'a, I: Iterator<Item = Submission<'a>>> Map<'_, I> {
    /// The result of the next job; `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        while self.started.len() < self.in_flight {
            let Some(job) = self.jobs.next() else { break };
            self.started.push_back(self.client.start(&job).await);
        }
        match self.started.pop_front()? {
            Ok(task) => Some(task.await),
            Err(error) => Some(Err(error)),
        }
    }
}
