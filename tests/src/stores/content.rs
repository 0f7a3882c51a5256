//! What is in a store, and what should be.

use anyhow::{Context, Result, bail, ensure};
use lineshaft::store::{Batch, Change, Store, StoreError, StoredJob};
use lineshaft::types::{Data, Priority};
use std::collections::BTreeMap;
use std::fmt;

use super::{Subject, open_soon};

/// A job with bytes of its own.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of `StoredJob`")]
pub struct Job {
    pub number: u64,
    pub function: Vec<u8>,
    pub unique: Vec<u8>,
    pub reducer: Option<Vec<u8>>,
    pub priority: Priority,
    pub due: u64,
    pub returns: u16,
    pub schedule: u64,
    pub cron: Option<Vec<u8>>,
    pub workload: Vec<u8>,
}

impl Job {
    /// A plain one.
    pub fn new(number: u64) -> Self {
        Self {
            number,
            function: b"function".to_vec(),
            unique: format!("unique-{number}").into(),
            reducer: None,
            priority: Priority::Normal,
            due: 0,
            returns: 0,
            schedule: 0,
            cron: None,
            workload: format!("workload {number}").into(),
        }
    }

    /// As stores take it; a large workload is shared, as the server has it.
    pub fn stored(&self) -> StoredJob<'_> {
        let workload = match self.workload.len() {
            Data::SHARE_FROM.. => Data::Shared(self.workload.clone().into()),
            _ => Data::Borrowed(&self.workload),
        };
        StoredJob {
            number: self.number,
            function: &self.function,
            unique: &self.unique,
            reducer: self.reducer.as_deref(),
            priority: self.priority,
            due: self.due,
            returns: self.returns,
            schedule: self.schedule,
            cron: self.cron.as_deref(),
            workload,
        }
    }
}

impl From<&StoredJob<'_>> for Job {
    fn from(job: &StoredJob<'_>) -> Self {
        Self {
            number: job.number,
            function: job.function.to_vec(),
            unique: job.unique.to_vec(),
            reducer: job.reducer.map(<[u8]>::to_vec),
            priority: job.priority,
            due: job.due,
            returns: job.returns,
            schedule: job.schedule,
            cron: job.cron.map(<[u8]>::to_vec),
            workload: job.workload.to_vec(),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| match bytes.len() {
            0..80 => format!("\"{}\"", bytes.escape_ascii()),
            len => format!("\"{}...\" ({len} bytes)", bytes[..40].escape_ascii()),
        };
        let Self { number, priority, due, returns, schedule, .. } = self;
        write!(f, "Job {{ {number}, {} {}", text(&self.function), text(&self.unique))?;
        write!(f, ", {priority:?}, due {due}, returns {returns}, schedule {schedule}")?;
        let optional = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(text);
        write!(f, ", reducer {:?}, cron {:?}", optional(&self.reducer), optional(&self.cron))?;
        write!(f, ", {} }}", text(&self.workload))
    }
}

/// All that a store has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The live jobs and schedules.
    pub jobs: BTreeMap<u64, Job>,
    /// What the last [`Change::Counter`] said.
    pub counter: u64,
}

impl Content {
    /// Does what the trait says of a change.
    pub fn apply(&mut self, change: &Change<'_>) {
        match change {
            Change::Add(job) => {
                self.jobs.entry(job.number).or_insert_with(|| job.into());
            }
            Change::End { number } => {
                self.jobs.remove(number);
            }
            Change::Returned { number, returns } => {
                if let Some(job) = self.jobs.get_mut(number) {
                    job.returns = *returns;
                }
            }
            Change::Counter { number } => self.counter = *number,
        }
    }
}

/// An open store with what it should have.
pub struct Opened<'a> {
    subject: &'a dyn Subject,
    /// `None` only while it is being opened anew.
    pub(super) store: Option<Box<dyn Store>>,
    /// What has been committed.
    pub model: Content,
    /// The highest number there ever was: the counter that a store says may be as high.
    highest: u64,
    batch: Batch,
}

impl<'a> Opened<'a> {
    /// Opens an empty place.
    ///
    /// # Errors
    /// When it cannot be opened, or is not empty.
    pub fn new(subject: &'a dyn Subject) -> Result<Self> {
        let (model, batch) = (Content::default(), Batch::new());
        let mut opened = Self { subject, store: None, model, highest: 0, batch };
        opened.reopen()?;
        Ok(opened)
    }

    /// The store.
    pub fn store(&mut self) -> Result<&mut Box<dyn Store>> {
        self.store.as_mut().context("the store could not be opened before")
    }

    /// A change for the next batch; both the store and the model get it by [`Opened::commit`].
    pub fn push(&mut self, change: &Change<'_>) {
        self.batch.push(change);
    }

    /// A new job for the next batch.
    pub fn add(&mut self, job: &Job) {
        self.batch.push(&Change::Add(job.stored()));
    }

    /// The end of a job for the next batch.
    pub fn end(&mut self, number: u64) {
        self.batch.push(&Change::End { number });
    }

    /// Makes the batch durable.
    ///
    /// # Errors
    /// Those of the store.
    pub fn commit(&mut self) -> Result<()> {
        self.commit_times(1)
    }

    /// Makes the batch durable several times, as after a commit whose answer was lost.
    ///
    /// # Errors
    /// Those of the store.
    pub fn commit_times(&mut self, times: usize) -> Result<()> {
        let store = self.store.as_mut().context("the store could not be opened before")?;
        for time in 1..=times {
            store.commit(&self.batch).with_context(|| format!("commit {time} of {times}"))?;
        }
        for change in self.batch.changes() {
            self.model.apply(&change);
            if let Change::Add(job) = &change {
                self.highest = self.highest.max(job.number);
            }
        }
        self.batch.clear();
        Ok(())
    }

    /// Drops the store without a word, opens it again, and compares.
    ///
    /// # Errors
    /// What differs, and whatever the store says.
    pub fn reopen(&mut self) -> Result<Vec<u64>> {
        self.store = None;
        let mut store = open_soon(self.subject).context("open")?;
        let mut found = Content::default();
        let mut order = Vec::new();
        let mut ended_with_counter = false;
        store
            .replay(&mut |change| {
                if let Change::Add(job) = change {
                    order.push(job.number);
                }
                ended_with_counter = matches!(change, Change::Counter { .. });
                found.apply(change);
                Ok(())
            })
            .context("replay")?;
        self.store = Some(store);
        ensure!(ended_with_counter, "no counter at the end of the replay");
        self.compare(&found)?;
        // Ended ones may be told as well.
        order.retain(|number| found.jobs.contains_key(number));
        schedules_come_first(&order, &found)?;
        Ok(order)
    }

    fn compare(&self, found: &Content) -> Result<()> {
        for (number, job) in &self.model.jobs {
            match found.jobs.get(number) {
                None => bail!("{job:?} is lost"),
                Some(other) => ensure!(job == other, "{job:?}\nhas become\n{other:?}"),
            }
        }
        for (number, job) in &found.jobs {
            ensure!(self.model.jobs.contains_key(number), "{job:?} should not be there");
        }
        let said = self.model.counter;
        let allowed = said..=said.max(self.highest);
        ensure!(allowed.contains(&found.counter), "the counter is {}, not in {allowed:?}", found.counter);
        Ok(())
    }
}

/// The server builds the queue in one pass.
fn schedules_come_first(order: &[u64], found: &Content) -> Result<()> {
    let mut seen = Vec::new();
    for number in order {
        let Some(job) = found.jobs.get(number) else { continue };
        if job.cron.is_some() {
            seen.push(*number);
        }
        let there = found.jobs.contains_key(&job.schedule);
        ensure!(!there || seen.contains(&job.schedule), "{job:?} comes before its schedule");
    }
    Ok(())
}

/// The end of a replay that an error of the caller's makes.
pub(super) fn stop(text: &str) -> StoreError {
    StoreError::new(lineshaft::store::StoreErrorKind::Settings, text)
}
