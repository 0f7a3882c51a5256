//! The worker without a runtime: everything happens on the caller's thread.

mod station;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::FixedState;

use self::station::{Line, OTHERS_TURN, Station, io_error, maybe, sender};
use super::Options;
use super::exchange::{Ability, Exchange, Settings};
use super::job::{BlockingJob, JobError, Outcome, last_word, panicked};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, Clock, Connector, Interest, IntoServers, Servers, Wire, wait};
use crate::protocol::{Decoder, Request, check_function};

/// How often a worker that serves a broker of its own process looks whether it has been stopped.
const LOCAL_STOP_CHECK: Duration = Duration::from_millis(50);

type Function = Box<dyn FnMut(&mut BlockingJob<'_>) -> Outcome + Send>;
type OnError = Box<dyn FnMut(&Address, &Error) + Send>;

/// A worker that works on the caller's thread: it owns no thread and no runtime, connects with its first job and can be
/// carried over a `fork` before that. It serves all its servers and does one job at a time.
///
/// A server that cannot be reached is tried again with growing pauses (0.1 s to 30 s) and hinders nobody. The result of a
/// job whose connection has been lost is dropped: the server has given that job to somebody else.
///
/// ```
/// # let server = lineshaft::server::Server::builder().listen("127.0.0.1:0".parse()?).start()?;
/// # let address = server.addresses()[0].to_string();
/// use lineshaft::blocking::Worker;
///
/// let mut worker = Worker::new(&address)?;
/// worker.add_function("reverse", |job| {
///     Ok(job.workload().iter().rev().copied().collect::<Vec<u8>>())
/// })?;
/// # worker.stopper()?.stop();
/// worker.run()?;
/// # Ok::<(), lineshaft::Error>(())
/// ```
pub struct Worker {
    options: Options,
    clock: Clock,
    decoder: Decoder,
    functions: HashMap<Box<[u8]>, Function, FixedState>,
    stations: Vec<Station>,
    /// Where the next job is looked for first.
    next: usize,
    /// The next job is asked for with the result of the last one, or pushed: the worker has one server and goes on to run.
    ahead: bool,
    stop: Option<Stop>,
    on_error: OnError,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("functions", &self.functions.len()).finish_non_exhaustive()
    }
}

/// Stops a [`Worker`] from another thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    stopped: Arc<AtomicBool>,
    wake: Arc<UnixStream>,
}

impl Stopper {
    /// Lets the worker finish the job that it does, take no other, see its result off, and return. Called by the job's own
    /// function it leaves no job behind that the server has handed out in vain.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // A full pipe wakes as well.
        let _ = io::Write::write(&mut &*self.wake, &[0]);
    }
}

struct Stop {
    stopper: Stopper,
    waked: UnixStream,
}

impl Stop {
    fn is_set(&self) -> bool {
        self.stopper.stopped.load(Ordering::Acquire)
    }
}

impl Worker {
    /// A worker of `servers`, with the default [`Options`]. It does not connect yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where a text is no address, or a broker of this process stands beside others.
    pub fn new(servers: impl IntoServers) -> Result<Self> {
        Self::with_options(servers, Options::default())
    }

    /// As [`Worker::new`], with options.
    ///
    /// # Errors
    /// As [`Worker::new`].
    pub fn with_options(servers: impl IntoServers, options: Options) -> Result<Self> {
        let servers = servers.into_servers()?;
        if servers.len() > 1 && servers.iter().any(|address| matches!(address, Address::Local(_))) {
            let detail = "a blocking worker cannot wait for a broker of its own process and for others";
            return Err(Error::new(ErrorKind::InvalidArgument, "worker", detail));
        }
        Ok(Self::of(&servers, options))
    }

    /// As [`Worker::with_options`], for servers that go together.
    pub(crate) fn of(servers: &Servers, options: Options) -> Self {
        let settings = Settings {
            client_id: options.client_id.clone().map(Bytes::from),
            all_yours: false,
            answer_timeout: options.answer_timeout,
        };
        let station = |address: &Address| Station {
            address: address.clone(),
            // Room is lent with each question: of several servers only one is asked at a time, unless it is slow, or two jobs
            // might come at once; and none is asked on behalf of a caller who may not come again.
            exchange: Exchange::new(settings.clone(), 0),
            connector: Connector::new(
                Servers::from_iter([address.clone()]),
                options.connect_timeout,
                options.tls.clone(),
            ),
            wire: None,
            ready: false,
        };
        Self {
            clock: Clock::new(),
            decoder: Decoder::new(options.limits),
            functions: HashMap::default(),
            stations: servers.iter().map(station).collect(),
            next: 0,
            ahead: false,
            stop: None,
            on_error: Box::new(|_, _| {}),
            options,
        }
    }

    /// Adds a function, or replaces it. It runs on the thread of [`Worker::run`]; a panic in it becomes an exception of the job.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidFunctionName`]: empty, with a NUL, or above 512 bytes.
    pub fn add_function<R: Into<Bytes>>(
        &mut self,
        name: impl AsRef<[u8]>,
        function: impl FnMut(&mut BlockingJob<'_>) -> Outcome<R> + Send + 'static,
    ) -> Result<()> {
        self.add(name.as_ref(), None, function)
    }

    /// As [`Worker::add_function`]; a job that takes longer than `timeout` is given to somebody else by the server, and what
    /// comes of it here is dropped. Servers round everything below a second up to one.
    ///
    /// # Errors
    /// As [`Worker::add_function`].
    pub fn add_function_with_timeout<R: Into<Bytes>>(
        &mut self,
        name: impl AsRef<[u8]>,
        timeout: Duration,
        function: impl FnMut(&mut BlockingJob<'_>) -> Outcome<R> + Send + 'static,
    ) -> Result<()> {
        self.add(name.as_ref(), Some(timeout), function)
    }

    fn add<R: Into<Bytes>>(
        &mut self,
        name: &[u8],
        timeout: Option<Duration>,
        mut function: impl FnMut(&mut BlockingJob<'_>) -> Outcome<R> + Send + 'static,
    ) -> Result<()> {
        check_function("add function", name, &self.options.limits)?;
        self.functions.insert(name.into(), Box::new(move |job| function(job).map(Into::into)));
        let ability = Ability { function: Bytes::copy_from_slice(name), timeout };
        for Station { exchange, wire, .. } in &mut self.stations {
            exchange.add(ability.clone(), &mut maybe(wire));
        }
        Ok(())
    }

    /// Removes a function. False where the worker did not have it.
    pub fn remove_function(&mut self, name: impl AsRef<[u8]>) -> bool {
        for Station { exchange, wire, .. } in &mut self.stations {
            exchange.remove(name.as_ref(), &mut maybe(wire));
        }
        self.functions.remove(name.as_ref()).is_some()
    }

    /// Who is told of lost connections, servers that cannot be reached, and complaints of servers, among them those about
    /// results that came too late. Nobody by default.
    pub fn on_error(&mut self, told: impl FnMut(&Address, &Error) + Send + 'static) {
        self.on_error = Box::new(told);
    }

    /// Something to stop this worker with, from another thread or from one of its own functions.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]: the system gives no more descriptors.
    pub fn stopper(&mut self) -> Result<Stopper> {
        let stop = match self.stop.take() {
            Some(stop) => stop,
            None => {
                let pair = || -> io::Result<_> {
                    let (wake, waked) = UnixStream::pair()?;
                    wake.set_nonblocking(true)?;
                    waked.set_nonblocking(true)?;
                    Ok((wake, waked))
                };
                let (wake, waked) =
                    pair().map_err(|error| Error::new(ErrorKind::Io, "stopper", error.to_string()))?;
                Stop { stopper: Stopper { stopped: Arc::default(), wake: Arc::new(wake) }, waked }
            }
        };
        Ok(self.stop.insert(stop).stopper.clone())
    }

    /// Works until it is stopped.
    ///
    /// # Errors
    /// [`ErrorKind::NoRegisteredFunctions`]. Trouble with servers is not an error here: see [`Worker::on_error`].
    pub fn run(&mut self) -> Result<()> {
        self.check_functions()?;
        self.look_ahead(true);
        let result = loop {
            match self.next_job(None) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.look_ahead(false);
        result
    }

    /// Has the next job asked for with the result of the last one, or pushed, where there is one server; or no longer.
    fn look_ahead(&mut self, ahead: bool) {
        let [Station { exchange, wire, .. }] = self.stations.as_mut_slice() else { return };
        exchange.set_all_yours(ahead);
        if ahead {
            exchange.give_room(&mut maybe(wire));
        } else {
            exchange.take_room();
        }
        self.ahead = ahead;
    }

    /// Does one job, waiting for it no longer than `timeout`; `None` waits without limit. False when none came in time, or the
    /// worker has been stopped. When it returns the server has been sent the result, and not been asked for another job: what
    /// waits there is for others until the next call. After a false the question of this call may still be under way, and a
    /// job that answers it waits here for the next call, or for the worker to be dropped.
    ///
    /// # Errors
    /// As [`Worker::run`].
    pub fn work(&mut self, timeout: Option<Duration>) -> Result<bool> {
        self.check_functions()?;
        self.next_job(timeout)
    }

    fn check_functions(&self) -> Result<()> {
        if self.functions.is_empty() {
            let detail = "add a function before the worker runs";
            return Err(Error::new(ErrorKind::NoRegisteredFunctions, "work", detail));
        }
        Ok(())
    }

    fn next_job(&mut self, timeout: Option<Duration>) -> Result<bool> {
        // The clock is not looked at before there is something to wait for.
        let mut limit = None;
        loop {
            if self.is_stopped() {
                self.take_leave();
                return Ok(false);
            }
            if self.step() {
                return Ok(true);
            }
            if let (Some(limit), Some(timeout)) = (limit, timeout)
                && (timeout.is_zero() || limit <= self.clock.now())
            {
                return Ok(false);
            }
            if let (None, Some(timeout)) = (limit, timeout) {
                limit = Some(self.clock.now().saturating_add(timeout));
            }
            self.wait(limit)?;
        }
    }

    /// The descriptors to wait for before the next [`Worker::work`] with a timeout of zero, for a caller with an event loop of
    /// its own. Empty where no socket is open.
    pub fn interests(&self) -> Vec<(RawFd, Interest)> {
        self.stations.iter().filter_map(Station::interest).map(|(fd, what)| (fd.as_raw_fd(), what)).collect()
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_set)
    }

    /// Sees off what has been said, results above all, and closes the connections.
    fn take_leave(&mut self) {
        let Self { options, clock, stations, on_error, .. } = self;
        let until = clock.now().saturating_add(options.answer_timeout);
        for Station { address, exchange, wire, .. } in stations {
            let Some(wire) = wire.take() else { continue };
            exchange.lost();
            if let Err(error) = wire.close(|| until.saturating_sub(clock.now())) {
                on_error(address, &io_error(&error));
            }
        }
    }

    /// Does what can be done without waiting: connects, reads, writes, and at most one job, which it runs. True when it has
    /// done one.
    fn step(&mut self) -> bool {
        for turn in 0..self.stations.len() {
            let at = (self.next + turn) % self.stations.len();
            if self.serve(at) {
                self.next = at + 1;
                return true;
            }
        }
        self.ask_around();
        for station in &mut self.stations {
            if let Some(wire) = &mut station.wire
                && let Err(error) = wire.flush()
            {
                station.lose(&io_error(&error), &self.clock, &mut self.on_error);
            }
        }
        false
    }

    /// Asks the next server that may have a job, when no question is under way; one that is asked ahead has been.
    fn ask_around(&mut self) {
        let count = self.stations.len();
        if self.ahead || !self.stations.iter().any(Station::may_be_asked) {
            return;
        }
        let now = self.clock.now();
        if self.stations.iter().any(|station| station.holds_up_others(now)) {
            return;
        }
        for turn in 0..count {
            let station = &mut self.stations[(self.next + turn) % count];
            if station.may_be_asked() {
                let Station { exchange, wire, .. } = station;
                exchange.give_room(&mut maybe(wire));
                // The question is on its way; a NOOP of another server meanwhile must wait for the answer.
                exchange.take_room();
                self.next = (self.next + turn + 1) % count;
                return;
            }
        }
    }

    /// Looks after one server. True when it has run a job.
    fn serve(&mut self, at: usize) -> bool {
        let Self { options, clock, decoder, functions, stations, ahead, stop, on_error, .. } = self;
        let station = &mut stations[at];
        let ready = std::mem::take(&mut station.ready);
        let Station { address, exchange, connector, wire, .. } = station;
        let Some(wire) = wire else {
            station.connect(clock, ready, on_error);
            return false;
        };
        if let Err(error) = wire.flush().and_then(|()| wire.refill(ready)) {
            // What arrived before the end is of no use: its job is somebody else's by now.
            station.lose(&io_error(&error), clock, on_error);
            return false;
        }
        let mut input = wire.take_input();
        let mut worked = false;
        let ended = loop {
            let next = input.next(decoder, |response| {
                connector.succeeded();
                let assign = match exchange.receive(response, &mut sender(wire)) {
                    Ok(Some(assign)) => assign,
                    Ok(None) => return,
                    Err(error) => return on_error(address, &error),
                };
                worked = true;
                let handle = assign.handle;
                let mut line = Line { wire: &mut *wire, clock, options };
                let outcome = run(functions, BlockingJob::new(assign, &mut line));
                let work = last_word(&outcome);
                if *ahead && !stop.as_ref().is_some_and(Stop::is_set) {
                    exchange.finish(handle, work, &mut sender(wire));
                } else {
                    // Whom to ask for the next job is another question, and a worker that has been stopped asks nobody.
                    wire.send(&[Request::Work { handle, work }]);
                    if !*ahead {
                        // It came without room: the question was lent some.
                        exchange.give_room(&mut |_: &[Request<'_>]| {});
                    }
                }
            });
            match next {
                Ok(Some(())) if !worked => {}
                // Nobody may come and write the rest of a result later.
                Ok(_) if worked => {
                    let sent = wire.flush_down_to(0, clock, options.answer_timeout);
                    break sent.map_err(|error| io_error(&error));
                }
                Ok(_) => break wire.flush().map_err(|error| io_error(&error)),
                Err(error) => break Err(error),
            }
        };
        wire.put_back(input);
        if let Err(error) = ended {
            station.lose(&error, clock, on_error);
        }
        worked
    }

    /// Waits until something has happened, or `limit`.
    fn wait(&mut self, limit: Option<Duration>) -> Result<()> {
        let now = self.clock.now();
        let several = self.stations.len() > 1;
        let mut until = limit;
        let mut sooner = |deadline: Option<Duration>| {
            until = until.into_iter().chain(deadline).min();
        };
        for station in &mut self.stations {
            if station.wire.is_none() {
                sooner(station.connector.deadline());
                continue;
            }
            if station.wire.as_mut().is_some_and(Wire::take_moved) {
                station.exchange.moved();
            }
            sooner(station.exchange.deadline(now));
            let others_turn =
                station.exchange.grabbing_since().map(|since| since.saturating_add(OTHERS_TURN));
            sooner(others_turn.filter(|turn| several && *turn > now));
            if let Err(error) = station.exchange.expire(now) {
                station.lose(&error, &self.clock, &mut self.on_error);
                sooner(station.connector.deadline());
            }
        }
        let timeout = until.map(|until| until.saturating_sub(now));
        if let [Station { wire: Some(wire), .. }] = self.stations.as_slice()
            && wire.is_local()
        {
            let check = self.stop.as_ref().map(|_| LOCAL_STOP_CHECK);
            wire.wait(timeout.into_iter().chain(check).min()).map_err(|error| io_error(&error))?;
            return Ok(());
        }
        let waited: Vec<_> = self.stations.iter().map(Station::interest).collect();
        let mut fds: Vec<_> = waited.iter().flatten().copied().collect();
        if let Some(stop) = &self.stop {
            fds.push((stop.waked.as_fd(), Interest { read: true, write: false }));
        }
        let mut ready = wait(&fds, timeout).map_err(|error| io_error(&error))?.into_iter();
        let ready: Vec<_> =
            waited.iter().map(|fd| fd.is_some() && ready.next().unwrap_or_default()).collect();
        for (station, ready) in self.stations.iter_mut().zip(ready) {
            station.ready = ready;
        }
        Ok(())
    }
}

/// Runs the function that a job asks for.
fn run(functions: &mut HashMap<Box<[u8]>, Function, FixedState>, mut job: BlockingJob<'_>) -> Outcome {
    match functions.get_mut(job.function()) {
        Some(function) => catch_unwind(AssertUnwindSafe(|| function(&mut job)))
            .unwrap_or_else(|payload| Err(panicked(&*payload))),
        // It has been removed while the job was on its way.
        None => Err(JobError::Fail),
    }
}
