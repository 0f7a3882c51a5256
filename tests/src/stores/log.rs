//! Our own log, in a directory that goes away.

use anyhow::Result;
use lineshaft::store::{Log, LogSettings, Store, StoreError};

use super::Subject;

/// A directory for a log.
pub(super) struct Folder {
    directory: tempfile::TempDir,
    segment_bytes: u64,
}

impl Folder {
    pub(super) fn new(segment_bytes: u64) -> Result<Self> {
        Ok(Self { directory: tempfile::tempdir()?, segment_bytes })
    }
}

impl Subject for Folder {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let settings =
            LogSettings { path: self.directory.path().join("queue"), segment_bytes: self.segment_bytes };
        Ok(Box::new(Log::open(settings)?))
    }
}
