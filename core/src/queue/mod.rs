//! The scheduler's data structures: jobs, functions, abilities, priorities, uniques, deadlines. Nothing here speaks the
//! protocol or knows what a peer is told; `broker` does.
//!
//! Every operation takes the same time however many jobs are queued, workers connected or functions registered, with two
//! exceptions that are said where they are: a worker with many functions, and looking for a unique in all functions.

mod check;
mod counters;
mod function;
mod index;
mod job;
mod listener;
mod running;
mod slab;
mod worker;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::types::{Data, Priority, Progress};

pub(crate) use counters::{At, Tick};
pub use counters::{Counters, Histogram};
pub(crate) use function::{Function, Functions, Wake};
pub(crate) use job::{Extra, Job, NewJob, Place};
pub(crate) use running::Running;
pub(crate) use slab::NONE;
pub(crate) use worker::{Peers, Sleep};

use index::{NumberIndex, UniqueHash, UniqueIndex};
use listener::Listener;
use slab::Slab;

/// In which order a worker is served from its functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// All jobs of high priority of all functions first, then normal, then low; inside a priority the functions take turns.
    Global,
    /// The first function that has a job, whatever its priority; with `round_robin` it then moves behind the others.
    ByFunction { round_robin: bool },
}

/// All jobs and all that is needed to hand them out.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) functions: Functions,
    pub(crate) peers: Peers,
    jobs: Slab<Job>,
    listeners: Slab<Listener>,
    running: Slab<Running>,
    numbers: NumberIndex,
    uniques: UniqueIndex,
    /// Jobs whose time has not come: Unix second, number, job.
    times: BTreeSet<(u64, u64, u32)>,
    /// Running jobs whose time is limited: deadline, entry in `running`.
    deadlines: BTreeSet<(Duration, u32)>,
    /// The number of the job made last.
    last_number: u64,
    /// Bytes that all jobs hold.
    bytes: u64,
}

impl Queue {
    /// An empty queue. `seed` keys the hashes of what peers choose.
    pub(crate) fn new(seed: [u64; 2]) -> Self {
        Self {
            functions: Functions::new(seed),
            peers: Peers::default(),
            jobs: Slab::new(),
            listeners: Slab::new(),
            running: Slab::new(),
            numbers: NumberIndex::default(),
            uniques: UniqueIndex::new(seed),
            times: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            last_number: 0,
            bytes: 0,
        }
    }

    /// How many jobs there are, of every kind.
    pub(crate) const fn len(&self) -> usize {
        self.jobs.len()
    }

    /// How many jobs workers have.
    pub(crate) const fn running_len(&self) -> usize {
        self.running.len()
    }

    /// How many submissions wait for results.
    pub(crate) const fn waiting_len(&self) -> usize {
        self.listeners.len()
    }

    /// Bytes that all jobs hold.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn job(&self, id: u32) -> &Job {
        &self.jobs[id]
    }

    pub(crate) fn job_mut(&mut self, id: u32) -> &mut Job {
        &mut self.jobs[id]
    }

    /// All jobs, in no order that means anything but always the same.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().map(|(_, job)| job)
    }

    /// All jobs, as [`Queue::jobs`] has them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.jobs.iter().map(|(id, _)| id)
    }

    /// Jobs from the place `from` on, and empty places, as [`Queue::jobs`] has them.
    pub(crate) fn jobs_from(&self, from: u32) -> impl Iterator<Item = (u32, Option<&Job>)> {
        self.jobs.places_from(from)
    }

    /// The jobs of one function. Looks at every job there is.
    pub(crate) fn jobs_of(&self, function: u32) -> Vec<u32> {
        self.jobs.iter().filter(|(_, job)| job.function == function).map(|(id, _)| id).collect()
    }

    pub(crate) fn find(&self, number: u64) -> Option<u32> {
        self.numbers.get(number)
    }

    /// A number for a job or schedule; no two get the same.
    pub(crate) const fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The highest number given so far.
    pub(crate) const fn last_number(&self) -> u64 {
        self.last_number
    }

    /// No number up to this one is given from now on.
    pub(crate) fn skip_numbers(&mut self, upto: u64) {
        self.last_number = self.last_number.max(upto);
    }

    /// The job that a submission to `function` with this unique and workload is the same as.
    pub(crate) fn find_same(&self, function: u32, unique: &[u8], workload: &Data<'_>) -> Option<u32> {
        let by_workload = unique == b"-";
        let key: &[u8] = if by_workload { workload } else { unique };
        if key.is_empty() || self.functions.get(function).uniques == 0 {
            return None;
        }
        self.uniques.find(self.uniques.hash(function, key), |id| {
            let job = &self.jobs[id];
            job.function == function && job.by_workload == by_workload && job.key() == Some(key)
        })
    }

    /// The job with this unique that was made last, of whatever function. Asks every function that has jobs with uniques.
    pub(crate) fn find_unique(&self, unique: &[u8]) -> Option<u32> {
        if unique.is_empty() || unique == b"-" {
            return None;
        }
        let functions = self.functions.iter().filter(|(_, function)| function.uniques > 0);
        let jobs = functions.filter_map(|(id, _)| self.find_same(id, unique, &Data::EMPTY));
        jobs.max_by_key(|id| self.jobs[*id].number)
    }

    fn unique_hash(&self, job: &Job) -> Option<UniqueHash> {
        Some(self.uniques.hash(job.function, job.key()?))
    }

    /// Puts a new job into its queue, or among those whose time has not come; answers its number in the tables.
    pub(crate) fn add(&mut self, new: NewJob<'_>, at: At) -> u32 {
        let number = self.next_number();
        self.functions.get_mut(new.function).counters.added += 1;
        self.add_numbered(number, new, at)
    }

    /// Puts a job that has a number already into its queue: one that survived an earlier server.
    pub(crate) fn add_numbered(&mut self, number: u64, new: NewJob<'_>, at: At) -> u32 {
        self.skip_numbers(number);
        let job = Job::new(number, new);
        let (function, bytes, hash) = (job.function, job.bytes(), self.unique_hash(&job));
        let id = self.jobs.insert(job);
        self.numbers.insert(number, id);
        self.bytes += bytes;
        let target = self.functions.get_mut(function);
        target.bytes += bytes;
        if let Some(hash) = hash {
            target.uniques += 1;
            self.uniques.insert(hash, id);
        }
        self.enqueue(id, at);
        id
    }

    /// Puts a job that stands nowhere at the end of its queue, or among those whose time has not come.
    fn enqueue(&mut self, id: u32, at: At) {
        let job = &mut self.jobs[id];
        let (function, priority, number, due) = (job.function, job.priority, job.number, job.due());
        let target = self.functions.get_mut(function);
        target.counts[priority.index()] += 1;
        if due > at.wall {
            job.set_waiting();
            target.waiting += 1;
            self.times.insert((due, number, id));
            return;
        }
        job.set_ready(Place::Queued, at.tick);
        let was = target.has_ready(priority);
        target.queued[priority.index()].push_back(&mut self.jobs, id);
        self.functions.note_ready(function, priority, was);
    }

    /// The Unix second at which the next job's time comes.
    pub(crate) fn next_time(&self) -> Option<u64> {
        self.times.first().map(|(due, _, _)| *due)
    }

    /// The jobs whose time has not come, the next one first, with the Unix second of it.
    pub(crate) fn times(&self) -> impl Iterator<Item = (u64, u32)> {
        self.times.iter().map(|(due, _, job)| (*due, *job))
    }

    /// Makes the next job whose time has come ready to run; answers its function.
    pub(crate) fn pop_due(&mut self, at: At) -> Option<u32> {
        let (due, number, id) = *self.times.first()?;
        if due > at.wall {
            return None;
        }
        self.times.pop_first();
        let job = &mut self.jobs[id];
        job.set_ready(Place::Due, at.tick);
        let function = job.function;
        let target = self.functions.get_mut(function);
        target.waiting -= 1;
        let was = target.has_ready(Priority::Normal);
        target.due.insert(number, id);
        self.functions.note_ready(function, Priority::Normal, was);
        Some(function)
    }

    /// The job of `function` and `priority` that is first in line.
    pub(crate) fn first(&self, function: u32, priority: Priority) -> Option<u32> {
        let target = self.functions.get(function);
        let listed = target.queued[priority.index()].head();
        let due = match priority {
            Priority::Normal => target.due.first_key_value(),
            _ => None,
        };
        match due {
            // Due jobs keep the place that their submission gave them.
            Some((number, id)) if listed == NONE || *number <= self.jobs[listed].turn() => Some(*id),
            _ => (listed != NONE).then_some(listed),
        }
    }

    /// The job that a worker is to get next.
    pub(crate) fn choose(&self, worker: u32, order: Order) -> Option<u32> {
        let (function, priority) = self.peers.choose(&self.functions, worker, order)?;
        self.first(function, priority)
    }

    /// Takes a job that is not running out of wherever it stands.
    fn take_out(&mut self, id: u32) {
        let job = &self.jobs[id];
        let (function, priority, number, due, place) =
            (job.function, job.priority, job.number, job.due(), job.place());
        let target = self.functions.get_mut(function);
        target.counts[priority.index()] -= 1;
        let was = target.has_ready(priority);
        match place {
            Place::Queued => target.queued[priority.index()].remove(&mut self.jobs, id),
            Place::Due => drop(target.due.remove(&number)),
            Place::Waiting => {
                target.waiting -= 1;
                self.times.remove(&(due, number, id));
            }
            Place::Running => {}
        }
        self.functions.note_ready(function, priority, was);
    }

    /// Hands a queued job to a worker, at the monotonic time `now`.
    pub(crate) fn start(&mut self, id: u32, worker: u32, now: Duration, deadline: Option<Duration>) {
        self.take_out(id);
        let entry = self.running.insert(Running::new(id, worker, now, deadline));
        self.peers.hold(worker, &mut self.running, entry);
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, entry));
        }
        let job = &mut self.jobs[id];
        let ready = job.ready_since();
        job.set_running(entry);
        let function = self.functions.get_mut(job.function);
        function.running += 1;
        let now = Tick::of(now);
        function.counters.wait.add(ready.unwrap_or(now), now);
    }

    /// Takes a running job out of its worker's hands.
    fn release(&mut self, id: u32) {
        let job = &mut self.jobs[id];
        let Some(entry) = job.entry() else { return };
        self.functions.get_mut(job.function).running -= 1;
        let (worker, deadline) = (self.running[entry].worker, self.running[entry].deadline);
        self.peers.let_go(worker, &mut self.running, entry);
        self.running.remove(entry);
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, entry));
        }
    }

    /// Puts a running job back at the end of its queue; its progress is forgotten.
    pub(crate) fn give_back(&mut self, id: u32, at: At) {
        self.release(id);
        let turn = self.last_number;
        let job = &mut self.jobs[id];
        job.returns = job.returns.saturating_add(1);
        job.extra.get_or_insert_default().turn = turn;
        self.enqueue(id, at);
    }

    /// As [`Queue::give_back`], but it does not count.
    pub(crate) fn put_back(&mut self, id: u32, at: At) {
        let returns = self.jobs[id].returns;
        self.give_back(id, at);
        self.jobs[id].returns = returns;
    }

    /// Ends a job, wherever it is.
    pub(crate) fn remove(&mut self, id: u32) -> Option<Job> {
        match self.jobs[id].place() {
            Place::Running => self.release(id),
            _ => self.take_out(id),
        }
        while let Some(listener) = self.jobs[id].listeners.pop_front(&mut self.listeners) {
            let conn = self.listeners[listener].conn;
            self.peers.get_mut(conn).listens.remove(&mut self.listeners, listener);
            self.listeners.remove(listener);
        }
        let job = &self.jobs[id];
        let (function, bytes, hash) = (job.function, job.bytes(), self.unique_hash(job));
        self.numbers.remove(job.number);
        self.bytes -= bytes;
        let target = self.functions.get_mut(function);
        target.bytes -= bytes;
        if let Some(hash) = hash {
            target.uniques -= 1;
            self.uniques.remove(hash, id);
        }
        self.jobs.remove(id)
    }

    /// Makes a connection wait for a job's result.
    pub(crate) fn listen(&mut self, id: u32, conn: u32) {
        let listener = self.listeners.insert(Listener::new(id, conn));
        self.jobs[id].listeners.push_back(&mut self.listeners, listener);
        self.peers.get_mut(conn).listens.push_back(&mut self.listeners, listener);
    }

    /// The slots of the connections that wait for a job, one for each submission.
    pub(crate) fn listeners(&self, id: u32) -> impl Iterator<Item = u32> {
        self.jobs[id].listeners.iter(&self.listeners).map(|listener| self.listeners[listener].conn)
    }

    /// Ends one submission's waiting of a connection that is going; answers the job it was for. `None` when none is left.
    pub(crate) fn stop_listening(&mut self, conn: u32) -> Option<u32> {
        let listener = self.peers.get_mut(conn).listens.pop_front(&mut self.listeners)?;
        let id = self.listeners[listener].job;
        self.jobs[id].listeners.remove(&mut self.listeners, listener);
        self.listeners.remove(listener);
        Some(id)
    }

    /// Nobody has been told that the job exists who is still there to care.
    pub(crate) fn is_abandoned(&self, id: u32) -> bool {
        let job = &self.jobs[id];
        !job.background && job.listeners.is_empty()
    }

    /// The counters of a job's function.
    pub(crate) fn counters_of(&mut self, id: u32) -> &mut Counters {
        &mut self.functions.get_mut(self.jobs[id].function).counters
    }

    /// The same, after its worker has ended the job.
    pub(crate) fn counters_at_end(&mut self, id: u32, now: Duration) -> &mut Counters {
        let since = self.running(id).map_or(now, |running| running.since);
        let counters = self.counters_of(id);
        counters.run.add(Tick::of(since), Tick::of(now));
        counters
    }

    /// Since when the job of `function` that is first in line, of whatever priority, can run: of those three the longest.
    pub(crate) fn ready_longest(&self, function: u32, now: Tick) -> Option<Duration> {
        let firsts = Priority::ALL.into_iter().filter_map(|priority| self.first(function, priority));
        firsts.filter_map(|job| Some(now.age(self.jobs[job].ready_since()?))).max()
    }

    /// How many submissions wait for a job, counted up to `most`.
    pub(crate) fn listeners_up_to(&self, id: u32, most: usize) -> usize {
        self.listeners(id).take(most).count()
    }

    /// How many jobs wait for their time.
    pub(crate) fn waiting_for_time(&self) -> usize {
        self.times.len()
    }

    /// The slot of the worker that has the job.
    pub(crate) fn holder(&self, id: u32) -> Option<u32> {
        self.running(id).map(|running| running.worker)
    }

    /// The jobs that a connection holds, the one it was given last first.
    pub(crate) fn held(&self, conn: u32) -> impl Iterator<Item = u32> {
        self.peers.get(conn).held.iter(&self.running).map(|entry| self.running[entry].job)
    }

    /// The job that a connection has held longest.
    pub(crate) fn oldest_held(&self, conn: u32) -> Option<u32> {
        self.running.get(self.peers.get(conn).held.tail()).map(|running| running.job)
    }

    /// What is known of a job that a worker has; `None` where none has it.
    pub(crate) fn running(&self, id: u32) -> Option<&Running> {
        self.running.get(self.jobs[id].entry()?)
    }

    /// How many jobs of the same function and priority stand in line before a job that can run; counts up to `limit`.
    pub(crate) fn ahead(&self, id: u32, limit: usize) -> usize {
        let job = &self.jobs[id];
        let (target, turn) = (self.functions.get(job.function), job.turn());
        let earlier = |other: &u32| *other != id && self.jobs[*other].turn() <= turn;
        let listed = target.queued[job.priority.index()].iter(&self.jobs);
        let listed = listed.take_while(earlier).take(limit).count();
        let due = match job.priority {
            Priority::Normal => target.due.range(..turn).take(limit).count(),
            _ => 0,
        };
        (listed + due).min(limit)
    }

    /// What the worker has reported; zero where nothing has been.
    pub(crate) fn progress(&self, id: u32) -> Progress {
        self.running(id).map_or_else(Progress::default, |running| running.progress)
    }

    pub(crate) fn set_progress(&mut self, id: u32, progress: Progress) {
        if let Some(running) = self.jobs[id].entry().and_then(|entry| self.running.get_mut(entry)) {
            running.progress = progress;
        }
    }

    /// The next deadline of a running job.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A running job whose deadline has passed; it stays with its worker until it is given back.
    pub(crate) fn overdue(&self, now: Duration) -> Option<u32> {
        let (deadline, entry) = self.deadlines.first()?;
        (*deadline <= now).then(|| self.running[*entry].job)
    }
}
