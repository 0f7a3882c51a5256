//! Jobs on their way from one place to another: all of them in memory, as a server has them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::Args;
use lineshaft::store::{Change, StoreError, StoreErrorKind, StoredJob};

/// Which jobs are meant.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Filter {
    /// Only jobs and schedules of this function; may be repeated.
    #[arg(short, long = "function", value_name = "NAME")]
    pub(super) functions: Vec<OsString>,
}

impl Filter {
    pub(super) fn takes(&self, job: &StoredJob<'_>) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|name| name.as_bytes() == job.function)
    }
}

/// Jobs and schedules by their numbers.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    filter: Filter,
    /// As [`Change::encode`] makes them, with their workloads.
    records: BTreeMap<u64, Box<[u8]>>,
    /// The highest number that may have been used where they come from.
    counter: u64,
    /// Where they come from, something that is not known was lost.
    pub(super) damaged: bool,
}

/// How many there are, and of what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) jobs: usize,
    pub(super) schedules: usize,
    pub(super) functions: usize,
    /// Of workloads.
    pub(super) bytes: u64,
}

impl Jobs {
    pub(super) fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Takes what a store says of its content.
    pub(super) fn take(&mut self, change: &Change<'_>) -> Result<(), StoreError> {
        match change {
            Change::Add(job) if !self.filter.takes(job) => {}
            Change::Add(job) => {
                self.records.entry(job.number).or_insert_with(|| encoded(change));
            }
            Change::End { number } => {
                self.records.remove(number);
            }
            Change::Returned { number, returns } => {
                if let Some(record) = self.records.get_mut(number) {
                    let job = StoredJob { returns: *returns, ..decoded(record)? };
                    *record = encoded(&Change::Add(job));
                }
            }
            Change::Counter { number } => self.counter = *number,
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.records.contains_key(&number)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.records.keys().copied()
    }

    /// In the order of their numbers, from the first one above `number` on.
    pub(super) fn above(&self, number: u64) -> impl Iterator<Item = Result<StoredJob<'_>, StoreError>> {
        let records = self.records.range(number.saturating_add(1)..);
        records.map(|(_, record)| decoded(record))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<StoredJob<'_>, StoreError>> {
        self.above(0)
    }

    pub(super) fn get(&self, number: u64) -> Option<StoredJob<'_>> {
        decoded(self.records.get(&number)?).ok()
    }

    /// Forgets those up to this number.
    pub(super) fn drop_up_to(&mut self, number: u64) {
        self.records = self.records.split_off(&number.saturating_add(1));
    }

    /// The highest number of a job; 0 where there is none.
    pub(super) fn last(&self) -> u64 {
        self.records.last_key_value().map_or(0, |(last, _)| *last)
    }

    /// The highest number that may have been used.
    pub(super) fn highest(&self) -> u64 {
        self.last().max(self.counter)
    }

    /// What tells these jobs from others.
    pub(super) fn fingerprint(&self) -> u64 {
        self.records.values().fold(FNV, |hash, record| fnv(fnv(hash, &record.len().to_le_bytes()), record))
    }

    pub(super) fn sums(&self) -> Result<Sums, StoreError> {
        let mut sums = Sums::default();
        let mut functions = BTreeSet::new();
        for job in self.iter() {
            let job = job?;
            match job.cron {
                Some(_) => sums.schedules += 1,
                None => sums.jobs += 1,
            }
            sums.bytes += job.workload.len() as u64;
            functions.insert(job.function);
        }
        sums.functions = functions.len();
        Ok(sums)
    }
}

impl std::fmt::Display for Sums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { jobs, schedules, functions, bytes } = self;
        let s = |number: usize| if number == 1 { "" } else { "s" };
        write!(f, "{jobs} job{}", s(*jobs))?;
        if *schedules > 0 {
            write!(f, " and {schedules} schedule{}", s(*schedules))?;
        }
        write!(f, " of {functions} function{}, {bytes} bytes of workload", s(*functions))
    }
}

fn encoded(change: &Change<'_>) -> Box<[u8]> {
    let mut record = Vec::new();
    if let Some(workload) = change.encode(&mut record) {
        record.extend_from_slice(&workload);
    }
    record.into()
}

fn decoded(record: &[u8]) -> Result<StoredJob<'_>, StoreError> {
    // What `encoded` has made is an Add.
    match Change::decode(record) {
        Ok(Change::Add(job)) => Ok(job),
        other => Err(StoreError::new(StoreErrorKind::Damaged, format!("a record in memory is {other:?}"))),
    }
}

/// The Fowler-Noll-Vo hash: what it says is kept in files, so it must stay the same in all versions.
pub(super) const FNV: u64 = 0xcbf2_9ce4_8422_2325;

pub(super) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
pub(super) mod tests {
    use lineshaft::types::Data;

    use super::*;

    pub(in super::super) fn job(number: u64) -> StoredJob<'static> {
        StoredJob { unique: b"u", ..StoredJob::new(number, b"f", b"work") }
    }

    #[test]
    fn what_a_store_says_is_what_there_is() {
        let mut jobs = Jobs::new(Filter { functions: vec!["f".into()] });
        let large = vec![1; 100_000];
        for change in [
            Change::Add(StoredJob { workload: Data::Shared(large.clone().into()), ..job(5) }),
            Change::Add(job(2)),
            Change::Add(StoredJob { function: b"other", ..job(3) }),
            Change::Add(job(9)),
            Change::End { number: 9 },
            Change::Returned { number: 2, returns: 7 },
            Change::Returned { number: 3, returns: 7 },
            Change::Add(StoredJob { cron: Some(b"*"), ..job(8) }),
            Change::Counter { number: 20 },
        ] {
            jobs.take(&change).unwrap();
        }
        assert_eq!(jobs.numbers().collect::<Vec<_>>(), [2, 5, 8]);
        assert_eq!((jobs.get(2).unwrap().returns, jobs.highest()), (7, 20));
        assert_eq!(jobs.get(5).unwrap().workload, Data::from(&large));
        let sums = jobs.sums().unwrap();
        assert_eq!(sums.to_string(), "2 jobs and 1 schedule of 1 function, 100008 bytes of workload");
        let before = jobs.fingerprint();
        jobs.take(&Change::Returned { number: 2, returns: 8 }).unwrap();
        assert_ne!(jobs.fingerprint(), before);
        jobs.drop_up_to(5);
        assert_eq!(jobs.numbers().collect::<Vec<_>>(), [8]);
    }
}
