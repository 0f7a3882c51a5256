//! What an async client's handles and tasks share, and the one task per connection that does its reading and writing.

use std::future::poll_fn;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::Options;
use super::exchange::{Exchange, Ticket};
use super::loss::lost_because;
use crate::error::{Error, ErrorKind, Result};
use crate::net::stream::{Connected, Stream, connect};
use crate::net::{Backoff, Clock, InBuf, LocalLink, LocalWire, Servers, Timer, all_failed};
use crate::protocol::{Decoder, OutBuf, Request};

/// Shared by the handles, the tasks and the driver.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Clock,
    servers: Servers,
    decoder: Decoder,
    state: Mutex<State>,
    /// There is something for the driver to do: bytes to write, a deadline to watch, the end.
    work: Notify,
    /// There is room for requests, or the connection has come or gone.
    pub(super) room: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) exchange: Exchange,
    /// Who waits for which ticket.
    wakers: Vec<Option<Waker>>,
    /// Who is to be woken when the lock is released.
    woken: Woken,
    out: OutBuf,
    link: Link,
    /// Counts connections, so that the task of an earlier one leaves the present one alone.
    connection: u64,
    connected_before: bool,
    /// The server with which connecting begins: not the first where that, or one behind it, has just been given up.
    first: usize,
    /// How many attempts to connect have failed, and how the last one did.
    failed: (u64, Option<Error>),
    complaint: Option<Error>,
    closed: bool,
}

/// Wakers that are woken when this is dropped: whoever is woken may come for the lock, on this very thread.
#[derive(Debug, Default)]
struct Woken(SmallVec<[Waker; 4]>);

impl Drop for Woken {
    fn drop(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}

/// The state with its lock held.
pub(super) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    /// Stands behind the lock, so that it is dropped after its release.
    woken: Woken,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        std::mem::swap(&mut self.woken, &mut self.state.woken);
    }
}

#[derive(Debug)]
enum Link {
    Down,
    Connecting,
    Socket,
    Local(LocalWire),
}

/// Held by every handle and task; the last one to go ends the driver.
#[derive(Debug)]
pub(super) struct Owner(pub(super) Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl Shared {
    pub(super) fn new(servers: Servers, options: Options) -> Arc<Self> {
        let state = State {
            exchange: Exchange::new(options.settings()),
            wakers: Vec::new(),
            woken: Woken::default(),
            out: OutBuf::new(),
            link: Link::Down,
            connection: 0,
            connected_before: false,
            first: 0,
            failed: (0, None),
            complaint: None,
            closed: false,
        };
        Arc::new(Self {
            clock: Clock::new(),
            servers,
            decoder: Decoder::new(options.limits),
            state: Mutex::new(state),
            work: Notify::new(),
            room: Notify::new(),
            options,
        })
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock(), woken: Woken::default() }
    }

    /// Waits for a connection, making one where there is none, and for room for one request; answers with the lock held.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<()> {
        let mut seen = None;
        loop {
            let changed = self.room.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                match state.link {
                    Link::Socket | Link::Local(_) if state.has_room(&self.options) => return Ok(()),
                    Link::Socket | Link::Local(_) => {}
                    Link::Connecting => _ = seen.get_or_insert(state.failed.0),
                    Link::Down => {
                        if let Some(before) = seen
                            && before != state.failed.0
                        {
                            return Err(state.failed.1.clone().unwrap_or_else(not_connected));
                        }
                        seen = Some(state.failed.0);
                        let runtime = Handle::try_current().map_err(|_| {
                            let detail =
                                "an async client needs a tokio runtime; use lineshaft::blocking without one";
                            Error::new(ErrorKind::Io, "connect", detail)
                        })?;
                        state.link = Link::Connecting;
                        state.connection += 1;
                        runtime.spawn(drive(Arc::clone(self), state.connection));
                    }
                }
            }
            changed.await;
        }
    }

    /// Lets `request` send something. The connection may have gone since [`Shared::ready`]: then it is an error.
    pub(super) fn request<R>(
        &self,
        request: impl FnOnce(&mut Exchange, &mut dyn FnMut(&[Request<'_>])) -> R,
    ) -> Result<R> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let result = match &mut state.link {
            Link::Socket => request(&mut state.exchange, &mut |requests| state.out.put_requests(requests)),
            Link::Local(local) => request(&mut state.exchange, &mut |requests| local.send(requests)),
            Link::Down | Link::Connecting => return Err(not_connected()),
        };
        state.collect(&self.decoder, false);
        // A broker in this process has answered already, unless there is a deadline to watch.
        let local = matches!(state.link, Link::Local(_));
        let idle = local && !state.exchange.has_deadline();
        drop(guard);
        if !idle {
            self.work.notify_one();
        }
        Ok(result)
    }

    /// Asks `get` for what `ticket` waits for, and again when there is something new.
    pub(super) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        mut get: impl FnMut(&mut Exchange) -> Option<R>,
    ) -> Poll<R> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(result) = get(&mut state.exchange) {
            return Poll::Ready(result);
        }
        if matches!(state.link, Link::Local(_)) {
            state.collect(&self.decoder, true);
            if !matches!(state.link, Link::Local(_)) {
                // Its task is to end with it.
                self.work.notify_one();
            }
            if let Some(result) = get(&mut state.exchange) {
                return Poll::Ready(result);
            }
        }
        let index = ticket.index();
        if state.wakers.len() <= index {
            state.wakers.resize_with(index + 1, || None);
        }
        match &mut state.wakers[index] {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl State {
    fn has_room(&self, options: &Options) -> bool {
        self.exchange.unanswered() < options.max_unanswered.max(1)
            && self.out.len() < options.max_unsent.max(1)
    }

    /// Takes in what a broker of this process has left; `look` goes and asks for more.
    fn collect(&mut self, decoder: &Decoder, look: bool) {
        let Self { exchange, wakers, woken, link, complaint, .. } = self;
        let Link::Local(local) = link else { return };
        let filled = if look { local.fill().map(|_| ()).map_err(|error| io_error(&error)) } else { Ok(()) };
        let drained = local.drain(decoder, |response| {
            if let Err(error) = exchange.receive(response, &mut |ticket| wake(wakers, ticket, woken)) {
                *complaint = Some(error);
            }
        });
        if let Err(error) = filled.and(drained) {
            self.lose(&error);
        }
    }

    /// Takes in what has arrived from a socket.
    fn receive(&mut self, input: &mut InBuf, decoder: &Decoder) -> Result<()> {
        let Self { exchange, wakers, woken, complaint, .. } = self;
        input
            .drain(decoder, |response| {
                if let Err(error) = exchange.receive(response, &mut |ticket| wake(wakers, ticket, woken)) {
                    *complaint = Some(error);
                }
            })
            .map_err(|error| crate::net::decode_error(&error))
    }

    fn expire(&mut self, now: Duration) -> Result<()> {
        let Self { exchange, wakers, woken, .. } = self;
        exchange.expire(now, &mut |ticket| wake(wakers, ticket, woken))
    }

    /// The connection has ended.
    fn lose(&mut self, reason: &Error) {
        self.link = Link::Down;
        self.out = OutBuf::new();
        let reason = lost_because(reason, self.complaint.take());
        let Self { exchange, wakers, woken, .. } = self;
        exchange.lost(&reason, &mut |ticket| wake(wakers, ticket, woken));
    }
}

fn wake(wakers: &mut [Option<Waker>], ticket: Ticket, woken: &mut Woken) {
    woken.0.extend(wakers.get_mut(ticket.index()).and_then(Option::take));
}

pub(super) fn not_connected() -> Error {
    Error::new(ErrorKind::NotConnected, "client", "the connection has just been lost; submit again")
}

/// Ends the connection with its driver, also where the runtime drops the driver in the middle of something.
struct Ending {
    shared: Arc<Shared>,
    reason: Error,
    connection: u64,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.connection != self.connection {
            // Another connection has come already; its task may have missed what this one was told.
            drop(state);
            return self.shared.work.notify_one();
        }
        if matches!(state.link, Link::Connecting) {
            state.failed = (state.failed.0 + 1, Some(self.reason.clone()));
        }
        state.lose(&self.reason);
        drop(state);
        self.shared.room.notify_waiters();
    }
}

/// One connection, from the first attempt to its end.
async fn drive(shared: Arc<Shared>, connection: u64) {
    let stopped =
        Error::new(ErrorKind::Closed, "connection", "the runtime of the connection has been shut down");
    let mut ending = Ending { shared: Arc::clone(&shared), reason: stopped, connection };
    let (server, connected) = match reach(&shared).await {
        Ok(reached) => reached,
        Err(error) => {
            ending.reason = error;
            return;
        }
    };
    let result = match connected {
        Connected::Socket(mut stream) => serve_socket(&shared, &mut stream).await,
        Connected::Local(link) => serve_local(&shared, link, connection).await,
    };
    if let Err(error) = result {
        if error.kind() == ErrorKind::Timeout {
            // It hangs, and would take the next connection as well.
            shared.lock().first = (server + 1) % shared.servers.len();
        }
        ending.reason = error;
    }
}

/// Tries the servers in order; again and again, for as long as the options say, where there was a connection before. Says
/// which one it was.
async fn reach(shared: &Shared) -> Result<(usize, Connected)> {
    let mut backoff = Backoff::new(Backoff::random_seed());
    let (connected_before, first) = {
        let state = shared.lock();
        (state.connected_before, state.first)
    };
    let patience = if connected_before { shared.options.reconnect_within } else { Duration::ZERO };
    let count = shared.servers.len();
    let give_up = shared.clock.now().saturating_add(patience);
    let mut failures = Vec::new();
    loop {
        for server in (first..first + count).map(|turn| turn % count) {
            match connect(
                &shared.servers[server],
                shared.options.connect_timeout,
                shared.options.tls.as_ref(),
            )
            .await
            {
                Ok(connected) => return Ok((server, connected)),
                Err(error) => failures.push(error),
            }
        }
        let error = all_failed(&mut failures);
        if shared.clock.now() >= give_up || shared.lock().closed {
            return Err(error);
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

fn io_error(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, "connection", error.to_string())
}

impl Shared {
    fn connected(&self, link: Link) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.link = link;
        state.connected_before = true;
        state.first = 0;
        state.complaint = None;
        let exceptions = self.options.exceptions;
        match &mut state.link {
            Link::Local(local) => {
                state.exchange.connected(exceptions, &mut |requests: &[Request<'_>]| local.send(requests));
            }
            _ => {
                let out = &mut state.out;
                state
                    .exchange
                    .connected(exceptions, &mut |requests: &[Request<'_>]| out.put_requests(requests));
            }
        }
        state.collect(&self.decoder, false);
        drop(guard);
        self.room.notify_waiters();
    }
}

async fn serve_socket(shared: &Shared, stream: &mut Stream) -> Result<()> {
    shared.connected(Link::Socket);
    let (mut input, mut out) = (InBuf::default(), OutBuf::new());
    let mut timer = Timer::new(shared.clock);
    let mut moved = false;
    loop {
        // Nothing is taken before what was taken has gone, so that what waits to be written stays within its bound.
        let rest = out.len();
        stream.flush(&mut out).map_err(|error| io_error(&error))?;
        moved |= out.len() < rest;
        let blocked = !out.is_empty();
        let deadline = {
            let mut state = shared.lock();
            if !blocked {
                out.append(&mut state.out);
            }
            // What has been asked for is seen off before the end.
            if state.closed && out.is_empty() && state.exchange.unanswered() == 0 {
                return Ok(());
            }
            if std::mem::take(&mut moved) {
                state.exchange.moved();
            }
            let now = shared.clock.now();
            state.expire(now)?;
            state.exchange.deadline(now)
        };
        if !blocked {
            stream.flush(&mut out).map_err(|error| io_error(&error))?;
        }
        if out.is_empty() {
            shared.room.notify_waiters();
        }
        tokio::select! {
            biased;
            ready = stream.ready(!out.is_empty()) => {
                let arrived = ready.and_then(|()| stream.fill(&mut input)).map_err(|error| io_error(&error))?;
                if arrived {
                    moved = true;
                    shared.lock().receive(&mut input, &shared.decoder)?;
                    shared.room.notify_waiters();
                }
            }
            () = shared.work.notified() => {}
            () = timer.until(deadline) => {}
        }
    }
}

async fn serve_local(shared: &Shared, link: Arc<dyn LocalLink>, connection: u64) -> Result<()> {
    shared.connected(Link::Local(LocalWire::new(Arc::clone(&link))));
    let mut timer = Timer::new(shared.clock);
    loop {
        let deadline = {
            let mut state = shared.lock();
            if state.closed || state.connection != connection {
                return Ok(());
            }
            state.collect(&shared.decoder, true);
            if !matches!(state.link, Link::Local(_)) {
                // It has been lost, and whoever waited has been told.
                return Ok(());
            }
            let now = shared.clock.now();
            state.expire(now)?;
            state.exchange.deadline(now)
        };
        shared.room.notify_waiters();
        tokio::select! {
            biased;
            () = poll_fn(|cx| link.poll_readable(cx)) => {}
            () = shared.work.notified() => {}
            () = timer.until(deadline) => {}
        }
    }
}
