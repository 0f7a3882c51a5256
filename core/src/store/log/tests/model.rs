//! What a log should have, beside a log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::LogSettings;
use super::super::engine::Engine;
use super::memory::{Luck, Memory};
use crate::store::{Batch, Change, StoreError, StoredJob};

/// Live jobs: how often each was given back, and its workload.
pub(super) type Jobs = BTreeMap<u64, (u16, Vec<u8>)>;

pub(super) fn apply(jobs: &mut Jobs, change: &Change<'_>) {
    match change {
        Change::Add(job) => {
            jobs.entry(job.number).or_insert_with(|| (job.returns, job.workload.to_vec()));
        }
        Change::End { number } => drop(jobs.remove(number)),
        Change::Returned { number, returns } => {
            if let Some(job) = jobs.get_mut(number) {
                job.0 = *returns;
            }
        }
        Change::Counter { .. } => {}
    }
}

pub(super) fn add(number: u64, workload: &[u8]) -> Change<'_> {
    Change::Add(StoredJob::new(number, b"f", workload))
}

pub(super) fn batch(changes: &[Change<'_>]) -> Batch {
    let mut batch = Batch::new();
    changes.iter().for_each(|change| batch.push(change));
    batch
}

/// How large the segments of these tests are.
pub(super) const SEGMENT: u64 = 2048;

pub(super) fn open(memory: &Memory) -> Result<Engine<Memory>, StoreError> {
    let settings = LogSettings { path: PathBuf::from("memory"), segment_bytes: SEGMENT };
    Engine::open(memory.clone(), &settings, 0x1234_5678_9abc_def1)
}

/// Opens and reads it.
pub(super) fn reopen(memory: &Memory) -> Result<(Engine<Memory>, Jobs, u64), StoreError> {
    let mut engine = open(memory)?;
    let (mut jobs, mut counter) = (Jobs::new(), 0);
    engine.replay(&mut |change| {
        apply(&mut jobs, change);
        if let Change::Counter { number } = change {
            counter = *number;
        }
        Ok(())
    })?;
    Ok((engine, jobs, counter))
}

/// A server that adds, ends and gives back jobs.
pub(super) struct Server {
    pub(super) luck: Luck,
    /// The last number that was used.
    pub(super) number: u64,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        Self { luck: Luck(seed), number: 0 }
    }

    /// Something that could happen to these jobs. Those that come last live shortest, but not all.
    pub(super) fn batch(&mut self, jobs: &Jobs) -> Batch {
        let mut batch = Batch::new();
        let luck = &mut self.luck;
        for _ in 0..=luck.below(4) {
            self.number += 1 + luck.below(2);
            let len = if luck.below(40) == 0 { 3000 } else { luck.below(120) };
            let workload = vec![self.number as u8; len as usize];
            batch.push(&add(self.number, &workload));
        }
        let numbers: Vec<u64> = jobs.keys().copied().collect();
        for _ in 0..luck.below(5).min(numbers.len() as u64) {
            let number = numbers[luck.below(numbers.len() as u64) as usize];
            if luck.below(4) == 0 {
                let returns = luck.below(60_000) as u16;
                batch.push(&Change::Returned { number, returns });
            } else if luck.below(20) > 0 {
                batch.push(&Change::End { number });
            }
        }
        batch.push(&Change::Counter { number: self.number });
        batch
    }

    /// What a batch makes of jobs.
    pub(super) fn after(jobs: &Jobs, batch: &Batch) -> Jobs {
        let mut jobs = jobs.clone();
        batch.changes().for_each(|change| apply(&mut jobs, &change));
        jobs
    }

    /// The batch that follows one that has failed: the same, or one without its new jobs.
    pub(super) fn again(&mut self, batch: Batch) -> Batch {
        let mut batch = batch;
        if self.luck.below(2) == 0 {
            let adds: Vec<u64> = batch
                .changes()
                .filter(|change| matches!(change, Change::Add(_)))
                .map(|change| change.number())
                .collect();
            for number in adds {
                batch.give_up(number);
            }
        }
        batch
    }
}
