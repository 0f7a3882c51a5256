//! Settings of a server, and how it starts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime;
use tokio::sync::watch;

use super::accept::{self, Acceptor};
use super::bounds::Bounds;
use super::clock::{self, Clock};
use super::farewell::Farewells;
#[cfg(feature = "http")]
use super::http;
use super::journal::{Journal, StoreWhen};
use super::listener::{self, Passed};
use super::persist::Persist;
use super::state::{self, LogListener, Shared, State};
use super::tls::Tls;
use super::{Phase, Server};
use crate::broker::{Broker, Config, Now, Outbox};
use crate::error::{Error, ErrorKind, Result};
use crate::net::Address;
use crate::net::tls::ServerTls;
use crate::protocol::{Decoder, Limits, Response};
use crate::store::{Batch, Change, Store, StoreError};
use crate::types::{ConnId, LogLevels};

/// Bounds on what connections may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once; more are told so and closed. Default 100,000.
    pub max_connections: usize,
    /// What a peer may leave unread, in bytes; who leaves more is cut off, and its jobs are treated as those of any lost peer.
    /// Half of it unread, and nothing more is read from the peer. At most twice as much is held, and one more packet.
    /// Default 64 MiB.
    pub max_output: usize,
    /// What all slow readers together may leave unread, in bytes; above it those who have left more than 256 KiB are cut off as
    /// they are sent more. Default 1 GiB.
    pub max_backlog: usize,
    /// What unfinished packets of all peers together may hold, in bytes; above it a peer in the middle of a packet is answered by
    /// an ERROR and cut off. Default 1 GiB.
    pub max_input: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { max_connections: 100_000, max_output: 64 << 20, max_backlog: 1 << 30, max_input: 1 << 30 }
    }
}

/// TCP keep-alive, by which the system finds out that a silent peer is gone. `None`: the system's own number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// Unanswered probes after which the peer is gone.
    pub count: Option<u32>,
}

/// A server that has not been started.
pub struct Builder {
    /// Where, and whether by TLS.
    listen: Vec<(Address, bool)>,
    passed: Vec<(Passed, bool)>,
    tls: Option<ServerTls>,
    threads: usize,
    broker: Config,
    limits: Limits,
    server_limits: ServerLimits,
    backlog: u32,
    keepalive: Keepalive,
    store: Option<Box<dyn Store>>,
    store_when: StoreWhen,
    #[cfg(feature = "http")]
    http: super::Http,
    listener: Option<LogListener>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.store.as_ref().map(|store| store.describe());
        f.debug_struct("Builder").field("listen", &self.listen).field("store", &store).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            passed: Vec::new(),
            tls: None,
            threads: 1,
            broker: Config::default(),
            limits: Limits::default(),
            server_limits: ServerLimits::default(),
            backlog: 1024,
            keepalive: Keepalive::default(),
            store: None,
            store_when: StoreWhen::default(),
            #[cfg(feature = "http")]
            http: super::Http::default(),
            listener: None,
        }
    }
}

impl Builder {
    /// Adds an address to listen on; port 0 takes any free one. Without an address the server has no sockets and is reached by
    /// [`Server::local`] only.
    #[must_use]
    pub fn listen(mut self, address: Address) -> Self {
        self.listen.push((address, false));
        self
    }

    /// Adds a TCP address on which everybody speaks TLS, with the settings of [`Builder::tls`].
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn listen_tls(mut self, address: Address) -> Self {
        self.listen.push((address, true));
        self
    }

    /// As [`Builder::listen_on`], for a TCP socket on which everybody speaks TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn listen_tls_on(mut self, socket: std::net::TcpListener) -> Self {
        self.passed.push((socket.into(), true));
        self
    }

    /// Settings of TLS, for the addresses of [`Builder::listen_tls`] and the sockets of [`Builder::listen_tls_on`].
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, settings: ServerTls) -> Self {
        self.tls = Some(settings);
        self
    }

    /// Adds a socket that listens already: one that a service manager has made. A Unix socket's file stays when the server ends,
    /// because it belongs to whoever made it.
    #[must_use]
    pub fn listen_on(mut self, socket: impl Into<Passed>) -> Self {
        self.passed.push((socket.into(), false));
        self
    }

    /// How many threads do I/O. Default 1, which costs least per job; 0 means one for each processor that this process may use.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The broker's settings.
    #[must_use]
    pub fn broker(mut self, config: Config) -> Self {
        self.broker = config;
        self.broker.log_levels_change |= self.listener.is_some();
        self
    }

    /// What a peer may send at the most.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What connections may cost.
    #[must_use]
    pub const fn server_limits(mut self, limits: ServerLimits) -> Self {
        self.server_limits = limits;
        self
    }

    /// How many connections may wait to be accepted on a TCP address. Default 1024; the system may allow less
    /// (`net.core.somaxconn`). Unix sockets have the system's default.
    #[must_use]
    pub const fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Keep-alive of accepted TCP connections. It is always on; this sets its numbers.
    #[must_use]
    pub const fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = keepalive;
        self
    }

    /// Where background jobs are kept, so that they survive the server's end: JOB_CREATED of a background job is sent when the job
    /// is durable. Default: nowhere; all jobs end with the server. Foreground jobs are never stored.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// The same by the store's address: `log:FOLDER`, and what else [`store::open`](crate::store::open) knows; `memory` is none.
    ///
    /// # Errors
    /// [`ErrorKind::QueueError`] where there is no such store, or it cannot be opened.
    pub fn store_at(self, address: &str) -> Result<Self> {
        if address == "memory" {
            return Ok(self);
        }
        Ok(self.store(crate::store::open(address)?))
    }

    /// When jobs are stored. Default [`StoreWhen::Submitted`].
    #[must_use]
    pub const fn store_when(mut self, when: StoreWhen) -> Self {
        self.store_when = when;
        self
    }

    /// Where HTTP is spoken, on a thread of its own. Default: nowhere.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(mut self, http: super::Http) -> Self {
        self.http = http;
        self
    }

    /// Lets the admin commands `verbose LEVEL` and `verbose LEVEL TARGET` change up to which level lines are logged: `listener` is told
    /// the levels that hold from then on, on a thread of the server, which it is not to keep; it must not change them itself. To begin with those of
    /// [`Config::log_levels`] hold. Default: nobody; the commands are refused, because the log is the embedding program's.
    #[must_use]
    pub fn on_log_levels(mut self, listener: impl Fn(LogLevels) + Send + 'static) -> Self {
        self.broker.log_levels_change = true;
        self.listener = Some(LogListener(Box::new(listener)));
        self
    }

    /// Starts. When it returns the server listens. It blocks the caller for as long as names take to be resolved and threads to
    /// be made.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for settings that cannot be used, [`ErrorKind::Resolve`] for a name without address,
    /// [`ErrorKind::Io`] where an address cannot be bound or a thread not be made, [`ErrorKind::QueueError`] where the store cannot be
    /// used; the error names it.
    pub fn start(self) -> Result<Server> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidArgument, "start server", why);
        let io = |what: &str, error: std::io::Error| {
            Error::new(ErrorKind::Io, "start server", format!("{what}: {error}"))
        };
        let mut broker = Broker::new(self.broker, self.limits).map_err(|error| invalid(error.to_string()))?;
        let clock = Clock::new();
        let (journal, store) = match self.store {
            None => (None, None),
            Some(mut store) => {
                let restored = restore(&mut broker, &mut store, clock.now())?;
                (Some(Journal::new(self.store_when, restored)), Some(store))
            }
        };
        // Restored jobs and schedules have their times, though nobody has connected yet.
        let mut state = State::new(broker, journal);
        state.armed = state.next_wakeup();
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            clock,
            stirred: Condvar::new(),
            rearm: tokio::sync::Notify::new(),
            reached: Condvar::new(),
            input: AtomicUsize::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            bounds: Bounds::new(self.server_limits),
            decoder: Mutex::new(Decoder::new(self.limits)),
            farewells: Farewells::default(),
            listener: self.listener.map(Mutex::new),
        });
        let tls = self.tls.as_ref().map(Tls::new).transpose()?;
        // What is to be spoken at an address.
        let by = |address: &Address, by_tls: bool| match (&tls, address) {
            _ if !by_tls => Ok(None),
            (Some(tls), Address::Tcp { .. }) => Ok(Some(tls.clone())),
            (_, Address::Tcp { .. }) => {
                Err(invalid(format!("{address}: TLS needs a certificate (Builder::tls)")))
            }
            _ => Err(invalid(format!("{address}: TLS is for TCP addresses"))),
        };
        let mut bound = Vec::new();
        for (address, by_tls) in &self.listen {
            let tls = by(address, *by_tls)?;
            let listeners = listener::bind_all(std::slice::from_ref(address), self.backlog)?;
            bound.extend(listeners.into_iter().map(|listener| (listener, tls.clone())));
        }
        for (passed, by_tls) in self.passed {
            let listener = passed.adopt().map_err(|error| io("a passed socket", error))?;
            let address = listener.address().map_err(|error| io("a passed socket", error))?;
            bound.push((listener, by(&address, by_tls)?));
        }
        #[cfg(feature = "http")]
        let bound_http = http::Bounds {
            listen: listener::bind_all(&self.http.listen, self.backlog)?,
            gearmand: listener::bind_all(&self.http.gearmand, self.backlog)?,
        };
        let (phase, _) = watch::channel(Phase::Serving);
        let threads = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let mut runtimes = Vec::new();
        for _ in 0..threads {
            let round = shared.clone();
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .on_thread_park(move || round.end_round())
                .build();
            runtimes.push(runtime.map_err(|error| io("an I/O thread", error))?);
        }
        let handles: Arc<[_]> = runtimes.iter().map(|runtime| runtime.handle().clone()).collect();
        handles[0].spawn(clock::tick(shared.clone()));
        let mut server = Server {
            shared,
            addresses: Vec::new(),
            http: Vec::new(),
            threads: Vec::new(),
            persist: None,
            phase,
            files: Vec::new(),
            http_files: Vec::new(),
            handles: handles.clone(),
            tls,
        };
        if let Some(store) = store {
            let persist = Persist::new(server.shared.clone(), store);
            let thread = std::thread::Builder::new().name("lineshaft-store".into());
            let thread =
                thread.spawn(move || persist.run()).map_err(|error| io("the store's thread", error))?;
            server.persist = Some(thread);
        }
        for (listener, tls) in bound {
            let _entered = handles[0].enter();
            server.addresses.push(listener.address().map_err(|error| io("a listener", error))?);
            let (listener, file) = listener.register().map_err(|error| io("a listener", error))?;
            server.files.extend(file);
            let acceptor = Acceptor {
                shared: server.shared.clone(),
                keepalive: self.keepalive,
                tls,
                handles: handles.clone(),
            };
            handles[0].spawn(accept::accept(acceptor, listener, server.phase.subscribe()));
        }
        #[cfg(feature = "http")]
        if !(self.http.listen.is_empty() && self.http.gearmand.is_empty()) {
            let (thread, addresses, files) =
                http::start(&server.shared, self.http, bound_http, &server.phase)?;
            server.threads.push(thread);
            server.http = addresses;
            server.http_files = files;
        }
        for (number, runtime) in runtimes.into_iter().enumerate() {
            let mut phase = server.phase.subscribe();
            let thread = std::thread::Builder::new().name(format!("lineshaft-io-{number}"));
            let run = move || {
                state::hold_back();
                // An error means that the server is gone, which is an end as well.
                let _ = runtime.block_on(phase.wait_for(|phase| *phase == Phase::Stopping));
            };
            server.threads.push(thread.spawn(run).map_err(|error| io("an I/O thread", error))?);
        }
        Ok(server)
    }
}

/// Builds the queue from what the store has, and has the first numbers set aside. Answers the highest number that may be stored.
fn restore(broker: &mut Broker, store: &mut Box<dyn Store>, now: Now) -> Result<u64, StoreError> {
    broker.advance_to(now);
    broker.set_store(&store.describe(), store.max_job());
    store.replay(&mut |change| {
        if let Err(why) = broker.restore(change) {
            tracing::warn!(target: "lineshaft::store", "{why}");
        }
        Ok(())
    })?;
    let restored = broker.last_number();
    let mut first = First(Batch::new());
    broker.restored(&mut first);
    store.commit(&first.0)?;
    Ok(restored)
}

/// What the broker has to say before anybody is connected.
struct First(Batch);

impl Outbox for First {
    fn send(&mut self, _: ConnId, _: &Response<'_>) {}

    fn close(&mut self, _: ConnId) {}

    fn store(&mut self, change: Change<'_>) {
        self.0.push(&change);
    }
}
