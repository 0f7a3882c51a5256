//! The log: jobs and their ends, appended to segments in a directory of their own. `docs/log.md` has the format.

mod commit;
mod disk;
mod engine;
mod error;
mod files;
mod finding;
mod format;
mod jobs;
mod lock;
mod places;
mod rewrite;
mod scan;
mod survey;
mod window;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use self::disk::Disk;
use self::engine::Engine;
use self::lock::Lock;
use super::{Batch, Each, Store, StoreError, StoreErrorKind};

pub use self::finding::{Finding, What};

/// Where a log is, and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Its directory, which is made where it is missing. Nothing else should be in it.
    pub path: PathBuf,
    /// How large segments are, in bytes: 64 KiB to 4 GiB, 64 MiB by default. A batch that is larger makes its segment larger. The
    /// directory takes the room of two segments at least.
    pub segment_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { path: PathBuf::new(), segment_bytes: 64 << 20 }
    }
}

impl LogSettings {
    /// A log in a directory, all else by default.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    fn check(&self) -> Result<(), StoreError> {
        let refuse = |text: String| Err(StoreError::new(StoreErrorKind::Settings, text));
        if !(64 << 10..=4 << 30).contains(&self.segment_bytes) {
            return refuse(format!("segments of {} bytes: a log takes 64 KiB to 4 GiB.", self.segment_bytes));
        }
        if self.path.as_os_str().is_empty() {
            return refuse("a log has no directory: name one.".into());
        }
        Ok(())
    }
}

/// What a log is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments with batches.
    pub segments: usize,
    /// Bytes that these have, without room for batches to come.
    pub bytes: u64,
    /// What is wrong with them.
    pub findings: Vec<Finding>,
}

/// The log: a store in a directory of the file system.
///
/// A commit is one write and one `fdatasync`. After an error a new segment is begun with the next commit.
pub struct Log {
    engine: Engine<Disk>,
    _lock: Lock,
}

impl Log {
    /// Opens the log in a directory, and makes it where there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Locked`] while another server has it open, [`StoreErrorKind::Newer`] for a later format,
    /// [`StoreErrorKind::Io`] where the directory cannot be read or written, [`StoreErrorKind::Settings`] for a path that is no
    /// directory. What is there stays as it is.
    pub fn open(settings: LogSettings) -> Result<Self, StoreError> {
        settings.check()?;
        let path = &settings.path;
        if path.exists() && !path.is_dir() {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(error::io("keep files", path, &error));
        }
        Disk::make(path).map_err(|error| error::io("make the directory", path, &error))?;
        let lock = Lock::take(path)?;
        let engine = Engine::open(Disk::new(path.clone()), &settings, RandomState::new().hash_one(()))?;
        Ok(Self { engine, _lock: lock })
    }

    /// Hands what is in the log to `each`, as [`Store::replay`] does, and changes nothing, whatever is found.
    ///
    /// # Errors
    /// As [`Log::open`], and where there is no such directory. Those of `each`.
    pub fn read(path: &Path, each: Each<'_>) -> Result<Report, StoreError> {
        LogSettings::at(path).check()?;
        let metadata = path.metadata().map_err(|error| error::io("read", path, &error))?;
        if !metadata.is_dir() {
            return Err(error::io("read", path, &io::ErrorKind::NotADirectory.into()));
        }
        let _lock = Lock::share(path)?;
        let mut engine = Engine::open(Disk::new(path.into()), &LogSettings::at(path), 0)?;
        engine.look_only(each)?;
        let places = &engine.places.list;
        Ok(Report {
            segments: places.len(),
            bytes: places.iter().map(|place| place.end).sum(),
            findings: std::mem::take(&mut engine.findings),
        })
    }

    /// What was found damaged or torn when it was replayed.
    pub fn findings(&self) -> &[Finding] {
        &self.engine.findings
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Log").field(&self.engine.path).finish()
    }
}

impl Store for Log {
    fn describe(&self) -> String {
        format!("log {}", self.engine.path.display())
    }

    fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        self.engine.replay(each)?;
        for finding in &self.engine.findings {
            tracing::warn!(target: "lineshaft::store", "log {}: {finding}", self.engine.path.display());
        }
        Ok(())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.engine.commit(batch)
    }

    fn max_job(&self) -> usize {
        // With its head a record is to stay below 4 GiB.
        (u32::MAX - 1024) as usize
    }

    fn tidy(&mut self) -> Result<bool, StoreError> {
        self.engine.tidy()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.engine.close();
    }
}

#[cfg(test)]
mod tests;
