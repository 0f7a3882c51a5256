//! The broker: what a Gearman server does, without sockets, clocks or threads.
//!
//! [`Broker::handle`] applies one [`Input`] at the time it is given. It never blocks and never fails: what a misbehaving peer
//! does yields an ERROR or a close. What it has to say goes to an [`Outbox`] at once, borrowed from where it is kept, so that
//! nothing is copied between a job and the buffer of a socket. [`Broker::next_wakeup`] names the one moment at which it wants
//! an [`Input::Tick`].

mod admin;
mod alarm;
mod config;
mod connection;
mod explain;
mod grab;
mod handle;
pub mod report;
mod rights;
mod schedule;
mod show;
mod stats;
mod status;
mod storing;
mod submit;
mod wake;
mod work;

use std::time::Duration;

use crate::protocol::{Frame, Limits, Refusal, Request, Response};
use crate::queue::{At, Order, Queue, Tick};
use crate::store::Change;
use crate::types::{ConnId, Identity, LogLevels};

pub use crate::queue::{Counters, Histogram};
pub use alarm::{Age, Alarm, AlarmLimits, Alarms};
pub use config::{Compat, Config, ConfigError};
pub use explain::{Explanation, Holder, Note, Reason, Workers};
pub use rights::{Grant, Right};
pub use stats::Stats;

use connection::Connections;
use schedule::Schedules;
use storing::Storing;
use wake::Waking;

/// One reading of both clocks, taken by whoever calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since some moment that stays the same: for timeouts. A time before that of an earlier input counts as that.
    pub mono: Duration,
    /// Time since the Unix epoch: for epoch jobs and schedules. It may jump.
    pub wall: Duration,
}

/// Something that happens to the broker.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A connection has been made. Its slot must be free and its number new.
    Opened {
        /// The connection.
        conn: ConnId,
        /// Who it is, for the admin command `workers`: an address without blanks.
        peer: &'a str,
    },
    /// A connection is somebody's; one of whom this is not said is [`Identity::Anonymous`].
    Identified {
        /// The connection.
        conn: ConnId,
        /// Whose.
        identity: &'a Identity,
    },
    /// Rights have changed: [`Config::rights`]. What workers have registered and may not any longer is taken from them.
    Rights {
        /// The new ones.
        grants: &'a [Grant],
    },
    /// A message has come.
    Received {
        /// From whom.
        conn: ConnId,
        /// What.
        frame: &'a Frame<'a>,
    },
    /// A packet has come, from a caller that has no frame: one in the same process.
    Requested {
        /// From whom.
        conn: ConnId,
        /// What.
        request: &'a Request<'a>,
    },
    /// A peer has ended its side of a connection, to which something is still to be sent: it does no jobs any more. Its jobs are given
    /// back, its registrations are gone. [`Input::Closed`] is still due.
    Ended {
        /// The connection.
        conn: ConnId,
    },
    /// A caller in the same process wants to hear of a job that is there already as if it had submitted it in the foreground. It is
    /// sent JOB_CREATED, or an ERROR where there is no such job.
    Watched {
        /// Who asks.
        conn: ConnId,
        /// The job.
        handle: &'a [u8],
    },
    /// A connection has ended. Its jobs are given back, its registrations and waits are gone.
    Closed {
        /// The connection.
        conn: ConnId,
    },
    /// The moment of [`Broker::next_wakeup`] has come. Early ticks are harmless.
    Tick,
    /// From now on new jobs are refused and none are handed out; what runs may be finished.
    Drain,
    /// The server ends: connections will be closed, and it is not their fault. Jobs that come back by that stay as they are, in a
    /// store as well: it is no attempt that counts.
    End,
    /// A job is durable whose acknowledgement had to wait for that: see [`Outbox::acknowledge`].
    Stored {
        /// Who waits.
        conn: ConnId,
        /// The job's number.
        number: u64,
    },
    /// A job could not be made durable. Who waits gets an ERROR; the job is removed, unless a worker has it or somebody waits
    /// for its result.
    NotStored {
        /// Who waits.
        conn: ConnId,
        /// The job's number.
        number: u64,
        /// A sentence about it.
        why: &'a str,
    },
    /// The store fails. `None`: it is well again.
    Storing {
        /// A sentence about it.
        failing: Option<&'a str>,
        /// Whether background jobs are refused from now on.
        refusing: bool,
    },
}

/// Where the broker's outputs go, in order. Each call concerns an open connection.
pub trait Outbox {
    /// Something to be sent to a connection.
    fn send(&mut self, to: ConnId, response: &Response<'_>);

    /// The connection is to be closed once what was sent before has been written. [`Input::Closed`] is still due for it.
    fn close(&mut self, conn: ConnId);

    /// Something that a store is to keep. The default forgets it: all jobs end with the broker.
    fn store(&mut self, change: Change<'_>) {
        let _ = change;
    }

    /// JOB_CREATED for a background submission. It may be sent when what was stored of job `number` is durable; until then it waits,
    /// and all that is sent to the same connection later stands in line behind it. [`Input::Stored`] or [`Input::NotStored`] then
    /// has it, or an ERROR in its place, sent. The default sends it at once.
    fn acknowledge(&mut self, to: ConnId, number: u64, response: &Response<'_>) {
        let _ = number;
        self.send(to, response);
    }

    /// Says that something has ended: to be sent when all that has been stored so far is durable, as [`Outbox::acknowledge`]; nobody
    /// comes back for it, and while the store fails it need not wait. The default sends it at once.
    fn confirm(&mut self, to: ConnId, response: &Response<'_>) {
        self.send(to, response);
    }

    /// Something that the log should say. The default forgets it.
    fn event(&mut self, event: Event<'_>) {
        let _ = event;
    }
}

/// What the log should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A submission was taken.
    Accepted {
        /// Its function.
        function: &'a [u8],
        /// Its unique.
        unique: &'a [u8],
        /// The Unix second at which it may run; 0 for at once.
        due: u64,
    },
    /// A job was given back as often as [`Config::job_retries`] allows, and was dropped.
    Dropped {
        /// The job.
        handle: &'a [u8],
        /// Its unique.
        unique: &'a [u8],
    },
    /// A worker did not finish in the time of its CAN_DO_TIMEOUT; the job goes back to the queue.
    TimedOut {
        /// The job.
        handle: &'a [u8],
        /// Its unique.
        unique: &'a [u8],
    },
    /// An ERROR was sent.
    Refused {
        /// The code of the ERROR.
        code: &'static str,
        /// Its text.
        text: &'a str,
    },
    /// Somebody has changed, by `verbose LEVEL`, up to which level lines are wanted: see [`Config::log_levels_change`].
    LogLevels(LogLevels),
}

const fn order(config: &Config) -> Order {
    match config.compat {
        Compat::V2_0 => Order::Global,
        Compat::V1_1 => Order::ByFunction { round_robin: config.round_robin },
    }
}

/// The state of a Gearman server.
#[derive(Debug)]
pub struct Broker {
    config: Config,
    limits: Limits,
    order: Order,
    queue: Queue,
    connections: Connections,
    waking: Waking,
    schedules: Schedules,
    storing: Storing,
    stats: Stats,
    draining: bool,
    ending: bool,
    /// The time of the last input.
    now: Now,
}

impl Broker {
    /// A broker without jobs or connections. Of `limits` those count here that concern single arguments; who reads bytes has
    /// enforced them already, but a caller in the same process may not have.
    ///
    /// # Errors
    /// [`ConfigError`] where a setting cannot be used.
    pub fn new(config: Config, limits: Limits) -> Result<Self, ConfigError> {
        config.check()?;
        let queue = Queue::new(config.hash_seed);
        Ok(Self {
            order: order(&config),
            queue,
            limits,
            connections: Connections::default(),
            waking: Waking::default(),
            schedules: Schedules::default(),
            storing: Storing::default(),
            stats: Stats::default(),
            draining: false,
            ending: false,
            now: Now::default(),
            config,
        })
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Changes settings while the broker runs: the limits, those of alarms, `round_robin`, `exceptions` (for new connections), `job_retries`,
    /// `worker_wakeup` and `wake_grace`. What else `config` says is not looked at. Where a limit is lower than what is there, that stays
    /// and nothing is added.
    ///
    /// # Errors
    /// [`ConfigError`] where a setting cannot be used; then nothing has changed.
    pub fn reconfigure(&mut self, config: &Config, limits: Limits) -> Result<(), ConfigError> {
        config.check()?;
        self.config.take_over(config);
        self.limits = limits;
        self.order = order(&self.config);
        self.hurry();
        Ok(())
    }

    /// Up to which level somebody logs, as the broker was told.
    pub const fn log_levels(&self) -> LogLevels {
        self.config.log_levels
    }

    /// Sets what the admin command `verbose` answers.
    pub const fn set_log_levels(&mut self, levels: LogLevels) {
        self.config.log_levels = levels;
    }

    /// How many jobs there are: queued, running and not yet due.
    pub const fn jobs(&self) -> usize {
        self.queue.len()
    }

    /// How many jobs workers have.
    pub const fn running(&self) -> usize {
        self.queue.running_len()
    }

    /// What has happened so far.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Applies one input.
    pub fn handle(&mut self, now: Now, input: Input<'_>, out: &mut dyn Outbox) {
        // Callers may read a coarse clock here and an exact one there: monotonic time does not go back.
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        match input {
            Input::Received { conn, frame } => {
                if !self.connections.is_open(conn) {
                    return;
                }
                match frame {
                    Frame::Request(request) => self.request(conn, request, out),
                    Frame::Refused(refusal) => self.refuse(conn, *refusal, out),
                    Frame::Text(line) => self.admin(conn, line, out),
                }
            }
            Input::Requested { conn, request } => {
                if self.connections.is_open(conn) {
                    self.request(conn, request, out);
                }
            }
            Input::Watched { conn, handle } => {
                if self.connections.is_open(conn) {
                    self.watch(conn, handle, out);
                }
            }
            Input::Opened { conn, peer } => self.opened(conn, peer),
            Input::Ended { conn } => self.ended(conn, out),
            Input::Identified { conn, identity } => self.identified(conn, identity),
            Input::Rights { grants } => self.set_rights(grants, out),
            Input::Closed { conn } => self.closed(conn, out),
            Input::Tick => self.tick(out),
            Input::Drain => self.draining = true,
            Input::End => (self.draining, self.ending) = (true, true),
            Input::Stored { conn, number } => self.stored_well(conn, number, out),
            Input::NotStored { conn, number, why } => self.not_stored(conn, number, why, out),
            Input::Storing { failing, refusing } => self.storing.set(failing, refusing),
        }
    }

    fn request(&mut self, conn: ConnId, request: &Request<'_>, out: &mut dyn Outbox) {
        match request {
            Request::Submit(submit) => self.submit(conn, submit, out),
            Request::Work { handle, work } => self.work(conn, handle, work, out),
            Request::Grab(kind) => self.grab(conn, *kind, out),
            Request::PreSleep => self.pre_sleep(conn, out),
            Request::CanDo { function } => self.can_do(conn, function, 0, out),
            Request::CanDoTimeout { function, millis } => self.can_do(conn, function, *millis, out),
            Request::CantDo { function } => self.cant_do(conn, function, out),
            Request::ResetAbilities => self.reset_abilities(conn, out),
            Request::AllYours => self.connections.get_mut(conn).all_yours = true,
            Request::SetClientId { id } => self.connections.get_mut(conn).set_identifier(id),
            Request::SetOption { name } => self.set_option(conn, name, out),
            Request::Echo { data } => out.send(conn, &Response::Echo { data: data.reborrow() }),
            Request::GetStatus { handle } => self.get_status(conn, handle, out),
            Request::GetStatusUnique { unique } => self.get_status_unique(conn, unique, out),
        }
    }

    /// When an [`Input::Tick`] is due, in monotonic time; `None` when nothing is waited for. To be asked again after every
    /// input. While a job or schedule waits for its time it is at most a second away, because the wall clock may jump.
    pub fn next_wakeup(&self) -> Option<Duration> {
        let wall = self.now.wall;
        let next_time = [self.queue.next_time(), self.schedules.next()].into_iter().flatten().min();
        let timed = next_time.map(|due| {
            let left = Duration::from_secs(due).saturating_sub(wall);
            self.now.mono + left.min(Duration::from_secs(1))
        });
        [timed, self.queue.next_deadline(), self.waking.next()].into_iter().flatten().min()
    }

    fn tick(&mut self, out: &mut dyn Outbox) {
        self.fire_schedules(out);
        // All of them first: a job that is pushed at once must be the first in line.
        let mut due = Vec::new();
        while let Some(function) = self.queue.pop_due(self.at()) {
            due.push(function);
        }
        for function in due {
            self.wake(function, out);
        }
        while let Some(job) = self.queue.overdue(self.now.mono) {
            self.stats.timed_out += 1;
            self.queue.counters_of(job).timed_out += 1;
            let handle = self.handle_of(job);
            let unique = self.queue.job(job).unique();
            out.event(Event::TimedOut { handle: handle.as_bytes(), unique });
            self.give_back(job, out);
        }
        self.wake_more(out);
    }

    fn refuse(&mut self, conn: ConnId, refusal: Refusal, out: &mut dyn Outbox) {
        self.error(conn, refusal.kind, refusal.text, out);
    }

    fn error(&mut self, conn: ConnId, kind: crate::error::ErrorKind, text: &str, out: &mut dyn Outbox) {
        self.stats.errors += 1;
        out.event(Event::Refused { code: kind.name(), text });
        out.send(conn, &Response::error(kind, text));
    }

    /// The time, as the queue needs it.
    const fn at(&self) -> At {
        At { wall: self.now.wall.as_secs(), tick: Tick::of(self.now.mono) }
    }

    /// The whole second of the wall clock.
    const fn wall(&self) -> u64 {
        self.now.wall.as_secs()
    }

    /// Walks everything and compares what is said twice; for tests and fuzzing.
    ///
    /// # Panics
    /// Where two places disagree.
    #[cfg(any(test, debug_assertions))]
    pub fn check(&self) {
        self.queue.check();
    }
}
