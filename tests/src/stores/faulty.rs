//! Stores that do wrong: the body must tell.

use lineshaft::store::{Batch, Change, Each, Store, StoreError, StoredJob};
use lineshaft::types::{Data, Priority};

use super::{Job, Memory, Subject};

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Fault {
    LosesEnds,
    LosesReturns,
    LosesTheCounter,
    KeepsTheHighestCounter,
    SaysNoCounter,
    LosesTheLastOfABatch,
    NewNumbersReplaceOld,
    CutsAtNul,
    EmptyIsNothing,
    NamesAreText,
    SameUniqueSameJob,
    TimesHave32Bits,
    AllNormal,
    BackToFront,
    GoesOnAfterAnError,
    LosesLargeOnes,
    MayBeOpenedTwice,
    TidyNeverEnds,
    AddsTwiceWhatComesTwice,
}

/// All of them.
pub const FAULTS: &[Fault] = &[
    Fault::LosesEnds,
    Fault::LosesReturns,
    Fault::LosesTheCounter,
    Fault::KeepsTheHighestCounter,
    Fault::SaysNoCounter,
    Fault::LosesTheLastOfABatch,
    Fault::NewNumbersReplaceOld,
    Fault::CutsAtNul,
    Fault::EmptyIsNothing,
    Fault::NamesAreText,
    Fault::SameUniqueSameJob,
    Fault::TimesHave32Bits,
    Fault::AllNormal,
    Fault::BackToFront,
    Fault::GoesOnAfterAnError,
    Fault::LosesLargeOnes,
    Fault::MayBeOpenedTwice,
    Fault::TidyNeverEnds,
    Fault::AddsTwiceWhatComesTwice,
];

/// A place in memory whose store does one thing wrong.
pub struct Faulty {
    memory: Memory,
    fault: Fault,
}

impl Faulty {
    /// An empty one.
    pub fn new(fault: Fault) -> Self {
        Self { memory: Memory::default(), fault }
    }
}

impl Subject for Faulty {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let inner = match self.fault {
            Fault::MayBeOpenedTwice => self.memory.open_again(),
            _ => self.memory.open()?,
        };
        Ok(Box::new(Wrong { inner, fault: self.fault, highest: 0 }))
    }
}

struct Wrong {
    inner: Box<dyn Store>,
    fault: Fault,
    highest: u64,
}

impl Wrong {
    /// What it makes of a job; `None` where it loses it.
    fn spoil<'a>(&self, job: StoredJob<'a>) -> Option<StoredJob<'a>> {
        let spoilt = match self.fault {
            Fault::CutsAtNul => {
                let workload = job.workload.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
                StoredJob { workload: workload.into(), ..job }
            }
            Fault::EmptyIsNothing => StoredJob { reducer: job.reducer.filter(|it| !it.is_empty()), ..job },
            Fault::NamesAreText if std::str::from_utf8(job.unique).is_err() => {
                StoredJob { unique: b"?", ..job }
            }
            Fault::TimesHave32Bits => StoredJob { due: u64::from(job.due as u32), ..job },
            Fault::AllNormal => StoredJob { priority: Priority::Normal, ..job },
            Fault::LosesLargeOnes if job.workload.len() >= Data::SHARE_FROM => return None,
            _ => job,
        };
        Some(spoilt)
    }

    fn has(&mut self, like: impl Fn(&StoredJob<'_>) -> bool) -> bool {
        let mut found = false;
        let replayed = self.inner.replay(&mut |change| {
            found |= matches!(change, Change::Add(job) if like(job));
            Ok(())
        });
        found && replayed.is_ok()
    }

    fn add(&mut self, job: StoredJob<'_>, batch: &mut Batch) {
        let fault = self.fault;
        match fault {
            Fault::NewNumbersReplaceOld => {
                let mut end = Batch::new();
                end.push(&Change::End { number: job.number });
                // The memory never fails.
                let _ = self.inner.commit(&end);
            }
            Fault::SameUniqueSameJob if self.has(|other| other.unique == job.unique) => return,
            Fault::AddsTwiceWhatComesTwice if self.has(|other| other.number == job.number) => {
                let number = job.number + 1_000_000;
                return batch.push(&Change::Add(StoredJob { number, ..job }));
            }
            _ => {}
        }
        batch.push(&Change::Add(job));
    }
}

impl Store for Wrong {
    fn describe(&self) -> String {
        format!("{:?}", self.fault)
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let mut jobs = Vec::new();
        let mut counter = 0;
        self.inner.replay(&mut |change| {
            match change {
                Change::Add(job) => jobs.push(Job::from(job)),
                Change::Counter { number } => counter = *number,
                _ => {}
            }
            Ok(())
        })?;
        if self.fault == Fault::BackToFront {
            jobs.reverse();
        }
        let mut answer = Ok(());
        for job in &jobs {
            answer = answer.and(each(&Change::Add(job.stored())));
            if self.fault != Fault::GoesOnAfterAnError {
                answer.clone()?;
            }
        }
        answer?;
        match self.fault {
            Fault::SaysNoCounter => Ok(()),
            _ => each(&Change::Counter { number: counter }),
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut left = Batch::new();
        let last = if self.fault == Fault::LosesTheLastOfABatch {
            batch.len() - batch.len().min(1)
        } else {
            batch.len()
        };
        for change in batch.changes().take(last) {
            match (self.fault, change) {
                (Fault::LosesEnds, Change::End { .. })
                | (Fault::LosesReturns, Change::Returned { .. })
                | (Fault::LosesTheCounter, Change::Counter { .. }) => {}
                (Fault::KeepsTheHighestCounter, Change::Counter { number }) => {
                    self.highest = self.highest.max(number);
                    left.push(&Change::Counter { number: self.highest });
                }
                (_, Change::Add(job)) => {
                    if let Some(job) = self.spoil(job) {
                        self.add(job, &mut left);
                    }
                }
                (_, change) => left.push(&change),
            }
        }
        self.inner.commit(&left)
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        Ok(self.fault == Fault::TidyNeverEnds)
    }
}
