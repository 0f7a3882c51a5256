//! Looking at what a job waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Broker;
use super::{Explanation, Holder, MOST, Note, Reason, Workers};
use crate::queue::{Job, Place, Sleep};
use crate::types::Priority;

/// How many workers are named.
const NAMED: usize = 3;

/// When the next job of each function falls due, as far as it was looked at.
#[derive(Debug, Default)]
struct Dues {
    by_function: BTreeMap<u32, u64>,
    /// What is not among them is due no earlier.
    horizon: u64,
}

impl Broker {
    /// Why the job with this handle, or the next job of the function of this name, does not run.
    pub fn explain(&self, word: &[u8]) -> Explanation {
        if let Some(function) = self.queue.functions.find(word) {
            let mut workers = self.workers_of(Some(function));
            let workers = workers.remove(&function).unwrap_or_default();
            return self.explain_function(function, workers, &self.dues());
        }
        let unknown = |reason| Explanation { about: word.into(), function: None, reason, notes: Vec::new() };
        let Some(number) = self.number_of(word) else {
            return unknown(match is_handle(word) {
                true => Reason::Foreign { prefix: self.config.handle_prefix.clone() },
                false => Reason::UnknownFunction { like: self.function_like(word) },
            });
        };
        let last = self.queue.last_number();
        match (self.queue.find(number), self.schedules.find(number)) {
            (Some(job), _) => self.explain_job(job, word),
            (None, Some(schedule)) => {
                let (next, left) = (schedule.next, schedule.next.saturating_sub(self.wall()));
                let reason =
                    Reason::Schedule { next, left, fired: schedule.fired, skipped: schedule.skipped };
                let function = Some(self.queue.functions.get(schedule.function).name.to_vec());
                Explanation { about: word.into(), function, reason, notes: self.server_notes() }
            }
            (None, None) if number > last => unknown(Reason::NeverGiven { last }),
            (None, None) => unknown(Reason::Ended { last }),
        }
    }

    /// One explanation for each function that has jobs waiting; 10,000 at the most. Where workers are registered more often than
    /// [`Config::max_listing`](super::super::Config::max_listing) nobody looks at what they do: everybody else would wait meanwhile.
    pub fn explain_all(&self) -> Vec<Explanation> {
        let too_many = self.queue.peers.abilities_len() > self.config.max_listing;
        let mut workers = if too_many { BTreeMap::new() } else { self.workers_of(None) };
        let waiting = self.queue.functions.iter().filter(|(_, function)| function.total() > function.running);
        let dues = self.dues();
        let mut explain = |id| {
            let mut explanation = self.explain_function(id, workers.remove(&id).unwrap_or_default(), &dues);
            if too_many && matches!(explanation.reason, Reason::Workers(_)) {
                explanation.reason =
                    Reason::NotLooked { workers: self.queue.functions.get(id).registrations };
            }
            explanation
        };
        waiting.take(MOST).map(|(id, _)| explain(id)).collect()
    }

    fn explain_function(&self, id: u32, workers: Workers, dues: &Dues) -> Explanation {
        let function = self.queue.functions.get(id);
        let jobs = self.ready_jobs(id);
        let reason = if function.is_ready() {
            self.waits_for(id, workers)
        } else if function.waiting > 0 {
            let own = dues.by_function.get(&id).copied();
            let due = own.unwrap_or(dues.horizon);
            Reason::NotDue { due, left: due.saturating_sub(self.wall()), at_least: own.is_none() }
        } else {
            Reason::NothingWaits { running: function.running, workers: function.registrations }
        };
        let mut notes = Vec::new();
        if jobs != [0; 3] {
            notes.push(Note::Queued { jobs });
        }
        notes.extend(self.function_notes(id));
        let name = function.name.to_vec();
        Explanation { about: name.clone(), function: Some(name), reason, notes }
    }

    fn explain_job(&self, id: u32, handle: &[u8]) -> Explanation {
        let job = self.queue.job(id);
        let function = job.function;
        let mut notes = Vec::new();
        let reason = match job.place() {
            Place::Waiting => {
                let due = job.due();
                Reason::NotDue { due, left: due.saturating_sub(self.wall()), at_least: false }
            }
            Place::Running => self.running_reason(id),
            Place::Queued | Place::Due => {
                let workers = self.workers_of(Some(function)).remove(&function);
                let mut jobs = self.ready_jobs(function);
                jobs[job.priority.index()] = self.queue.ahead(id, MOST) as u64;
                jobs[job.priority.index() + 1..].fill(0);
                if jobs != [0; 3] {
                    notes.push(Note::Ahead { jobs });
                }
                self.waits_for(function, workers.unwrap_or_default())
            }
        };
        notes.extend(self.job_notes(job));
        if job.place() != Place::Running {
            notes.extend(self.store_note());
        }
        let function = Some(self.queue.functions.get(function).name.to_vec());
        Explanation { about: handle.into(), function, reason, notes }
    }

    fn running_reason(&self, id: u32) -> Reason {
        let deadline = self.queue.running(id).and_then(|running| running.deadline);
        let left = deadline.map(|deadline| deadline.saturating_sub(self.now.mono));
        let slot = self.queue.holder(id).unwrap_or_default();
        Reason::Running { holder: self.holder(slot, id), progress: self.queue.progress(id), left }
    }

    /// Jobs can run: what they wait for.
    fn waits_for(&self, function: u32, workers: Workers) -> Reason {
        let target = self.queue.functions.get(function);
        if self.draining {
            Reason::Draining
        } else if target.registrations == 0 {
            Reason::NoWorker { since: target.deserted.map(|left| self.now.mono.saturating_sub(left)) }
        } else {
            Reason::Workers(workers)
        }
    }

    /// Jobs of a function that can run, by priority.
    fn ready_jobs(&self, function: u32) -> [u64; 3] {
        let target = self.queue.functions.get(function);
        let mut jobs = target.counts.map(u64::from);
        jobs[Priority::Normal.index()] -= u64::from(target.waiting);
        jobs
    }

    fn dues(&self) -> Dues {
        let mut dues = Dues::default();
        for (due, job) in self.queue.times().take(MOST) {
            dues.by_function.entry(self.queue.job(job).function).or_insert(due);
            dues.horizon = due;
        }
        dues
    }

    fn function_like(&self, word: &[u8]) -> Option<Vec<u8>> {
        let mut functions = self.queue.functions.iter().map(|(_, function)| &function.name);
        functions.find(|name| name.eq_ignore_ascii_case(word)).map(|name| name.to_vec())
    }

    fn holder(&self, slot: u32, job: u32) -> Holder {
        let connection = self.connections.at(slot);
        let since = self.queue.running(job).map_or(self.now.mono, |running| running.since);
        let id = connection.identifier.as_deref().unwrap_or_default();
        Holder {
            peer: connection.peer.to_string(),
            id: String::from_utf8_lossy(id).into_owned(),
            handle: String::from_utf8_lossy(self.handle_of(job).as_bytes()).into_owned(),
            function: self.queue.functions.get(self.queue.job(job).function).name.to_vec(),
            held: self.now.mono.saturating_sub(since),
        }
    }

    /// What the workers do of one function, or of each that has a job that can run.
    fn workers_of(&self, function: Option<u32>) -> BTreeMap<u32, Workers> {
        let mut all: BTreeMap<u32, Workers> = BTreeMap::new();
        for connection in self.connections.iter() {
            let slot = connection.id.slot;
            let functions: Vec<u32> = match function {
                Some(function) if self.queue.peers.can_do(slot, function) => vec![function],
                Some(_) => continue,
                None => {
                    let ready = |function: &u32| self.queue.functions.is_ready(*function);
                    self.queue.peers.functions_of(slot).into_iter().filter(ready).collect()
                }
            };
            let oldest = self.queue.oldest_held(slot);
            for function in functions {
                self.count(slot, oldest, all.entry(function).or_default());
            }
        }
        for workers in all.values_mut() {
            workers.grace = self.config.wake_grace;
        }
        all
    }

    /// Counts one worker, which has had this job longest.
    fn count(&self, slot: u32, oldest: Option<u32>, workers: &mut Workers) {
        let connection = self.connections.at(slot);
        let active = self.now.mono.saturating_sub(connection.active) <= self.config.wake_grace;
        match (self.queue.peers.get(slot).sleep, oldest) {
            (Sleep::Woken(_), _) => {
                workers.woken += 1;
                let woken = connection.woken.map_or(Duration::ZERO, |at| self.now.mono.saturating_sub(at));
                workers.longest_woken = workers.longest_woken.max(woken);
                if workers.absent.len() < NAMED {
                    let id = connection.identifier.as_deref().unwrap_or_default();
                    workers
                        .absent
                        .push((connection.peer.to_string(), String::from_utf8_lossy(id).into_owned()));
                }
            }
            // Between two jobs.
            (Sleep::Awake, None) if active => workers.busy += 1,
            (Sleep::Asleep, _) | (Sleep::Awake, None) => workers.silent += 1,
            (Sleep::Awake, Some(oldest)) => {
                workers.busy += 1;
                let since = self.queue.running(oldest).map_or(self.now.mono, |running| running.since);
                let held = self.now.mono.saturating_sub(since);
                let place = workers.holders.partition_point(|other| other.held >= held);
                if place < NAMED {
                    workers.holders.truncate(NAMED - 1);
                    workers.holders.insert(place, self.holder(slot, oldest));
                }
            }
        }
    }

    fn job_notes(&self, job: &Job) -> Vec<Note> {
        let mut notes = Vec::new();
        if job.returns > 0 {
            notes.push(Note::GivenBack { returns: job.returns, allowed: self.config.job_retries });
        }
        if let Some(reducer) = job.reducer() {
            notes.push(Note::Reducer { reducer: reducer.into() });
        }
        notes
    }

    /// What keeps new jobs of a function away.
    fn function_notes(&self, id: u32) -> Vec<Note> {
        let function = self.queue.functions.get(id);
        let (jobs, limits) = (function.total(), function.max_queue);
        let mut notes = Vec::new();
        if limits.iter().any(|limit| *limit > 0 && jobs >= *limit) {
            notes.push(Note::Full { jobs, limits });
        }
        let allowed = self.config.max_function_bytes;
        if function.bytes.saturating_add(Job::OVERHEAD as u64) > allowed {
            notes.push(Note::NoMemory { limit: "max_function_bytes", held: function.bytes, allowed });
        }
        notes.extend(self.server_notes());
        notes
    }

    /// What keeps new jobs of every function away.
    fn server_notes(&self) -> Vec<Note> {
        let (held, allowed) = (self.queue.bytes() + self.schedules.bytes(), self.config.max_queue_bytes);
        let full = held + Job::OVERHEAD as u64 > allowed;
        let full = full.then_some(Note::NoMemory { limit: "max_queue_bytes", held, allowed });
        full.into_iter().chain(self.store_note()).collect()
    }

    fn store_note(&self) -> Option<Note> {
        let (_, failing) = self.storing.report();
        let refusing = self.storing.refuses();
        failing.map(|why| Note::StoreFails { why: why.into(), refusing })
    }
}

/// Whether it looks like the handle of some server: a colon and a number at its end.
fn is_handle(word: &[u8]) -> bool {
    let digits = word.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    digits.len() < word.len() && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
