//! How the broker stands, as plain data: for whoever watches it. What can be long is told in parts, so that nobody else waits for
//! long meanwhile: each call looks at so many entries at the most, and answers where to go on.

use std::time::Duration;

use bytes::Bytes;

use super::{Broker, Counters, Now, Stats};
use crate::queue::{Function, Job, Place, Sleep, Tick};
use crate::types::{ConnId, Priority, Progress};

/// The broker as a whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// What the admin command `version` says.
    pub version: String,
    /// The process, as the admin command `getpid` has it.
    pub pid: u32,
    /// What has happened so far.
    pub stats: Stats,
    /// Functions that are known.
    pub functions: usize,
    /// Jobs that can run.
    pub queued: usize,
    /// Jobs whose time has not come.
    pub delayed: usize,
    /// Jobs that workers have.
    pub running: usize,
    /// Bytes that all jobs and schedules hold.
    pub queue_bytes: u64,
    /// Bytes that they may hold.
    pub max_queue_bytes: u64,
    /// Foreground submissions that wait for a result.
    pub waiting: usize,
    /// Connections that are registered for a function.
    pub workers: u32,
    /// Connections that hold a job.
    pub busy_workers: u32,
    /// Registrations of workers for functions, all together.
    pub abilities: usize,
    /// Schedules.
    pub schedules: usize,
    /// What background jobs are kept in.
    pub store: String,
    /// Why the store fails; `None` while it is well.
    pub store_failing: Option<String>,
    /// New jobs are refused and none are handed out, because the server is being stopped.
    pub draining: bool,
}

/// A function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FunctionReport {
    /// Its place: functions are told in the order of these.
    pub place: u32,
    /// Its name.
    pub name: Box<[u8]>,
    /// Jobs that can run, by priority.
    pub queued: [u32; 3],
    /// Jobs whose time has not come.
    pub delayed: u32,
    /// Jobs that workers have.
    pub running: u32,
    /// Workers that are registered for it.
    pub workers: u32,
    /// CAN_DOs in force; a worker that sent two counts twice.
    pub registrations: u32,
    /// How many jobs there may be before a submission of that priority is refused; 0 for no limit.
    pub max_queue: [u32; 3],
    /// Bytes that its jobs hold.
    pub bytes: u64,
    /// How long the first job in line has been able to run: the longest of the three priorities; `None` where none can. It counts
    /// from the server's start for jobs that a store has brought back.
    pub oldest: Option<Duration>,
    /// What has happened to its jobs.
    pub counters: Counters,
}

/// A connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// The connection.
    pub conn: ConnId,
    /// Who it is.
    pub peer: Box<str>,
    /// What SET_CLIENT_ID said.
    pub identifier: Option<Box<[u8]>>,
    /// Functions that it is registered for, the one to be served first at the front: as many as were asked for.
    pub abilities: Vec<Box<[u8]>>,
    /// How many functions it is registered for.
    pub all_abilities: u32,
    /// Whether it waits for work.
    pub activity: Activity,
    /// How long ago it was woken and has not asked since; `None` where it is not [`Activity::Woken`].
    pub woken: Option<Duration>,
    /// Jobs that it holds, the newest first: as many as were asked for.
    pub running: Vec<JobReport>,
    /// Whether it holds more.
    pub more_running: bool,
}

/// Whether a connection waits for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It asks by itself, or is no worker.
    Awake,
    /// It waits to be woken.
    Asleep,
    /// It has been woken and has not asked since.
    Woken,
}

/// A job.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobReport {
    /// Its handle.
    pub handle: String,
    /// Its function.
    pub function: Box<[u8]>,
    /// Its unique.
    pub unique: Box<[u8]>,
    /// The reducer, where there is one.
    pub reducer: Option<Box<[u8]>>,
    /// Its priority.
    pub priority: Priority,
    /// It is kept though nobody waits for it.
    pub background: bool,
    /// Where it is.
    pub state: JobState,
    /// How often it has been given back.
    pub returns: u16,
    /// Submissions that wait for it: at most [`JobReport::MAX_CLIENTS`] are counted.
    pub clients: usize,
    /// Bytes of its workload.
    pub workload_len: usize,
    /// The handle of the schedule that made it.
    pub schedule: Option<String>,
}

impl JobReport {
    /// So many waiting submissions of a job are counted.
    pub const MAX_CLIENTS: usize = 1000;
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It can run, and has been able to for so long.
    Queued {
        /// For how long.
        since: Duration,
    },
    /// Its time has not come.
    Delayed {
        /// The Unix second from which on it may run.
        due: u64,
    },
    /// A worker has it.
    Running {
        /// Which one.
        worker: ConnId,
        /// For how long.
        since: Duration,
        /// What the worker has reported.
        progress: Progress,
    },
}

/// Which jobs are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobFilter<'a> {
    /// Those of this function; `None`: of all.
    pub function: Option<&'a [u8]>,
    /// Those in this state; `None`: in all.
    pub state: Option<JobStateName>,
}

/// A state of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStateName {
    /// [`JobState::Queued`].
    Queued,
    /// [`JobState::Delayed`].
    Delayed,
    /// [`JobState::Running`].
    Running,
}

/// A schedule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScheduleReport {
    /// Its handle.
    pub handle: String,
    /// The function of its jobs.
    pub function: Box<[u8]>,
    /// Their unique.
    pub unique: Box<[u8]>,
    /// The five fields, separated by blanks; the day of the week counts from 0 = Monday.
    pub line: String,
    /// The Unix second at which it falls due next.
    pub next: u64,
    /// How often it has made a job.
    pub fired: u64,
    /// How often it has not, because the last job had not ended, or could not.
    pub skipped: u64,
}

/// Who hears of a worker that was woken: its address, what it calls itself, how long ago.
pub type Woken<'a> = &'a mut dyn FnMut(&str, Option<&[u8]>, Duration);

/// The entries that a call may look at, and those it has found.
struct Part {
    left: usize,
}

impl Part {
    /// Whether to stop before the entry at `place`.
    fn ends(&mut self) -> bool {
        let ends = self.left == 0;
        self.left = self.left.saturating_sub(1);
        ends
    }
}

impl Broker {
    /// The broker as a whole.
    pub fn summary(&self) -> Summary {
        let (store, failing) = self.storing.report();
        let (jobs, delayed, running) =
            (self.queue.len(), self.queue.waiting_for_time(), self.queue.running_len());
        Summary {
            version: self.config.version.clone(),
            pid: self.config.pid,
            stats: self.stats,
            functions: self.queue.functions.len(),
            queued: jobs - delayed - running,
            delayed,
            running,
            queue_bytes: self.queue.bytes() + self.schedules.bytes(),
            max_queue_bytes: self.config.max_queue_bytes,
            waiting: self.queue.waiting_len(),
            workers: self.queue.peers.workers,
            busy_workers: self.queue.peers.busy,
            abilities: self.queue.peers.abilities_len(),
            schedules: self.schedules.len(),
            store: store.to_owned(),
            store_failing: failing.map(str::to_owned),
            draining: self.draining,
        }
    }

    /// Functions from the place `from` on, at most `most`, at the time `now`. Answers the place to go on from; `None` at the end.
    pub fn functions(
        &self,
        from: u32,
        most: usize,
        now: Now,
        each: &mut dyn FnMut(FunctionReport),
    ) -> Option<u32> {
        let mut part = Part { left: most };
        for (place, function) in self.queue.functions.iter_from(from) {
            if part.ends() {
                return Some(place);
            }
            each(self.function_report(place, function, now));
        }
        None
    }

    /// One function; `None` where it is not known.
    pub fn function_named(&self, name: &[u8], now: Now) -> Option<FunctionReport> {
        let place = self.queue.functions.find(name)?;
        Some(self.function_report(place, self.queue.functions.get(place), now))
    }

    fn function_report(&self, place: u32, function: &Function, now: Now) -> FunctionReport {
        let [high, normal, low] = function.counts;
        FunctionReport {
            place,
            name: function.name.clone(),
            queued: [high, normal - function.waiting, low],
            delayed: function.waiting,
            running: function.running,
            workers: function.workers,
            registrations: function.registrations,
            max_queue: function.max_queue,
            bytes: function.bytes,
            oldest: self.queue.ready_longest(place, self.tick_of(now)),
            counters: function.counters,
        }
    }

    /// Never before the last input: callers may read a finer clock than those who come after them.
    fn tick_of(&self, now: Now) -> Tick {
        Tick::of(now.mono.max(self.now.mono))
    }

    /// Which workers are registered for which functions, and whether they hold a job: from the place `from` on, at most `most`
    /// places. Answers the place to go on from; `None` at the end.
    pub fn registrations(
        &self,
        from: u32,
        most: usize,
        each: &mut dyn FnMut(ConnId, u32, bool),
    ) -> Option<u32> {
        let mut part = Part { left: most };
        for (place, registration) in self.queue.peers.registrations_from(from) {
            if part.ends() {
                return Some(place);
            }
            if let Some((worker, function)) = registration {
                each(self.connections.at(worker).id, function, self.queue.peers.is_busy(worker));
            }
        }
        None
    }

    /// Connections from the slot `from` on, looking at `most` slots at the most; of each connection at most `details` abilities and
    /// jobs. With `workers` those that are registered for nothing are left out. Answers the slot to go on from; `None` at the end.
    pub fn connections(
        &self,
        from: u32,
        most: usize,
        details: usize,
        workers: bool,
        now: Now,
        each: &mut dyn FnMut(ConnectionReport),
    ) -> Option<u32> {
        let mut part = Part { left: most };
        for (slot, connection) in self.connections.slots_from(from) {
            if part.ends() {
                return Some(slot);
            }
            let Some(connection) = connection else { continue };
            let (peers, id) = (&self.queue.peers, connection.id);
            let all_abilities = peers.abilities(slot);
            if workers && all_abilities == 0 {
                continue;
            }
            let name = |function| self.queue.functions.get(function).name.clone();
            let abilities = peers.registrations(slot).take(details).map(|one| name(one.function)).collect();
            let peer = peers.get(slot);
            let activity = match peer.sleep {
                Sleep::Awake => Activity::Awake,
                Sleep::Asleep => Activity::Asleep,
                Sleep::Woken(_) => Activity::Woken,
            };
            let mut held = self.queue.held(slot);
            let running =
                held.by_ref().take(details).map(|job| self.job_report(self.queue.job(job), job, now));
            each(ConnectionReport {
                conn: id,
                peer: connection.peer.clone(),
                identifier: connection.identifier.clone(),
                abilities,
                all_abilities,
                activity,
                woken: connection
                    .woken
                    .filter(|_| activity == Activity::Woken)
                    .map(|at| now.mono.saturating_sub(at)),
                running: running.collect(),
                more_running: held.next().is_some(),
            });
        }
        None
    }

    /// Workers that were woken longer than `longest` ago and have not come since: their address, what they call themselves, and how
    /// long ago that was. Looks at
    /// `most` slots from `from` on at the most; answers the slot to go on from; `None` at the end.
    pub fn woken(&self, from: u32, most: usize, longest: Duration, now: Now, each: Woken<'_>) -> Option<u32> {
        let mut part = Part { left: most };
        for (slot, connection) in self.connections.slots_from(from) {
            if part.ends() {
                return Some(slot);
            }
            let Some(connection) = connection else { continue };
            if let (Sleep::Woken(_), Some(at)) = (self.queue.peers.get(slot).sleep, connection.woken) {
                let since = now.mono.saturating_sub(at);
                if since > longest {
                    each(&connection.peer, connection.identifier.as_deref(), since);
                }
            }
        }
        None
    }

    /// Jobs from the place `from` on that `filter` wants, looking at `most` places at the most, in no order that means anything.
    /// `each` answers whether it wants more. Answers the place to go on from; `None` at the end.
    pub fn jobs_from(
        &self,
        from: u32,
        most: usize,
        filter: JobFilter<'_>,
        now: Now,
        each: &mut dyn FnMut(JobReport) -> bool,
    ) -> Option<u32> {
        let function = match filter.function {
            None => None,
            Some(name) => Some(self.queue.functions.find(name)?),
        };
        let mut part = Part { left: most };
        let mut enough = false;
        for (place, job) in self.queue.jobs_from(from) {
            if part.ends() || enough {
                return Some(place);
            }
            let Some(job) = job else { continue };
            let wanted = function.is_none_or(|function| job.function == function)
                && filter.state.is_none_or(|state| state == state_of(job.place()));
            if wanted {
                enough = !each(self.job_report(job, place, now));
            }
        }
        None
    }

    /// One job; `None` where there is none of this handle.
    pub fn job_named(&self, handle: &[u8], now: Now) -> Option<JobReport> {
        let id = self.find(handle)?;
        Some(self.job_report(self.queue.job(id), id, now))
    }

    /// The workload of a job; `None` where there is none of this handle.
    pub fn workload_of(&self, handle: &[u8]) -> Option<Bytes> {
        Some(self.queue.job(self.find(handle)?).workload().to_bytes())
    }

    fn job_report(&self, job: &Job, id: u32, now: Now) -> JobReport {
        let tick = self.tick_of(now);
        let state = match (self.queue.running(id), job.ready_since()) {
            (Some(running), _) => JobState::Running {
                worker: self.connections.at(running.worker).id,
                since: now.mono.saturating_sub(running.since),
                progress: running.progress,
            },
            (_, Some(ready)) => JobState::Queued { since: tick.age(ready) },
            _ => JobState::Delayed { due: job.due() },
        };
        let text = |number| String::from_utf8_lossy(self.handle_of_number(number).as_bytes()).into_owned();
        let schedule = job.extra.as_ref().map_or(0, |extra| extra.schedule);
        JobReport {
            handle: text(job.number),
            function: self.queue.functions.get(job.function).name.clone(),
            unique: job.unique().into(),
            reducer: job.reducer().map(Into::into),
            priority: job.priority,
            background: job.background,
            state,
            returns: job.returns,
            clients: self.queue.listeners_up_to(id, JobReport::MAX_CLIENTS),
            workload_len: job.workload().len(),
            schedule: (schedule > 0).then(|| text(schedule)),
        }
    }

    /// Schedules from the number `from` on, at most `most`. Answers the number to go on from; `None` at the end.
    pub fn schedules(&self, from: u64, most: usize, each: &mut dyn FnMut(ScheduleReport)) -> Option<u64> {
        let mut part = Part { left: most };
        for (number, schedule) in self.schedules.iter_from(from) {
            if part.ends() {
                return Some(number);
            }
            let fields = schedule.fields.split(|byte| *byte == 0).map(|field| match field {
                b"" => "*".into(),
                field => String::from_utf8_lossy(field),
            });
            each(ScheduleReport {
                handle: String::from_utf8_lossy(self.handle_of_number(number).as_bytes()).into_owned(),
                function: self.queue.functions.get(schedule.function).name.clone(),
                unique: schedule.unique.clone(),
                line: fields.collect::<Vec<_>>().join(" "),
                next: schedule.next,
                fired: schedule.fired,
                skipped: schedule.skipped,
            });
        }
        None
    }
}

const fn state_of(place: Place) -> JobStateName {
    match place {
        Place::Queued | Place::Due => JobStateName::Queued,
        Place::Waiting => JobStateName::Delayed,
        Place::Running => JobStateName::Running,
    }
}
