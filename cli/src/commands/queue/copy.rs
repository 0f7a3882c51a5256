//! Jobs from one place to another. What is taken away from the source is durable in the target before.
//!
//! Numbers, and with them handles, are shifted by the highest number of the target: into an empty one they come as they were.
//! The first commit moves the target's counter behind all numbers that will come, so that nobody else uses them meanwhile;
//! what has been copied is remembered in a file, so that a second run copies the rest alone. A batch of which the first run
//! did not learn that it was durable is committed once more, with the same numbers: a store takes no number twice.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use lineshaft::store::{Batch, Change, Store, StoredJob};

use super::PLACE;
use super::jobs::{Filter, Jobs};
use super::lines;
use super::memory::{Memory, Phase, State};
use super::place::Place;
use super::progress::Progress;
use crate::daemon::store;
use crate::exit::{Exit, Failure, say};

/// Jobs and bytes after which a batch is committed.
const BATCH_JOBS: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;

#[derive(Args, Debug)]
pub(in crate::commands) struct Import {
    #[arg(value_name = "SOURCE", help = PLACE)]
    source: OsString,
    /// The store that gets them.
    target: OsString,
    #[command(flatten)]
    wish: Wish,
}

#[derive(Args, Debug)]
pub(in crate::commands) struct Export {
    #[arg(value_name = "SOURCE", help = PLACE)]
    source: OsString,
    /// What gets them.
    #[arg(default_value = "-")]
    target: OsString,
    #[command(flatten)]
    wish: Wish,
}

#[derive(Args, Debug)]
struct Wish {
    #[command(flatten)]
    filter: Filter,
    /// Delete the jobs in the source when they are durable in the target.
    #[arg(long = "move")]
    take: bool,
    /// Copy everything, even if an earlier run has copied it.
    #[arg(long)]
    again: bool,
    /// Only read the source, and say what would be copied.
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let target = Place::read(&self.target)?;
        if !matches!(target, Place::Store(_)) {
            let text = "import has a store as its target; `lineshaft queue export` writes JSON lines";
            return Err(Failure::new(Exit::Usage, text));
        }
        self.wish.run(&Place::read(&self.source)?, &target)
    }
}

impl Export {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let source = Place::read(&self.source)?;
        if !matches!(source, Place::Store(_)) {
            let text = "export has a store as its source; `lineshaft queue import` reads JSON lines";
            return Err(Failure::new(Exit::Usage, text));
        }
        self.wish.run(&source, &Place::read(&self.target)?)
    }
}

impl Wish {
    fn run(&self, source: &Place, target: &Place) -> Result<ExitCode, Failure> {
        let usage = |text: &str| Err(Failure::new(Exit::Usage, text));
        if source == target {
            return usage("source and target are the same");
        }
        if self.take && !matches!(source, Place::Store(_)) {
            return usage("--move deletes jobs in a store, and the source is none");
        }
        if self.take && *target == Place::Pipe {
            return usage("--move needs a target that keeps the jobs: a store or jsonl:FILE");
        }
        let (mut jobs, mut origin) = match self.take && !self.dry_run {
            true => source.open(&self.filter).map(|(jobs, store)| (jobs, Some(store)))?,
            false => (source.load(&self.filter)?, None),
        };
        if self.dry_run {
            say(format_args!("lineshaft: would copy {} from {}", jobs.sums()?, source.shown()));
            return Ok(Exit::Done.own());
        }
        if *target == Place::Pipe {
            lines::write_pipe(&jobs)?;
            return Ok(Exit::Done.own());
        }
        let memory = Memory::of(source, target, &self.filter)?;
        let mut remembered = if self.again { None } else { memory.read()? };
        if let Some(state) = remembered.take_if(|state| state.phase == Phase::Taking) {
            let Some(origin) = &mut origin else {
                return usage("an earlier run with --move was interrupted: run it with --move once more");
            };
            // All up to there is durable in the target; what is left of it goes, and what came later is to be copied.
            end_all(&jobs, state.copied, &mut **origin)?;
            memory.write(&State { phase: Phase::Done, ..state })?;
            jobs.drop_up_to(state.copied);
            if jobs.len() == 0 {
                say(format_args!("lineshaft: deleted the rest of what an earlier run has copied"));
                return Ok(Exit::Done.own());
            }
        }
        let sums = jobs.sums()?;
        let (state, new) = match target {
            Place::Store(address) => {
                let copy = Copy { jobs: &jobs, memory: &memory, source: &source.shown() };
                copy.write(&mut *store::open(address)?, remembered)?
            }
            Place::Lines(path) => {
                lines::write(path, &jobs)?;
                (State { copied: jobs.last(), ..fresh(&jobs, 0) }, true)
            }
            Place::Pipe => unreachable!("it has been written"),
        };
        if let Some(origin) = &mut origin {
            memory.write(&State { phase: Phase::Taking, ..state })?;
            end_all(&jobs, u64::MAX, &mut **origin)?;
        }
        memory.write(&State { phase: Phase::Done, ..state })?;
        let (from, into) = (source.shown(), target.shown());
        say(match (new, &origin) {
            (true, None) => format!("lineshaft: copied {sums} from {from} to {into}"),
            (true, Some(_)) => format!("lineshaft: moved {sums} from {from} to {into}"),
            (false, Some(_)) => {
                format!("lineshaft: deleted {sums} in {from}, which an earlier run has copied to {into}")
            }
            (false, None) => {
                format!(
                    "lineshaft: an earlier run has copied {sums} from {from} to {into}; --again does so once more"
                )
            }
        });
        Ok(Exit::Done.own())
    }
}

fn fresh(jobs: &Jobs, base: u64) -> State {
    let (highest, fingerprint) = (jobs.highest(), jobs.fingerprint());
    State { phase: Phase::Copying, base, highest, copied: 0, fingerprint }
}

/// A copy from a source that has been read into a store.
struct Copy<'a> {
    jobs: &'a Jobs,
    memory: &'a Memory,
    source: &'a str,
}

impl Copy<'_> {
    /// Copies what is not there; false where all of it was.
    fn write(&self, target: &mut dyn Store, remembered: Option<State>) -> Result<(State, bool), Failure> {
        let state = self.state(target, remembered)?;
        if state.copied > 0 && state.copied >= self.jobs.last() {
            return Ok((state, false));
        }
        self.check(target, &state)?;
        self.copy(target, state).map(|state| (state, true))
    }

    /// Where to go on: what the memory and the target say together.
    fn state(&self, target: &mut dyn Store, remembered: Option<State>) -> Result<State, Failure> {
        let (mut highest, mut is_there, mut stranger) = (0, false, None);
        target.replay(&mut |change| {
            highest = highest.max(change.number());
            if let (Change::Add(job), Some(state)) = (change, &remembered)
                && let Some(ours) = job.number.checked_sub(state.base).and_then(|it| self.jobs.get(it))
            {
                match is_same(&ours, job) {
                    true => is_there = true,
                    false => stranger = Some(job.number),
                }
            }
            Ok(())
        })?;
        let fresh = fresh(self.jobs, highest);
        // Where the counter is not behind all our numbers, the first commit did not happen, or this is another store by now.
        let Some(state) = remembered.filter(|it| highest >= it.base.saturating_add(it.highest)) else {
            return Ok(fresh);
        };
        let has_changed = state.fingerprint != fresh.fingerprint;
        if (has_changed && state.phase == Phase::Done) || (state.copied == 0 && !is_there) {
            return Ok(fresh);
        }
        let (source, into) = (self.source, target.describe());
        let why = if has_changed {
            format!("{source} has changed since: put it back as it was")
        } else if let Some(number) = stranger {
            format!("{into} has another job with the number {number} by now: name another target")
        } else if !is_there {
            format!("nothing of that is in {into} any more: it has been done, or this is not the same store")
        } else {
            return Ok(state);
        };
        let text = format!(
            "an earlier run has copied jobs from {source} to {into}, and {why}; or give --again, which copies all of {source}"
        );
        Err(Failure::new(Exit::Usage, text))
    }

    /// What cannot be copied is found before anything is.
    fn check(&self, target: &dyn Store, state: &State) -> Result<(), Failure> {
        let most = target.max_job();
        for job in self.jobs.above(state.copied) {
            let job = job?;
            if job.len() > most {
                let text = format!(
                    "the job with the number {} has {} bytes, and {} takes {most} at the most: nothing was copied",
                    job.number,
                    job.len(),
                    target.describe()
                );
                return Err(Failure::new(Exit::Usage, text));
            }
        }
        // The numbers of SQL's integers.
        let highest = state.base.checked_add(state.highest).filter(|it| *it <= i64::MAX as u64);
        let too_high = || Failure::new(Exit::Usage, "the numbers of the jobs are too high for this target");
        highest.map(|_| ()).ok_or_else(too_high)
    }

    fn copy(&self, target: &mut dyn Store, mut state: State) -> Result<State, Failure> {
        self.memory.write(&state)?;
        let mut progress = Progress::new("copied", self.jobs.len());
        let (mut batch, mut bytes) = (Batch::new(), 0);
        batch.push(&Change::Counter { number: state.base + state.highest });
        let mut last = state.copied;
        for job in self.jobs.above(state.copied) {
            let job = job?;
            (last, bytes) = (job.number, bytes + job.len());
            batch.push(&Change::Add(shifted(job, state.base)));
            if batch.len() >= BATCH_JOBS || bytes >= BATCH_BYTES {
                target.commit(&batch)?;
                progress.add(batch.len());
                batch.clear();
                (bytes, state.copied) = (0, last);
                self.memory.write(&state)?;
            }
        }
        target.commit(&batch)?;
        Ok(State { copied: last, ..state })
    }
}

fn shifted(job: StoredJob<'_>, base: u64) -> StoredJob<'_> {
    let schedule = if job.schedule == 0 { 0 } else { job.schedule.saturating_add(base) };
    // The sum of the base and the highest number has been tried.
    StoredJob { number: job.number + base, schedule, ..job }
}

/// A job that a server has given back since is the same one.
fn is_same(one: &StoredJob<'_>, other: &StoredJob<'_>) -> bool {
    (one.function, one.unique, &*one.workload) == (other.function, other.unique, &*other.workload)
}

/// Deletes them where they come from, up to this number.
fn end_all(jobs: &Jobs, highest: u64, origin: &mut dyn Store) -> Result<(), Failure> {
    let numbers: Vec<u64> = jobs.numbers().take_while(|number| *number <= highest).collect();
    end(&numbers, "deleted in the source", origin)
}

/// Deletes jobs of these numbers.
pub(super) fn end(numbers: &[u64], what: &'static str, store: &mut dyn Store) -> Result<(), Failure> {
    let mut progress = Progress::new(what, numbers.len());
    for piece in numbers.chunks(BATCH_JOBS) {
        let mut batch = Batch::new();
        piece.iter().for_each(|number| batch.push(&Change::End { number: *number }));
        store.commit(&batch)?;
        progress.add(piece.len());
    }
    Ok(())
}
