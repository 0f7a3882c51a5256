//! The log itself, over any folder: what it knows of its segments, and how they come to be.

use std::io;
use std::path::PathBuf;

use super::LogSettings;
use super::error;
use super::files::{File, Folder};
use super::finding::Finding;
use super::format::{self, HEADER};
use super::survey::Survey;
use crate::store::{Change, Each, StoreError, StoreErrorKind};

/// What the names of damaged segments end with that were set aside.
const ASIDE: &str = ".damaged";

/// A log.
pub(super) struct Engine<F: Folder> {
    pub(super) folder: F,
    /// For sentences.
    pub(super) path: PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) mark: u64,
    /// What was there when it was opened; taken when it is read.
    survey: Option<Survey>,
    pub(super) findings: Vec<Finding>,
    /// The segment that is appended to; `None` before the first commit, and after one that failed.
    pub(super) active: Option<Active<F::File>>,
    /// A segment made ahead of need.
    pub(super) spare: Option<Active<F::File>>,
    /// The last segment with valid bytes, and where these end.
    pub(super) tail: (u64, u64),
    /// The sequence of the next segment.
    pub(super) next_segment: u64,
    /// The sequence of the last batch.
    pub(super) batch: u64,
    pub(super) counter: u64,
    /// Memory for commits.
    pub(super) buffer: Vec<u8>,
    /// What is to be done with files when there is time.
    pub(super) chores: Vec<Chore>,
}

/// A segment that is open for writing.
pub(super) struct Active<T> {
    pub(super) file: T,
    pub(super) sequence: u64,
    /// Bytes that were written; 0 where not even the header was.
    pub(super) end: u64,
    /// Bytes that it has room for.
    pub(super) bytes: u64,
}

/// Something that frees room, in any order, at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// A segment gets no more batches.
    Cut { sequence: u64, end: u64 },
    /// A file counts for nothing.
    Remove(String),
    /// A file cannot be read, and is kept for people to look at.
    SetAside(String),
}

impl<F: Folder> Engine<F> {
    /// Looks at what is there. `mark` is for a log that begins.
    pub(super) fn open(mut folder: F, settings: &LogSettings, mark: u64) -> Result<Self, StoreError> {
        let survey = Survey::new(&mut folder, &settings.path)?;
        Ok(Self {
            folder,
            path: settings.path.clone(),
            segment_bytes: settings.segment_bytes,
            mark: survey.mark.unwrap_or(mark | 0x0101_0101_0101_0101),
            next_segment: survey.last + 1,
            survey: Some(survey),
            findings: Vec::new(),
            active: None,
            spare: None,
            tail: (0, 0),
            batch: 0,
            counter: 0,
            buffer: Vec::new(),
            chores: Vec::new(),
        })
    }

    /// Reads all that is there, and gets ready for the first commit.
    pub(super) fn replay(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let Some(survey) = self.survey.take() else {
            return Err(StoreError::new(
                StoreErrorKind::Settings,
                format!("the log {} is replayed once: open it again.", self.path.display()),
            ));
        };
        match self.read_all(&survey, each) {
            Ok(()) => {}
            Err(error) => {
                // It is as it was.
                self.survey = Some(survey);
                self.findings.clear();
                return Err(error);
            }
        }
        each(&Change::Counter { number: self.counter })?;
        self.chores.extend(survey.leftovers.into_iter().map(Chore::Remove));
        match self.make_spare() {
            // Who only reads needs no room; a commit says so again.
            Err(error) if error.kind() != io::ErrorKind::StorageFull => {
                Err(self.io("make a segment", &error))
            }
            _ => Ok(()),
        }
    }

    fn read_all(&mut self, survey: &Survey, each: Each<'_>) -> Result<(), StoreError> {
        (self.tail, self.batch, self.counter) = ((0, 0), 0, 0);
        for segment in &survey.segments {
            let name = format::name(segment.sequence);
            let counter = &mut self.counter;
            if let Some(header) = segment.header {
                *counter = header.counter;
            }
            let path = &self.path;
            let mut each = |record: &[u8]| {
                let change =
                    Change::decode(record).map_err(|error| error::unreadable(path, &name, &error))?;
                match change {
                    Change::Counter { number } => *counter = number,
                    Change::Add(ref job) => *counter = job.number.max(*counter),
                    _ => {}
                }
                each(&change)
            };
            let findings = &mut self.findings;
            let outcome = segment.read(&mut self.folder, path, self.mark, findings, &mut each)?;
            if outcome.end == 0 {
                self.chores.push(if outcome.damaged { Chore::SetAside(name) } else { Chore::Remove(name) });
                continue;
            }
            self.tail = (segment.sequence, outcome.end);
            self.batch = outcome.batch.max(self.batch);
            if outcome.len > outcome.end || segment.limit.is_none() {
                // What a killed server has written need not be on the disk yet.
                let cut = self.folder.cut(&name, outcome.end);
                cut.map_err(|error| self.io(&format!("cut off the end of {name}"), &error))?;
            }
        }
        // The names as well.
        self.folder.sync().map_err(|error| self.io("sync the directory", &error))
    }

    /// True after [`Engine::replay`].
    pub(super) fn is_read(&self) -> bool {
        self.survey.is_none()
    }

    /// Makes a segment ahead of need, where there is none.
    pub(super) fn make_spare(&mut self) -> io::Result<()> {
        if self.spare.is_none() {
            self.spare = Some(self.make_segment(self.segment_bytes)?);
        }
        Ok(())
    }

    /// Makes a file with room for so many bytes, which the next segment can be written to.
    pub(super) fn make_segment(&mut self, bytes: u64) -> io::Result<Active<F::File>> {
        let sequence = self.next_segment;
        let name = format::name(sequence);
        let mut file = self.folder.create(&name)?;
        self.next_segment += 1;
        let made = file.allocate(bytes).and_then(|()| file.sync_all()).and_then(|()| self.folder.sync());
        if let Err(error) = made {
            drop(file);
            if self.folder.remove(&name).is_err() {
                self.chores.push(Chore::Remove(name));
            }
            return Err(error);
        }
        Ok(Active { file, sequence, end: 0, bytes })
    }

    /// One piece of what can wait; true where there is more.
    pub(super) fn tidy(&mut self) -> Result<bool, StoreError> {
        if !self.is_read() {
            return Ok(false);
        }
        if self.spare.is_none() {
            self.make_spare().map_err(|error| self.io("make a segment", &error))?;
            return Ok(true);
        }
        if let Some(chore) = self.chores.last() {
            let done = match chore {
                Chore::Cut { sequence, end } => self.folder.cut(&format::name(*sequence), *end),
                Chore::SetAside(name) => self.folder.rename(name, &format!("{name}{ASIDE}")),
                Chore::Remove(name) => match self.folder.remove(name) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                },
            };
            done.map_err(|error| self.io("clear away what is no longer needed", &error))?;
            self.chores.pop();
            return Ok(true);
        }
        Ok(false)
    }

    /// Frees what was made ahead of need. Where it fails, the next one to open the log does it.
    pub(super) fn close(&mut self) {
        if let Some(spare) = self.spare.take() {
            drop(spare.file);
            let _ = self.folder.remove(&format::name(spare.sequence));
        }
        if let Some(active) = self.active.take().filter(|active| active.end > HEADER as u64) {
            drop(active.file);
            let _ = self.folder.cut(&format::name(active.sequence), active.end);
        }
    }

    pub(super) fn io(&self, doing: &str, error: &io::Error) -> StoreError {
        error::io(doing, &self.path, error)
    }
}
