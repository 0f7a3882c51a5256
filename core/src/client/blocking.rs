//! The client without a runtime: everything happens on the caller's thread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::blocking_task::{Map, Task};
use super::exchange::{Answer, Exchange, Question, Ticket};
use super::loss::lost_because;
use super::{JobStatus, Options, Submission};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Clock, Connecting, Connector, Interest, IntoServers, Servers, Wire};
use crate::protocol::{Data, Decoder};
use crate::types::JobHandle;

/// A client that works on the caller's thread: it owns no thread and no runtime, connects with its first request and can
/// be carried over a `fork` before that.
///
/// Cloning it, and the [`Task`]s it gives, share its one connection. They may be used from several threads, one at a time:
/// while one thread waits for a result the others wait for that thread. Give each thread a client of its own, or use
/// [`Client`](crate::Client), where that matters.
///
/// A lost connection ends the foreground tasks that are under way with [`ErrorKind::LostConnection`] (their jobs may have
/// run, or run still); the next request connects again, to the first server of the list that can be reached,
/// or, after a server that owed an answer for too long, to the first one behind it.
///
/// ```
/// # let server = lineshaft::server::Server::builder().listen("127.0.0.1:0".parse()?).start()?;
/// # let address = server.addresses()[0].to_string();
/// # let mut worker = lineshaft::blocking::Worker::new(&address)?;
/// # worker.add_function("reverse", |job| Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>()))?;
/// # std::thread::spawn(move || worker.work(None));
/// use lineshaft::blocking::Client;
///
/// let client = Client::new(&address)?;
/// let task = client.submit("reverse", "abc")?;
/// assert_eq!(task.result()?, "cba");
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Mutex<Inner>>,
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
        let connector = Connector::new(servers, options.connect_timeout, options.tls.clone());
        let inner = Inner {
            clock: Clock::new(),
            decoder: Decoder::new(options.limits),
            exchange: Exchange::new(options.settings()),
            connector,
            wire: None,
            connected_before: false,
            complaint: None,
            options,
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Connects now, where the first request would.
    ///
    /// # Errors
    /// [`ErrorKind::CouldNotConnect`] with every server's reason, [`ErrorKind::Resolve`].
    pub fn connect(&self) -> Result<()> {
        self.inner.lock().connect()
    }

    /// Submits a foreground job and waits until the server has it.
    ///
    /// # Errors
    /// As [`Submission::send`].
    pub fn submit<'a>(
        &self,
        function: &'a (impl AsRef<[u8]> + ?Sized),
        workload: impl Into<Data<'a>>,
    ) -> Result<Task> {
        self.job(function, workload).send()
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
    pub fn submit_many<'a>(&self, jobs: impl IntoIterator<Item = Submission<'a>>) -> Vec<Result<Task>> {
        let started: Vec<_> = jobs.into_iter().map(|job| self.start(&job)).collect();
        started.into_iter().map(|task| task.and_then(Task::created)).collect()
    }

    /// Runs foreground jobs, at most `in_flight` at once, and gives their results in the order of the jobs.
    pub fn map<'a, I>(&self, jobs: I, in_flight: usize) -> Map<'_, I::IntoIter>
    where
        I: IntoIterator<Item = Submission<'a>>,
    {
        Map::new(self, jobs.into_iter(), in_flight)
    }

    /// Puts a job among those to be written, without waiting for the server's answer. An error of the server becomes the task's.
    pub(super) fn start<C>(&self, job: &Submission<'_, C>) -> Result<Task> {
        let ticket = self.inner.lock().submit(job)?;
        Ok(Task::new(Arc::clone(&self.inner), ticket))
    }

    /// How a job stands. A job of another server than the one this client is connected to is not known.
    ///
    /// # Errors
    /// Those of the connection, and [`ErrorKind::ArgumentTooLarge`] where the handle is too long for any server.
    pub fn status(&self, handle: &JobHandle) -> Result<JobStatus> {
        self.inner.lock().ask_status(Question::Status(handle.as_bytes()))
    }

    /// How the job with this unique stands, whatever its function. gearmand finds no jobs with [`super::Unique::Workload`].
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn status_by_unique(&self, unique: impl AsRef<[u8]>) -> Result<JobStatus> {
        self.inner.lock().ask_status(Question::StatusUnique(unique.as_ref()))
    }

    /// Sends bytes to the server and compares what comes back.
    ///
    /// # Errors
    /// [`ErrorKind::EchoMismatch`], and those of the connection.
    pub fn echo(&self, data: impl AsRef<[u8]>) -> Result<()> {
        let data = data.as_ref();
        match self.inner.lock().ask(Question::Echo(data))? {
            Answer::Echo(back) if back == data => Ok(()),
            _ => Err(Error::new(ErrorKind::EchoMismatch, "echo", "")),
        }
    }

    /// Sets an option of the connection; `exceptions`, the one that exists, is set unless [`Options::exceptions`] is off.
    /// A new connection does not have it again.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownOption`], and those of the connection.
    pub fn set_option(&self, name: impl AsRef<[u8]>) -> Result<()> {
        self.inner.lock().ask(Question::Option(name.as_ref())).map(|_| ())
    }

    /// Does what can be done without waiting: writes, reads, gives events to their tasks. True when something has arrived.
    /// Together with [`Client::interest`] and [`Client::deadline`] it lets a caller's own event loop do the waiting.
    ///
    /// # Errors
    /// The error that has ended the connection; the tasks have it too.
    pub fn step(&self) -> Result<bool> {
        self.inner.lock().step()
    }

    /// The descriptor to wait for before the next [`Client::step`]; `None` without a connection, or without a socket.
    pub fn interest(&self) -> Option<(std::os::fd::RawFd, Interest)> {
        use std::os::fd::AsRawFd as _;
        let inner = self.inner.lock();
        let (fd, interest) = inner.wire.as_ref()?.interest()?;
        Some((fd.as_raw_fd(), interest))
    }

    /// In what time at the latest the next [`Client::step`] is due; `None` where nothing has a deadline.
    pub fn deadline(&self) -> Option<Duration> {
        let mut inner = self.inner.lock();
        let now = inner.clock.now();
        inner.exchange.deadline(now).map(|deadline| deadline.saturating_sub(now))
    }
}

impl Submission<'_, &Client> {
    /// Submits the job and waits until the server has it.
    ///
    /// # Errors
    /// What a [`Submission`] is refused for; [`ErrorKind::CouldNotConnect`]; what the server says, such as
    /// [`ErrorKind::QueueError`]; [`ErrorKind::LostConnection`] and [`ErrorKind::Timeout`], after which the job may
    /// exist all the same.
    pub fn send(self) -> Result<Task> {
        self.start()?.created()
    }

    /// Submits the job and does not wait for the server's answer: an error of the server comes with the task's result.
    ///
    /// # Errors
    /// Those of [`Submission::send`] that are known before the server has answered.
    pub fn start(self) -> Result<Task> {
        let task = self.client.start(&self)?;
        self.client.inner.lock().flush();
        Ok(task)
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    options: Options,
    clock: Clock,
    decoder: Decoder,
    pub(super) exchange: Exchange,
    connector: Connector,
    wire: Option<Wire>,
    connected_before: bool,
    /// What the server has said last outside of any request; it explains a loss.
    complaint: Option<Error>,
}

impl Inner {
    fn connect(&mut self) -> Result<()> {
        match &mut self.wire {
            // A server that went away while nothing was under way is noticed before a job is trusted to it.
            Some(wire) if !self.exchange.is_waiting() && !wire.is_local() => match wire.fill() {
                Ok(_) => return Ok(()),
                Err(_) => self.wire = None,
            },
            Some(_) => return Ok(()),
            None => {}
        }
        let give_up = match self.connected_before {
            true => self.clock.now().saturating_add(self.options.reconnect_within),
            false => Duration::ZERO,
        };
        self.connector.start_over();
        let mut ready = false;
        let wire = loop {
            match self.connector.poll(&self.clock, ready) {
                Connecting::Connected(wire) => break wire,
                Connecting::RoundFailed(error) if self.clock.now() >= give_up => return Err(error),
                Connecting::RoundFailed(_) | Connecting::Waiting => {}
            }
            ready = self.connector.wait(&self.clock, None).map_err(|error| io_error("connect", &error))?;
        };
        self.connector.succeeded();
        self.connected_before = true;
        self.complaint = None;
        let wire = self.wire.insert(wire);
        self.exchange.connected(self.options.exceptions, &mut |requests| wire.send(requests));
        self.drain();
        Ok(())
    }

    /// Sends a submission, after waiting until there is room for it.
    fn submit<C>(&mut self, job: &Submission<'_, C>) -> Result<Ticket> {
        self.connect()?;
        let (unanswered, unsent) = (self.options.max_unanswered.max(1), self.options.max_unsent.max(1));
        while self.wire.as_ref().is_some_and(|wire| wire.unsent() >= unsent)
            || self.exchange.unanswered() >= unanswered
        {
            self.turn(None)?;
        }
        let timeout = job.own_timeout().or(self.options.task_timeout);
        let deadline = timeout.map(|timeout| self.clock.now().saturating_add(timeout));
        let Some(wire) = &mut self.wire else { return Err(not_connected()) };
        let exchange = &mut self.exchange;
        let ticket = job.packet(&self.options.limits, Clock::unix, |submit| {
            exchange.submit(submit, deadline, &mut |requests| wire.send(requests))
        })?;
        if wire.is_local() {
            self.drain();
        }
        Ok(ticket)
    }

    /// Gives the kernel what it takes. An error is the tasks' as well.
    fn flush(&mut self) {
        if let Some(wire) = &mut self.wire
            && let Err(error) = wire.flush()
        {
            let _ = self.settle(Err(error));
        }
    }

    pub(super) fn ask_status(&mut self, question: Question<'_>) -> Result<JobStatus> {
        match self.ask(question)? {
            Answer::Status(status) => Ok(status),
            _ => Err(Error::new(ErrorKind::UnexpectedPacket, "status", "")),
        }
    }

    fn ask(&mut self, question: Question<'_>) -> Result<Answer> {
        question.check(&self.options.limits)?;
        self.connect()?;
        let Some(wire) = &mut self.wire else { return Err(not_connected()) };
        let ticket = self.exchange.ask(question, None, &mut |requests| wire.send(requests));
        self.drain();
        self.drive(None, |exchange| exchange.is_over(ticket));
        let answer = self.exchange.take_answer(ticket);
        let error = self.exchange.error(ticket).cloned();
        self.exchange.release(ticket);
        answer.ok_or_else(|| error.unwrap_or_else(not_connected))
    }

    /// Goes on until `done`, or until `limit`: false then.
    pub(super) fn drive(&mut self, limit: Option<Duration>, done: impl Fn(&Exchange) -> bool) -> bool {
        while !done(&self.exchange) {
            // Looked at before the turn: who has no time to wait still gets what has come.
            let last = limit.is_some_and(|limit| limit <= self.clock.now());
            // The error is the tasks' as well, and so seen by `done`.
            if self.turn(limit).is_err() && self.wire.is_none() && !self.exchange.is_waiting() {
                return done(&self.exchange);
            }
            if last {
                return done(&self.exchange);
            }
        }
        true
    }

    /// When `timeout` from now will have passed.
    pub(super) fn until(&self, timeout: Duration) -> Duration {
        self.clock.now().saturating_add(timeout)
    }

    /// Waits once, reads once.
    fn turn(&mut self, limit: Option<Duration>) -> Result<()> {
        let Some(wire) = &mut self.wire else { return Err(not_connected()) };
        let mut result = wire.flush();
        if result.is_ok() && !(wire.is_local() && wire.fill().is_ok_and(|arrived| arrived)) {
            let now = self.clock.now();
            let until = self.exchange.deadline(now).into_iter().chain(limit).min();
            result = wire
                .wait(until.map(|until| until.saturating_sub(now)))
                .and_then(|ready| if ready { wire.fill().map(|_| ()) } else { Ok(()) });
        }
        self.settle(result)
    }

    fn step(&mut self) -> Result<bool> {
        let Some(wire) = &mut self.wire else { return Ok(false) };
        let mut arrived = false;
        let result = wire.flush().and_then(|()| {
            arrived = wire.fill()?;
            Ok(())
        });
        self.settle(result).map(|()| arrived)
    }

    /// Hands out what has arrived, and draws the conclusions of an error.
    fn settle(&mut self, result: std::io::Result<()>) -> Result<()> {
        self.drain();
        if self.wire.as_mut().is_some_and(Wire::take_moved) {
            self.exchange.moved();
        }
        if let Err(error) = result {
            let error = io_error("connection", &error);
            self.lose(&error);
            return Err(error);
        }
        if let Err(error) = self.exchange.expire(self.clock.now(), &mut |_| {}) {
            self.lose(&error);
            return Err(error);
        }
        Ok(())
    }

    fn drain(&mut self) {
        let Some(wire) = &mut self.wire else { return };
        let (exchange, complaint) = (&mut self.exchange, &mut self.complaint);
        let result = wire.drain(&self.decoder, |response| {
            if let Err(error) = exchange.receive(response, &mut |_| {}) {
                *complaint = Some(error);
            }
        });
        if let Err(error) = result {
            self.lose(&error);
        }
    }

    fn lose(&mut self, reason: &Error) {
        self.wire = None;
        if reason.kind() == ErrorKind::Timeout {
            self.connector.avoid();
        }
        self.exchange.lost(&lost_because(reason, self.complaint.take()), &mut |_| {});
    }
}

fn not_connected() -> Error {
    Error::new(ErrorKind::NotConnected, "client", "")
}

fn io_error(operation: &'static str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, operation, error.to_string())
}
