//! What a store does, in the fewest lines: the body of tests is tried on it, and others are compared with it.

use lineshaft::store::{Batch, Change, Each, Store, StoreError, StoreErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Content, Subject};

/// A place in memory. It lasts as long as itself.
#[derive(Debug, Default)]
pub struct Memory(Arc<Mutex<Content>>);

impl Memory {
    /// Opens it, open or not.
    pub(super) fn open_again(&self) -> Box<dyn Store> {
        Box::new(Open(Arc::clone(&self.0)))
    }
}

impl Subject for Memory {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        if Arc::strong_count(&self.0) > 1 {
            return Err(StoreError::new(StoreErrorKind::Locked, "the memory is in use: close it first"));
        }
        Ok(self.open_again())
    }
}

struct Open(Arc<Mutex<Content>>);

impl Open {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Open {
    fn describe(&self) -> String {
        "memory".into()
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let content = self.content();
        for job in content.jobs.values() {
            each(&Change::Add(job.stored()))?;
        }
        each(&Change::Counter { number: content.counter })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut content = self.content();
        batch.changes().for_each(|change| content.apply(&change));
        Ok(())
    }
}
