//! The daemon: from its settings to its end.

pub(crate) mod detach;
mod engine;
mod http;
pub(crate) mod log;
mod manager;
pub(crate) mod pid_file;
pub(crate) mod privileges;
mod reload;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod store;
mod tls;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lineshaft::broker::Config;
use lineshaft::error::ErrorKind;
use lineshaft::net::Address;
use lineshaft::server::{Http, Keepalive, Passed, Server};
use lineshaft::store::{Store, StoreErrorKind};

use crate::exit::{Exit, Failure, reason, say};
use crate::options::choices::{Program, Sources};
use crate::options::variables::strangers;
use crate::{places, surroundings};
use detach::Detached;
use log::{Levels, Log};
use manager::Watchdog;
use pid_file::PidFile;
use reload::Running;
use settings::{Listen, Settings};
use signals::{Signals, Wish};

/// Runs the server until a signal ends it. As in gearmand the port comes last, so that nobody is let in before all the
/// rest is in place; the pid file is written when the port is free, because whoever had it removes that file at its end.
pub(crate) fn run(sources: Sources) -> Result<ExitCode, Failure> {
    let mut running = Running::new(sources)?;
    let detached = Detached::enter()?;
    if running.settings.daemon && detached.is_none() && !manager::waits_for_us() {
        return detach::start_again();
    }
    let has_terminal = privileges::has_terminal();
    let passed = manager::sockets()?;
    if !passed.is_empty() {
        running.settings.without_sockets();
    }
    let settings = &running.settings;
    let http = settings.http.with_token()?;
    privileges::allow_descriptors(settings.descriptors)?;
    if let Some(user) = &settings.user {
        privileges::become_user(user)?;
    }
    let (log, problems) = Log::open(&settings.log, settings.name);
    for problem in problems {
        say(format_args!("{}: {problem}", settings.name));
    }
    for stranger in strangers(surroundings::variables()) {
        tracing::warn!("{stranger}");
    }
    tracing::debug!("Initializing Gear on port {} with SSL: {}", settings.port, settings.tls.is_some());
    let (pid, level) = (std::process::id(), settings.log.levels.general());
    tracing::debug!("Starting up with pid {pid}, verbose is set to {level}");
    // Sockets that have been passed take the place of those that the settings name.
    let addresses = if passed.is_empty() { addresses(settings)? } else { Vec::new() };
    let http = Http { gearmand: gearmand_http(settings)?, ..http };
    // Until here a signal has its usual effect; the server's threads are started with all of them blocked.
    let signals = Signals::block()?;
    let pid_file = write_pid_file(settings)?;
    let levels = log.levels();
    let server = start(settings, addresses, passed, http, levels)?;
    for address in server.addresses() {
        tracing::debug!("Listening on {address}");
        if settings.program == Program::Serve {
            say(format_args!("{}: listening on {address}", settings.name));
        }
    }
    for address in server.http_addresses() {
        tracing::debug!("HTTP on {address}");
        if settings.program == Program::Serve {
            say(format_args!("{}: HTTP on {address}", settings.name));
        }
    }
    let listening = server.addresses().iter().map(Address::to_string).collect::<Vec<_>>().join(", ");
    if let Some(detached) = detached {
        detached.ready().map_err(|error| Failure::system("cannot leave the terminal", &error))?;
    }
    let problem = |error| Failure::system("the thread of the watchdog", &error);
    let watchdog = Watchdog::start(server.pulse()).map_err(problem)?;
    manager::ready(&listening);
    serve(server, &mut running, &signals, &log, watchdog, has_terminal);
    drop(pid_file);
    tracing::debug!("Shutdown complete");
    Ok(ExitCode::SUCCESS)
}

/// A file that was not asked for need not be writable.
fn write_pid_file(settings: &Settings) -> Result<Option<PidFile>, Failure> {
    let Some(path) = &settings.pid_file else { return Ok(None) };
    match PidFile::create(path) {
        Ok(file) => Ok(Some(file)),
        Err(_) if !settings.pid_file_is_named => Ok(None),
        Err(error) => {
            let (path, why) = (path.display(), reason(&error));
            let text = format!("Could not open pid file for writing: {path}({why}) ({why})");
            Err(Failure::new(Exit::System, text))
        }
    }
}

fn start(
    settings: &Settings,
    addresses: Vec<Address>,
    passed: Vec<Passed>,
    http: Http,
    levels: Levels,
) -> Result<Server, Failure> {
    // Nobody outside can know them, so nobody can choose names that meet in the tables.
    let random = RandomState::new();
    let broker = Config { hash_seed: [random.hash_one(0), random.hash_one(1)], ..settings.broker.clone() };
    let mut builder = Server::builder()
        .threads(settings.threads)
        .backlog(settings.backlog)
        .broker(broker)
        .limits(settings.limits)
        .server_limits(settings.server_limits)
        .http(http)
        .on_log_levels(move |new| levels.set(&new));
    if let Some(keepalive) = settings.keepalive {
        let seconds = |value: Option<u32>| value.map(|value| Duration::from_secs(value.into()));
        let (idle, interval) = (seconds(keepalive.idle), seconds(keepalive.interval));
        builder = builder.keepalive(Keepalive { idle, interval, count: keepalive.count });
    }
    for address in addresses {
        builder = match (&settings.tls, &address) {
            (Some(_), Address::Tcp { .. }) => builder.listen_tls(address),
            _ => builder.listen(address),
        };
    }
    if let Some(tls) = &settings.tls {
        builder = builder.tls(tls.clone());
    }
    for socket in passed {
        builder = match (&settings.tls, socket) {
            (Some(_), Passed::Tcp(socket)) => builder.listen_tls_on(socket),
            (_, socket) => builder.listen_on(socket),
        };
    }
    if let Some(store) = open_store(settings)? {
        builder = builder.store(store).store_when(settings.queue.when);
    }
    builder.start().map_err(|error| {
        if error.kind() == ErrorKind::QueueError {
            return Failure::new(Exit::System, error.detail());
        }
        if error.operation() == "tls" {
            return Failure::new(Exit::Usage, error.detail());
        }
        let exit = if error.kind() == ErrorKind::InvalidArgument { Exit::Usage } else { Exit::System };
        Failure::new(exit, format!("{error}; choose another address, port or setting"))
    })
}

/// The store, where there is one. Waits for one that is still in use by a server that is about to end.
fn open_store(settings: &Settings) -> Result<Option<Box<dyn Store>>, Failure> {
    const PAUSE: Duration = Duration::from_millis(200);
    let end = surroundings::instant() + settings.bind_patience;
    loop {
        match settings.queue.open() {
            Ok(store) => return Ok(store),
            Err(error) if error.kind() == StoreErrorKind::Locked && surroundings::instant() < end => {
                surroundings::pause(PAUSE);
            }
            Err(error) => return Err(Failure::new(Exit::System, error.to_string())),
        }
    }
}

/// What to listen on. Waits for a port that is still in use by a server that is about to end.
fn addresses(settings: &Settings) -> Result<Vec<Address>, Failure> {
    let unix = settings.unix.iter().cloned().map(Address::Unix);
    if let Listen::Unix(path) = &settings.listen {
        return Ok(unix.chain([Address::Unix(path.clone())]).collect());
    }
    let found = tcp_addresses(settings, &settings.port)?;
    Ok(found.into_iter().map(Address::from).chain(unix).collect())
}

/// The addresses of `--listen` with another port, for gearmand's HTTP.
fn gearmand_http(settings: &Settings) -> Result<Vec<Address>, Failure> {
    let Some(port) = &settings.http.gearmand else { return Ok(Vec::new()) };
    Ok(tcp_addresses(settings, port)?.into_iter().map(Address::from).collect())
}

/// The addresses of `--listen` with this port, a number or the name of a service. Waits until they are free.
fn tcp_addresses(settings: &Settings, port: &str) -> Result<Vec<SocketAddr>, Failure> {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let host = match &settings.listen {
        Listen::Unix(_) => {
            return Err(usage("--protocol http needs a host in --listen, which is a Unix socket".into()));
        }
        Listen::Host(host) => Some(host.as_str()),
        Listen::Everywhere => None,
    };
    let port = places::port(port).map_err(usage)?;
    let found = places::addresses(host, port).map_err(|why| Failure::new(Exit::System, why))?;
    wait_until_free(&found, settings.bind_patience);
    Ok(found)
}

/// gearmand's pauses between its attempts: 1, 2, 4, 6, 9 seconds, until `patience` is used up.
fn wait_until_free(addresses: &[SocketAddr], patience: Duration) {
    const PAUSES: [u64; 5] = [1, 2, 4, 6, 9];
    let end = surroundings::instant() + patience;
    for pause in PAUSES.map(Duration::from_secs) {
        let is_taken = |address: &&SocketAddr| {
            TcpListener::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        };
        let Some(taken) = addresses.iter().find(is_taken) else { return };
        let left = end.saturating_duration_since(surroundings::instant());
        if left.is_zero() {
            return;
        }
        tracing::warn!("{taken} is in use; trying again");
        surroundings::pause(pause.min(left));
    }
}

/// Serves until a signal says that this is enough.
fn serve(
    server: Server,
    running: &mut Running,
    signals: &Signals,
    log: &Log,
    watchdog: Option<Watchdog>,
    has_terminal: bool,
) {
    let stopper = server.stopper();
    let mut server = Some(server);
    let mut draining = None;
    loop {
        match (signals.next(), server.take()) {
            (Wish::Stop, Some(server)) => {
                manager::stopping();
                drop(watchdog);
                return server.stop();
            }
            (Wish::Stop, None) => {
                manager::stopping();
                drop(watchdog);
                // Jobs are being waited for, by a thread that has the server, or they are done.
                stopper.stop();
                let ended = draining.take().map(JoinHandle::join);
                if ended.is_some_and(|ended| ended.is_err()) {
                    tracing::error!("the thread that ended the server has panicked");
                }
                running.settings.sockets().for_each(remove_socket);
                return;
            }
            (Wish::Drain, Some(server)) => {
                manager::draining();
                draining = drain(server, running.settings.drain_deadline);
            }
            (Wish::Drain, None) => {}
            // The terminal has gone away, and takes with it what runs in it.
            (Wish::Reload, server) if has_terminal && !privileges::has_terminal() && !log.is_file() => {
                return drop(server);
            }
            (Wish::Reload, Some(kept)) => {
                manager::reloading();
                running.reload(&kept, log);
                manager::reloaded();
                server = Some(kept);
            }
            (Wish::Reload, None) => log.reopen(&running.settings.log.file),
        }
    }
}

/// Waits on a thread of its own, so that a second signal can end the waiting.
fn drain(server: Server, deadline: Option<Duration>) -> Option<JoinHandle<()>> {
    let wait = move || {
        if !server.finish(deadline) {
            tracing::warn!("there are jobs left; those that are not in a store are dropped");
        }
        signals::stop_self();
    };
    let thread = thread::Builder::new().name("lineshaft-drain".into()).spawn(wait);
    let problem = |error: &io::Error| {
        tracing::error!("cannot wait for the jobs: {error}; stopping at once");
        signals::stop_self();
    };
    thread.inspect_err(problem).ok()
}

fn remove_socket(path: &Path) {
    // Nobody is left to be told that it stays.
    let _ = std::fs::remove_file(path);
}
