//! What survives the broker's end: what a store is told, and what comes back from it.

use super::schedule::Schedule;
use super::{Broker, Outbox};
use crate::error::ErrorKind;
use crate::protocol::Response;
use crate::queue::{Extra, NewJob};
use crate::store::{Change, StoredJob};
use crate::types::{ConnId, Priority};

/// How many numbers of jobs are set aside at once. After a crash the next job's number may be so much higher than the last one's.
const RESERVE: u64 = 1 << 20;

/// The highest number that is believed: beyond it, what a store says is damage. It leaves room for all jobs that can come.
const MAX_NUMBER: u64 = 1 << 62;

/// What the broker knows of the store that its outputs go to.
#[derive(Debug)]
pub(super) struct Storing {
    /// What it is, for the admin command `show store`.
    name: Box<str>,
    /// Why it fails, while it does.
    failing: Option<Box<str>>,
    /// Background jobs are refused.
    refusing: bool,
    /// Bytes that a background job may have.
    max_job: usize,
    /// The highest number that the store has been told of.
    reserved: u64,
}

impl Default for Storing {
    fn default() -> Self {
        let name = "memory: jobs end with the server".into();
        Self { name, failing: None, refusing: false, max_job: usize::MAX, reserved: 0 }
    }
}

impl Storing {
    pub(super) fn set(&mut self, failing: Option<&str>, refusing: bool) {
        self.failing = failing.map(Into::into);
        self.refusing = refusing && failing.is_some();
    }

    /// Whether background jobs are refused.
    pub(super) const fn refuses(&self) -> bool {
        self.refusing
    }

    /// What the store is, and how it does.
    pub(super) fn report(&self) -> (&str, Option<&str>) {
        (&self.name, self.failing.as_deref())
    }
}

impl Broker {
    /// Says what store the broker's outputs go to, and how many bytes function, unique, reducer and workload of a background job
    /// may have together. Default: memory, and no limit beside that of packets.
    pub fn set_store(&mut self, name: &str, max_job: usize) {
        self.storing.name = name.into();
        self.storing.max_job = max_job;
    }

    /// Takes over what a store has kept, before the first input. The time is that of the last [`Broker::advance_to`].
    ///
    /// # Errors
    /// A sentence about what could not be taken over: a schedule whose line this version cannot read. It stays in the store.
    pub fn restore(&mut self, change: &Change<'_>) -> Result<(), String> {
        if change.number() > MAX_NUMBER {
            return Err(format!("the number {} of a job cannot be; it is not used", change.number()));
        }
        match change {
            Change::Add(job) if self.knows(job.number) => {}
            Change::Add(job) => return self.restore_one(job),
            Change::End { number } => {
                if let Some(job) = self.queue.find(*number) {
                    self.forget(job);
                } else {
                    self.schedules.remove(*number);
                }
            }
            Change::Returned { number, returns } => {
                if let Some(job) = self.queue.find(*number) {
                    self.queue.job_mut(job).returns = *returns;
                }
            }
            // The last one counts.
            Change::Counter { number } => self.storing.reserved = *number,
        }
        Ok(())
    }

    /// All that the store has, has been taken over: has the first numbers set aside, behind all that may have been used.
    pub fn restored(&mut self, out: &mut dyn Outbox) {
        self.queue.skip_numbers(self.storing.reserved);
        self.storing.reserved = 0;
        self.reserve(out);
    }

    /// A job or schedule of this number is there.
    pub(crate) fn knows(&self, number: u64) -> bool {
        self.queue.find(number).is_some() || self.schedules.find(number).is_some()
    }

    fn restore_one(&mut self, job: &StoredJob<'_>) -> Result<(), String> {
        let StoredJob { number, unique, priority, due, schedule, .. } = *job;
        let function = self.queue.functions.find_or_create(job.function);
        if let Some(fields) = job.cron {
            return self.restore_schedule(number, function, job, fields);
        }
        let reducer = job.reducer.map(Into::into);
        let special = due > 0 || reducer.is_some() || schedule > 0;
        let extra = special.then(|| Box::new(Extra { due, reducer, schedule, turn: 0 }));
        // As with those that are submitted: nothing in the queue expects another priority.
        let priority = if due > 0 { Priority::Normal } else { priority };
        let workload = &job.workload;
        let new = NewJob { function, unique, priority, background: true, workload, extra };
        let id = self.queue.add_numbered(number, new, self.at());
        self.queue.job_mut(id).returns = job.returns;
        self.schedules.began(schedule, number);
        Ok(())
    }

    /// Sets the time without an input: to be called before [`Broker::restore`].
    pub const fn advance_to(&mut self, now: super::Now) {
        self.now = now;
    }

    /// Has the store set numbers aside where few are left.
    pub(super) fn reserve(&mut self, out: &mut dyn Outbox) {
        let last = self.queue.last_number();
        if last + RESERVE / 2 >= self.storing.reserved {
            self.storing.reserved = last + RESERVE;
            out.store(Change::Counter { number: self.storing.reserved });
        }
    }

    /// The highest number used so far: what a store is to keep at an orderly end.
    pub const fn last_number(&self) -> u64 {
        self.queue.last_number()
    }

    /// A submission in the background, of so many bytes, can be kept.
    pub(super) fn check_storing(&self, bytes: usize) -> Result<(), (ErrorKind, String)> {
        if let Some(why) = self.storing.failing.as_ref().filter(|_| self.storing.refusing) {
            let text = format!("Background jobs cannot be kept at the moment: {why}");
            return Err((ErrorKind::QueueError, text));
        }
        let limit = self.storing.max_job;
        if bytes > limit {
            let text = format!("A background job of {bytes} bytes: the store's limit is {limit} bytes");
            return Err((ErrorKind::ArgumentTooLarge, text));
        }
        Ok(())
    }

    /// A job that began in the foreground can be kept.
    pub(super) fn check_storing_of(&self, job: u32) -> Result<(), (ErrorKind, String)> {
        self.check_storing(self.stored(job).len())
    }

    /// Has a job stored.
    pub(super) fn store_job(&self, job: u32, out: &mut dyn Outbox) {
        out.store(Change::Add(self.stored(job)));
    }

    fn stored(&self, job: u32) -> StoredJob<'_> {
        let job = self.queue.job(job);
        let schedule = job.extra.as_ref().map_or(0, |extra| extra.schedule);
        StoredJob {
            number: job.number,
            function: &self.queue.functions.get(job.function).name,
            unique: job.unique(),
            reducer: job.reducer(),
            priority: job.priority,
            due: job.due(),
            returns: job.returns,
            schedule,
            cron: None,
            workload: job.workload(),
        }
    }

    pub(super) fn stored_schedule<'a>(&'a self, number: u64, schedule: &'a Schedule) -> StoredJob<'a> {
        let function = &self.queue.functions.get(schedule.function).name;
        let plain = StoredJob::new(number, function, &schedule.workload);
        StoredJob { unique: &schedule.unique, cron: Some(&schedule.fields), ..plain }
    }

    /// Hands all schedules and then all background jobs to `each`, each kind in the order of its numbers: what a store that is only
    /// used at the end is to keep.
    pub fn each_stored(&self, each: &mut dyn FnMut(StoredJob<'_>)) {
        for (number, schedule) in self.schedules.iter() {
            each(self.stored_schedule(number, schedule));
        }
        let jobs = self.queue.ids().map(|id| (self.queue.job(id).number, id));
        let mut jobs: Vec<_> = jobs.filter(|(_, id)| self.queue.job(*id).background).collect();
        jobs.sort_unstable();
        for (_, id) in jobs {
            each(self.stored(id));
        }
    }

    /// A job has been stored: whoever waits for that is told.
    pub(super) fn stored_well(&self, conn: ConnId, number: u64, out: &mut dyn Outbox) {
        if self.connections.is_open(conn) {
            out.send(conn, &Response::JobCreated { handle: self.handle_of_number(number).as_bytes() });
        }
    }

    /// A job could not be stored: whoever waits for that gets an ERROR, and the job is none, unless it runs or others wait for
    /// its result.
    pub(super) fn not_stored(&mut self, conn: ConnId, number: u64, why: &str, out: &mut dyn Outbox) {
        if self.connections.is_open(conn) {
            self.error(conn, ErrorKind::QueueError, &format!("The job could not be kept: {why}"), out);
        }
        if let Some(job) = self.queue.find(number) {
            self.queue.job_mut(job).background = false;
            if self.queue.is_abandoned(job) && self.queue.holder(job).is_none() {
                self.forget(job);
            }
        } else {
            self.schedules.remove(number);
        }
    }
}
