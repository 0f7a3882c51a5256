//! An SQLite file in a folder of its own.

use anyhow::{Context, Result};
use lineshaft::store::{self, Store, StoreError};
use tempfile::TempDir;

use super::Subject;

struct File(TempDir);

pub(super) fn subject() -> Result<Box<dyn Subject>> {
    Ok(Box::new(File(tempfile::tempdir().context("a temporary folder")?)))
}

impl Subject for File {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        store::open(&format!("sqlite:{}", self.0.path().join("queue.db").display()))
    }
}
