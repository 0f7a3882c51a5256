//! Why a job does not run. [`Broker::explain`](super::Broker::explain) looks at a job or a function and says in data what it waits for; [`Explanation`]
//! prints as the sentences that a person reads.
//!
//! It looks at each connection once, at the registrations of all where there are not too many, and at [`MOST`] jobs and functions at the
//! most.

mod look;
mod words;

use std::time::Duration;

use crate::types::Progress;

/// How many jobs in line are counted before a job, jobs that are not due looked through, and functions explained at once.
const MOST: usize = 10_000;

/// Why a job, or the next job of a function, does not run. Printed, it is a sentence with what to do about it, and one more for
/// each note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The handle or the name of the function that was asked for.
    pub about: Vec<u8>,
    /// The job's function; `None` where it is not known.
    pub function: Option<Vec<u8>>,
    /// What it waits for.
    pub reason: Reason,
    /// What else should be known.
    pub notes: Vec<Note>,
}

/// What a job waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The handle has another prefix than this server's.
    Foreign {
        /// What this server's handles begin with.
        prefix: String,
    },
    /// No job has this number any more, though it may have been given: the job has ended.
    Ended {
        /// The highest number given so far.
        last: u64,
    },
    /// The number is beyond those that have been given.
    NeverGiven {
        /// The highest number given so far.
        last: u64,
    },
    /// No function has this name.
    UnknownFunction {
        /// One whose name differs in case only.
        like: Option<Vec<u8>>,
    },
    /// The function has no job that waits.
    NothingWaits {
        /// Jobs that workers have.
        running: u32,
        /// Whether any worker is registered for it.
        workers: u32,
    },
    /// It is a schedule, which makes jobs.
    Schedule {
        /// The Unix second of the next one.
        next: u64,
        /// Seconds until then.
        left: u64,
        /// Jobs made.
        fired: u64,
        /// Times that were passed over, because the last job was not done.
        skipped: u64,
    },
    /// Its time has not come. Of a function: that of its next job has not.
    NotDue {
        /// The Unix second from which on it may run.
        due: u64,
        /// Seconds until then.
        left: u64,
        /// It may be later: many jobs of other functions are due before, which were not all looked at.
        at_least: bool,
    },
    /// A worker has it.
    Running {
        /// Who.
        holder: Holder,
        /// What the worker has reported.
        progress: Progress,
        /// What is left of its CAN_DO_TIMEOUT; `None` where it has none.
        left: Option<Duration>,
    },
    /// The server is being stopped and hands out no more jobs.
    Draining,
    /// No worker is registered for the function.
    NoWorker {
        /// How long ago the last one left; `None` where there has been none since the server began.
        since: Option<Duration>,
    },
    /// There are workers, and too many functions and workers to look at what all of them do at once.
    NotLooked {
        /// CAN_DOs for the function.
        workers: u32,
    },
    /// There are workers, and this is what they do.
    Workers(Workers),
}

/// What the workers do that are registered for a function. A worker counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// How many have a job and are not asleep, or have just ended one.
    pub busy: u32,
    /// Some of the busy ones, those who have had their jobs longest.
    pub holders: Vec<Holder>,
    /// How many have been sent a NOOP and have not come for a job since.
    pub woken: u32,
    /// For how long the first of them has not come.
    pub longest_woken: Duration,
    /// Some of them: address and identifier.
    pub absent: Vec<(String, String)>,
    /// How many have no job, have not been woken for one, and do not ask.
    pub silent: u32,
    /// The grace that a woken worker has: [`Config::wake_grace`](super::Config::wake_grace).
    pub grace: Duration,
}

/// A worker and a job that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The worker's address.
    pub peer: String,
    /// What it calls itself; empty where it has said nothing.
    pub id: String,
    /// The job.
    pub handle: String,
    /// The job's function.
    pub function: Vec<u8>,
    /// How long it has had it.
    pub held: Duration,
}

/// What should be known besides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Jobs of the same function stand in line before it. Counted up to 10,000 in its own priority.
    Ahead {
        /// By priority: high, normal, low.
        jobs: [u64; 3],
    },
    /// Jobs of the function that can run and wait, by priority: high, normal, low.
    Queued {
        /// How many.
        jobs: [u64; 3],
    },
    /// It was given back so often: workers were lost or took too long with it.
    GivenBack {
        /// Times.
        returns: u16,
        /// At so many attempts it is dropped; `None` for never.
        allowed: Option<u32>,
    },
    /// It has a reducer, of which only workers hear that ask with GRAB_JOB_ALL.
    Reducer {
        /// Its name.
        reducer: Vec<u8>,
    },
    /// The function has so many jobs as `maxqueue` allows: submissions of these priorities are refused.
    Full {
        /// Jobs that there are.
        jobs: u32,
        /// The limits by priority; 0 for none.
        limits: [u32; 3],
    },
    /// The bytes that jobs may hold are used up, or nearly: submissions are refused.
    NoMemory {
        /// The limit's name: `max_queue_bytes` or `max_function_bytes`.
        limit: &'static str,
        /// Bytes held.
        held: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// The store fails: submissions in the background wait, or are refused.
    StoreFails {
        /// What it says.
        why: String,
        /// They are refused.
        refusing: bool,
    },
}
