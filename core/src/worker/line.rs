//! An async worker's line to one server: what its jobs and the task that serves it share.

use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::exchange::{Exchange, Settings};
use super::job::Report;
use super::job_async::Job;
use super::run::{Phase, Shared, run};
use crate::error::{Error, ErrorKind, Result};
use crate::net::stream::{Connected, Stream, connect};
use crate::net::{Address, InBuf, Input, LocalLink, LocalWire, Timer, decode_error};
use crate::protocol::{Decoder, OutBuf, Outgoing, Request, Response, Work};

/// One server of a worker.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) address: Address,
    worker: Weak<Shared>,
    decoder: Decoder,
    max_unsent: usize,
    state: Mutex<State>,
    /// There is something for the serving task to do: bytes to write, the last job has ended.
    work: Notify,
    /// There is room for reports, or the connection has gone.
    room: Notify,
    /// The same, for functions that block.
    room_for_blocking: Condvar,
}

#[derive(Debug)]
struct State {
    exchange: Exchange,
    out: OutBuf,
    link: Link,
    /// Counts connections.
    connection: u64,
    /// Jobs under way, those of earlier connections included.
    running: usize,
    /// Where jobs are spawned.
    runtime: Option<Handle>,
    /// The server has said something on this connection.
    heard: bool,
}

#[derive(Debug)]
enum Link {
    Down,
    Socket,
    Local(LocalWire),
}

impl Link {
    /// Where packets go just now; nowhere without a connection.
    fn sender<'a>(&'a mut self, out: &'a mut OutBuf) -> impl Outgoing + 'a {
        move |requests: &[Request<'_>]| match self {
            Self::Down => {}
            Self::Socket => out.put_requests(requests),
            Self::Local(local) => local.send(requests),
        }
    }
}

impl State {
    /// Takes in what a broker of this process has left, and what it answers to that.
    fn collect(&mut self, line: &Arc<Line>, jobs: &mut Vec<Job>, errors: &mut Vec<Error>) -> Result<()> {
        loop {
            let Link::Local(local) = &mut self.link else { return Ok(()) };
            if !local.has_input() {
                return Ok(());
            }
            let mut input = Input::Local(local.take_input());
            let mut result = Ok(Some(()));
            while let Ok(Some(())) = result {
                result = input.next(&line.decoder, |response| self.take(line, response, jobs, errors));
            }
            if let (Link::Local(local), Input::Local(rest)) = (&mut self.link, input) {
                local.put_back(rest);
            }
            result?;
        }
    }

    fn take(
        &mut self,
        line: &Arc<Line>,
        response: Response<'_>,
        jobs: &mut Vec<Job>,
        errors: &mut Vec<Error>,
    ) {
        self.heard = true;
        match self.exchange.receive(response, &mut self.link.sender(&mut self.out)) {
            Ok(None) => {}
            Ok(Some(assign)) => {
                self.running += 1;
                jobs.push(Job::new(&assign, Arc::clone(line), self.connection));
            }
            Err(error) => errors.push(error),
        }
    }

    const fn is_up(&self) -> bool {
        !matches!(self.link, Link::Down)
    }
}

impl Line {
    pub(super) fn new(
        worker: Weak<Shared>,
        address: Address,
        settings: Settings,
        options: &super::Options,
    ) -> Arc<Self> {
        let state = State {
            exchange: Exchange::new(settings, options.concurrency.max(1)),
            out: OutBuf::new(),
            link: Link::Down,
            connection: 0,
            running: 0,
            runtime: None,
            heard: false,
        };
        Arc::new(Self {
            address,
            worker,
            decoder: Decoder::new(options.limits),
            max_unsent: options.max_unsent.max(1),
            state: Mutex::new(state),
            work: Notify::new(),
            room: Notify::new(),
            room_for_blocking: Condvar::new(),
        })
    }

    /// Lets `act` use the exchange and send, then sees to what comes of it.
    pub(super) fn act<R>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Exchange, &mut dyn FnMut(&[Request<'_>])) -> R,
    ) -> R {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let result = act(&mut state.exchange, &mut state.link.sender(&mut state.out));
        self.settle(guard, Vec::new(), Vec::new());
        result
    }

    /// Takes in what is there, releases the lock, then starts the jobs that have come.
    fn settle(
        self: &Arc<Self>,
        mut guard: parking_lot::MutexGuard<'_, State>,
        mut jobs: Vec<Job>,
        mut errors: Vec<Error>,
    ) {
        if let Err(error) = guard.collect(self, &mut jobs, &mut errors) {
            // The serving task finds the link gone and makes a new one.
            guard.link = Link::Down;
            errors.push(error);
        }
        let runtime = guard.runtime.clone();
        let socket = matches!(guard.link, Link::Socket);
        drop(guard);
        if socket {
            self.work.notify_one();
        }
        let Some(worker) = self.worker.upgrade() else { return };
        for error in errors {
            worker.tell(&self.address, &error);
        }
        if let Some(runtime) = runtime {
            for job in jobs {
                runtime.spawn(run(Arc::clone(&worker), job));
            }
        }
    }

    /// Reports the end of a job, if the connection it came on is still there.
    pub(super) fn finish(self: &Arc<Self>, connection: u64, handle: &[u8], work: Work<'_>) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.running -= 1;
        let last = state.running == 0;
        let mut send = state.link.sender(&mut state.out);
        if connection == state.connection {
            state.exchange.finish(handle, work, &mut send);
        } else {
            state.exchange.give_room(&mut send);
        }
        drop(send);
        self.settle(guard, Vec::new(), Vec::new());
        if last {
            self.work.notify_one();
        }
    }

    /// Whether this connection is still the one.
    pub(super) fn is_on(&self, connection: u64) -> bool {
        let state = self.state.lock();
        connection == state.connection && state.is_up()
    }

    /// The worker stops: the server is asked for nothing more.
    pub(super) fn drain(&self) {
        self.state.lock().exchange.drain();
    }

    /// A job that has been broken off.
    pub(super) fn abandon(&self) {
        self.state.lock().running -= 1;
        self.work.notify_one();
    }

    fn try_report(self: &Arc<Self>, connection: u64, handle: &[u8], work: &Work<'_>) -> Result<bool> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if connection != state.connection || !state.is_up() {
            return Err(lost());
        }
        if state.out.len() >= self.max_unsent {
            return Ok(false);
        }
        let request = Request::Work { handle, work: reborrow(work) };
        state.link.sender(&mut state.out)(&[request]);
        self.settle(guard, Vec::new(), Vec::new());
        Ok(true)
    }

    pub(super) async fn report(
        self: &Arc<Self>,
        connection: u64,
        handle: &[u8],
        work: Work<'_>,
    ) -> Result<()> {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.try_report(connection, handle, &work)? {
                return Ok(());
            }
            room.await;
        }
    }

    /// Waits until `connection` has ended.
    pub(super) async fn lost(&self, connection: u64) {
        loop {
            let changed = self.room.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.state.lock().connection != connection {
                return;
            }
            changed.await;
        }
    }

    fn report_blocking(self: &Arc<Self>, connection: u64, handle: &[u8], work: &Work<'_>) -> Result<()> {
        while !self.try_report(connection, handle, work)? {
            let mut state = self.state.lock();
            if connection == state.connection && state.out.len() >= self.max_unsent {
                self.room_for_blocking.wait(&mut state);
            }
        }
        Ok(())
    }

    fn tell_room(&self) {
        self.room.notify_waiters();
        self.room_for_blocking.notify_all();
    }

    fn connected(self: &Arc<Self>, link: Link) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.link = link;
        state.connection += 1;
        state.heard = false;
        state.runtime = Some(Handle::current());
        state.exchange.connected(&mut state.link.sender(&mut state.out));
        self.settle(guard, Vec::new(), Vec::new());
    }

    /// Serves the server until the worker stops: connects, and connects again.
    pub(super) async fn serve(self: Arc<Self>, worker: Arc<Shared>) {
        let mut backoff = worker.backoff();
        let mut phase = worker.phase();
        while !phase.borrow().is_stopping() {
            let result = match worker_or(&mut phase, self.connect(&worker)).await {
                None => return,
                Some(Err(error)) => Err(error),
                Some(Ok(connected)) => {
                    let _down = Down(&self);
                    match connected {
                        Connected::Socket(mut stream) => self.serve_socket(&worker, &mut stream).await,
                        Connected::Local(link) => self.serve_local(&worker, link).await,
                    }
                }
            };
            let Err(error) = result else { return };
            worker.tell(&self.address, &error);
            if std::mem::take(&mut self.state.lock().heard) {
                backoff.reset();
            }
            worker_or(&mut phase, tokio::time::sleep(backoff.next())).await;
        }
    }

    async fn connect(&self, worker: &Shared) -> Result<Connected> {
        let options = &worker.options;
        connect(&self.address, options.connect_timeout, options.tls.as_ref()).await
    }

    async fn serve_socket(self: &Arc<Self>, worker: &Arc<Shared>, stream: &mut Stream) -> Result<()> {
        self.connected(Link::Socket);
        let (mut input, mut out) = (InBuf::default(), OutBuf::new());
        let mut timer = Timer::new(worker.clock);
        let mut phase = worker.phase();
        let mut moved = false;
        loop {
            // Nothing is taken before what was taken has gone, so that what waits to be written stays within its bound.
            let rest = out.len();
            stream.flush(&mut out).map_err(|error| io_error(&error))?;
            moved |= out.len() < rest;
            let blocked = !out.is_empty();
            let course = self.before_waiting(worker, &mut phase, &mut out, std::mem::take(&mut moved))?;
            if !blocked {
                stream.flush(&mut out).map_err(|error| io_error(&error))?;
            }
            if out.is_empty() {
                self.tell_room();
            }
            let deadline = match course {
                Course::On(deadline) => deadline,
                Course::LastWords(until) if !out.is_empty() => Some(until),
                Course::LastWords(until) => {
                    let left = || until.saturating_sub(worker.clock.now());
                    return stream.close(left).await.map_err(|error| io_error(&error));
                }
                Course::End => return Ok(()),
            };
            tokio::select! {
                biased;
                ready = stream.ready(!out.is_empty()) => {
                    let arrived = ready.and_then(|()| stream.fill(&mut input)).map_err(|error| io_error(&error))?;
                    if arrived {
                        moved = true;
                        self.receive(&mut input)?;
                    }
                }
                () = self.work.notified() => {}
                _ = phase.changed() => {}
                () = timer.until(deadline) => {}
            }
        }
    }

    fn receive(self: &Arc<Self>, input: &mut InBuf) -> Result<()> {
        let (mut jobs, mut errors) = (Vec::new(), Vec::new());
        let mut guard = self.state.lock();
        let result =
            input.drain(&self.decoder, |response| guard.take(self, response, &mut jobs, &mut errors));
        self.settle(guard, jobs, errors);
        result.map_err(|error| decode_error(&error))
    }

    async fn serve_local(self: &Arc<Self>, worker: &Arc<Shared>, link: Arc<dyn LocalLink>) -> Result<()> {
        self.connected(Link::Local(LocalWire::new(Arc::clone(&link))));
        let mut timer = Timer::new(worker.clock);
        let mut phase = worker.phase();
        loop {
            let filled = {
                let mut guard = self.state.lock();
                let filled = match &mut guard.link {
                    Link::Local(local) => local.fill(),
                    _ => return Err(lost()),
                };
                self.settle(guard, Vec::new(), Vec::new());
                filled
            };
            filled.map_err(|error| io_error(&error))?;
            let Course::On(deadline) = self.before_waiting(worker, &mut phase, &mut OutBuf::new(), false)?
            else {
                return Ok(());
            };
            tokio::select! {
                biased;
                () = poll_fn(|cx| link.poll_readable(cx)) => {}
                () = self.work.notified() => {}
                _ = phase.changed() => {}
                () = timer.until(deadline) => {}
            }
        }
    }

    /// Takes what is to be written, where nothing is left of what was taken before, and looks at the time.
    fn before_waiting(
        &self,
        worker: &Shared,
        phase: &mut watch::Receiver<Phase>,
        out: &mut OutBuf,
        moved: bool,
    ) -> Result<Course> {
        let until = phase.borrow_and_update().until();
        let now = worker.clock.now();
        let mut state = self.state.lock();
        if out.is_empty() {
            out.append(&mut state.out);
        }
        if moved {
            state.exchange.moved();
        }
        state.exchange.expire(now)?;
        let deadline = state.exchange.deadline(now);
        Ok(match until {
            None => Course::On(deadline),
            Some(until) if until <= now => Course::End,
            Some(until) if state.running == 0 => Course::LastWords(until),
            Some(until) => Course::On(Some(until)),
        })
    }
}

/// How a connection goes on.
enum Course {
    /// As before, until something happens or this deadline passes.
    On(Option<Duration>),
    /// The worker stops, and nothing runs: what has not been written may still be, and the server be heard out, until then.
    LastWords(Duration),
    End,
}

/// `future`, unless the worker is stopped first.
async fn worker_or<R>(phase: &mut watch::Receiver<Phase>, future: impl Future<Output = R>) -> Option<R> {
    tokio::select! {
        biased;
        _ = phase.wait_for(|phase| phase.is_stopping()) => None,
        result = future => Some(result),
    }
}

/// Ends the connection with its serving task, also where that is dropped in the middle of something.
struct Down<'a>(&'a Line);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.link = Link::Down;
        state.connection += 1;
        state.out = OutBuf::new();
        state.exchange.lost();
        drop(state);
        self.0.tell_room();
    }
}

/// The reports of a job that runs on a thread of its own.
pub(super) struct Reports {
    pub(super) line: Arc<Line>,
    pub(super) connection: u64,
}

impl Report for Reports {
    fn report(&mut self, handle: &[u8], work: Work<'_>) -> Result<()> {
        self.line.report_blocking(self.connection, handle, &work)
    }
}

fn reborrow<'a>(work: &'a Work<'_>) -> Work<'a> {
    match work {
        Work::Data(data) => Work::Data(data.reborrow()),
        Work::Warning(data) => Work::Warning(data.reborrow()),
        Work::Complete(data) => Work::Complete(data.reborrow()),
        Work::Exception(data) => Work::Exception(data.reborrow()),
        Work::Status { numerator, denominator } => Work::Status { numerator, denominator },
        Work::Fail => Work::Fail,
    }
}

fn lost() -> Error {
    let detail =
        "the connection that the job came on has been lost; the server has given it to somebody else";
    Error::new(ErrorKind::LostConnection, "job", detail)
}

fn io_error(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => ErrorKind::LostConnection,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "connection", error.to_string())
}
