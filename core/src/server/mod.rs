//! The server: sockets, threads and clocks around the [`broker`](crate::broker).
//!
//! ```
//! use lineshaft::server::Server;
//!
//! let server = Server::builder().listen("127.0.0.1:0".parse()?).start()?;
//! println!("listening on {}", server.addresses()[0]);
//! server.stop();
//! # Ok::<(), lineshaft::Error>(())
//! ```

mod accept;
mod bounds;
mod builder;
mod clock;
mod connection;
mod farewell;
#[cfg(feature = "http")]
mod http;
mod input;
mod journal;
mod listener;
mod local;
mod log;
mod persist;
mod pulse;
mod report;
mod state;
mod stream;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
mod tls;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::broker::{Config, Input, Stats};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, LocalBroker};
use crate::protocol::{Decoder, Limits};
use crate::types::LogLevels;

pub use builder::{Builder, Keepalive, ServerLimits};
#[cfg(feature = "http")]
pub use http::Http;
pub use journal::StoreWhen;
pub use listener::Passed;
pub use pulse::{Beat, Pulse};
pub use report::{Page, Report, Staff, View};

use listener::SocketFile;
use state::{Goal, Shared, State, Tools};

/// How long stopping waits for answers that are on their way to be taken by the kernel.
const FLUSH: Duration = Duration::from_secs(1);

/// A running server. It owns its threads, and needs no runtime of the caller's. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    /// Where HTTP is spoken.
    http: Vec<Address>,
    threads: Vec<JoinHandle<()>>,
    /// The thread that calls the store.
    persist: Option<JoinHandle<()>>,
    phase: watch::Sender<Phase>,
    /// The files of Unix sockets.
    files: Vec<SocketFile>,
    /// Those that HTTP is spoken on, to the very end.
    http_files: Vec<SocketFile>,
    /// The runtimes of the I/O threads.
    handles: Arc<[Handle]>,
    /// TLS, where there are listeners that use it.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "there is none to be changed"))]
    tls: Option<Arc<tls::Tls>>,
}

/// What the tasks of a server are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Everything.
    Serving,
    /// Serve who is connected; nobody new.
    NotListening,
    /// End.
    Stopping,
}

impl Server {
    /// A server with default settings, to be changed before it is started.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens, ports that the system chose filled in, in the order of [`Builder::listen`], then of
    /// [`Builder::listen_on`]. A name with several
    /// addresses stands here once for each. Empty where it has no sockets.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Where it speaks HTTP, ports that the system chose filled in: first its own, then gearmand's. Empty where it does not.
    pub fn http_addresses(&self) -> &[Address] {
        &self.http
    }

    /// The way in for callers of the same process, which needs no socket. It stays valid, and answers that the server is gone
    /// once it is.
    pub fn local(&self) -> Arc<dyn LocalBroker> {
        Arc::new(local::Entrance(self.shared.clone()))
    }

    /// What looks at this server, for as long as it lives: totals, functions, connections, jobs, schedules.
    pub fn view(&self) -> View {
        View::new(self.shared.clone())
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        *self.shared.state.lock().broker.stats()
    }

    /// How many jobs there are: queued, running, and not yet due.
    pub fn jobs(&self) -> usize {
        self.shared.state.lock().broker.jobs()
    }

    /// How many connections there are, those without a socket included.
    pub fn connections(&self) -> usize {
        self.shared.state.lock().connections()
    }

    /// Up to which level lines are logged, as far as the server has been told.
    pub fn log_levels(&self) -> LogLevels {
        self.shared.state.lock().broker.log_levels()
    }

    /// Sets that, and tells it to whoever listens: [`Builder::on_log_levels`].
    pub fn set_log_levels(&self, levels: LogLevels) {
        self.shared.state.lock().broker.set_log_levels(levels);
        self.shared.tell_levels();
    }

    /// Changes settings while the server runs, all at once: of `broker` what [`Broker::reconfigure`](crate::broker::Broker::reconfigure) names, `limits` for connections
    /// that come from now on (those that are there keep theirs), `server_limits` for all.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for settings that cannot be used; then nothing has changed.
    pub fn reconfigure(&self, broker: &Config, limits: Limits, server_limits: ServerLimits) -> Result<()> {
        self.shared.turn(&mut Tools::default(), None, |turn| {
            turn.state.broker.reconfigure(broker, limits).map_err(|error| {
                Error::new(ErrorKind::InvalidArgument, "reconfigure server", error.to_string())
            })?;
            self.shared.bounds.set(server_limits);
            *self.shared.decoder.lock() = Decoder::new(limits);
            Ok(())
        })
    }

    /// Reads certificates, keys and authorities again: connections that come from now on use them, those that are there live on. The
    /// limits of `settings` do not count. Where something cannot be used all stays as it is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] names what cannot be used, or says that this server has no TLS.
    #[cfg(feature = "tls")]
    pub fn reload_tls(&self, settings: &crate::net::ServerTls) -> Result<()> {
        match &self.tls {
            Some(tls) => tls.reload(settings),
            None => {
                let why = "the server has been started without TLS";
                Err(Error::new(ErrorKind::InvalidArgument, "tls", why))
            }
        }
    }

    /// Sets who may do what from now on: [`Config::rights`](crate::broker::Config::rights).
    pub fn set_rights(&self, grants: &[crate::broker::Grant]) {
        self.shared.turn(&mut Tools::default(), None, |turn| turn.input(Input::Rights { grants }));
    }

    /// Stops in an orderly way: nobody new is let in, not from this process either, new jobs are refused, none are handed out; when the jobs that run have
    /// ended, or `deadline` has passed, everything is closed. True where nothing was running any more. Jobs that are queued are
    /// lost unless a store keeps them ([`Builder::store`]).
    pub fn shutdown(mut self, deadline: Duration) -> bool {
        self.stop_listening();
        self.shared.turn(&mut Tools::default(), None, |turn| turn.input(Input::Drain));
        self.wait(Goal::NothingRuns, Some(deadline))
    }

    /// Stops as gearmand does on SIGUSR1: nobody new is let in, not from this process either, but who is connected is served on, new jobs included, until there
    /// is no job left; then everything is closed. `None` waits without limit. True where no job was left.
    pub fn finish(mut self, deadline: Option<Duration>) -> bool {
        self.stop_listening();
        self.wait(Goal::NoJobs, deadline)
    }

    /// Something that ends the waiting of [`Server::shutdown`] and [`Server::finish`], from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.shared.clone())
    }

    /// Something that tells whether the server lives, from another thread.
    pub fn pulse(&self) -> Pulse {
        Pulse::new(&self.shared, &self.handles)
    }

    /// Stops at once: what has been answered is sent, the rest is closed. When it returns no thread, task or descriptor of the
    /// server is left.
    pub fn stop(self) {
        drop(self);
    }

    /// Lets nobody new in. The paths of Unix sockets are free for a successor from now on, which must find its own there when
    /// this server ends.
    fn stop_listening(&mut self) {
        self.shared.state.lock().not_listening = true;
        self.phase.send_replace(Phase::NotListening);
        self.files.clear();
    }

    /// Waits on this thread until `goal` is reached; false where `limit` passed first.
    fn wait(&self, goal: Goal, limit: Option<Duration>) -> bool {
        let until = limit.and_then(|limit| self.shared.clock.after(limit));
        let mut state = self.shared.state.lock();
        while !goal.is_reached(&state) {
            if state.hurried && goal != Goal::NoSockets {
                return false;
            }
            state.goal = Some(goal);
            match until {
                None => self.shared.reached.wait(&mut state),
                Some(until) => {
                    if self.shared.reached.wait_until(&mut state, until).timed_out() {
                        return goal.is_reached(&state);
                    }
                }
            }
        }
        true
    }
}

/// Ends the waiting of a server that is being stopped.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Ends the waiting now, or as soon as it begins: what runs is not waited for any more.
    pub fn stop(&self) {
        self.0.state.lock().hurried = true;
        self.0.reached.notify_all();
    }
}

impl Server {
    /// Waits until everything is durable that can be.
    fn end_store(&mut self) {
        let Some(thread) = self.persist.take() else { return };
        {
            let mut state = self.shared.state.lock();
            let State { broker, journal, .. } = &mut *state;
            if let Some(journal) = journal {
                journal.end(broker);
            }
        }
        self.shared.stirred.notify_one();
        if thread.join().is_err() {
            tracing::error!(target: "lineshaft", "the store's thread has panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What workers have is not to count as an attempt because we go.
        self.shared.turn(&mut Tools::default(), None, |turn| {
            turn.input(Input::End);
            turn.last_lines();
        });
        let wakers = {
            let mut state = self.shared.state.lock();
            state.stopped = true;
            state.wake_all()
        };
        self.stop_listening();
        for waker in wakers {
            waker.wake();
        }
        self.wait(Goal::NoSockets, Some(FLUSH));
        self.phase.send_replace(Phase::Stopping);
        self.http_files.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(target: "lineshaft", "an I/O thread of the server has panicked");
            }
        }
        self.end_store();
    }
}
