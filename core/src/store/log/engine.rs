//! The log itself, over any folder: what it knows of its segments, and how they come to be.

use std::io;
use std::path::PathBuf;

use super::LogSettings;
use super::error::{self, is_full};
use super::files::{File, Folder};
use super::finding::Finding;
use super::format::{self, ENTRY, HEADER};
use super::places::Places;
use super::rewrite::Rewrite;
use super::survey::Survey;
use crate::store::record::Kind;
use crate::store::{Change, Each, StoreError, StoreErrorKind};

/// Things to do that are remembered while none of them succeeds.
const MOST_CHORES: usize = 64;

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
    pub(super) places: Places,
    pub(super) rewrite: Option<Rewrite<F::File>>,
    pub(super) stopped: Stopped,
    /// Attempts to clear away since it was last said that all of that has stopped.
    pub(super) silenced: u32,
    /// Bytes that were committed since the last piece of clearing away.
    pub(super) owed: u64,
    /// What went wrong with clearing away during a commit.
    pub(super) trouble: Option<StoreError>,
}

/// Whether clearing away goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    No,
    /// It has failed, and is tried again when more was committed.
    Resting,
    /// It could lose jobs, until the log is opened again.
    Forever,
}

/// A segment that is open for writing.
pub(super) struct Active<T> {
    pub(super) file: T,
    pub(super) sequence: u64,
    /// Bytes that were written; 0 where not even the header was.
    pub(super) end: u64,
    /// Bytes that it has room for.
    pub(super) bytes: u64,
    /// Up to here zeros have been written over that room: a file system that has only promised it has to write down with each sync
    /// what of it is used now, which costs as much as the sync.
    pub(super) filled: u64,
}

/// What a look at all segments has found.
#[derive(Default)]
struct Looked {
    /// Which files to sync, and where they end: what a killed server has written need not be on the disk yet.
    ends: Vec<(String, u64)>,
    /// Files of which nothing can be read, which are kept for people to look at.
    unreadable: Vec<String>,
}

/// Something that frees room, in any order, at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// A segment gets no more batches.
    Cut { sequence: u64, end: u64 },
    /// A file counts for nothing.
    Remove(String),
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
            places: Places::default(),
            rewrite: None,
            stopped: Stopped::No,
            silenced: 0,
            owed: 0,
            trouble: None,
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
                self.chores.clear();
                self.places = Places::default();
                return Err(error);
            }
        }
        each(&Change::Counter { number: self.counter })?;
        self.chores.extend(survey.leftovers.into_iter().map(Chore::Remove));
        match self.make_spare() {
            // Who only reads needs no room; a commit says so again.
            Err(error) if !is_full(&error) => Err(self.io("make a segment", &error)),
            _ => Ok(()),
        }
    }

    fn read_all(&mut self, survey: &Survey, each: Each<'_>) -> Result<(), StoreError> {
        let looked = self.look(survey, each)?;
        for name in looked.unreadable {
            // Before anything is committed: whoever opens the log next could take it for something that is left over.
            let set_aside = self.link_aside(&name).and_then(|()| {
                self.folder.sync()?;
                self.folder.remove(&name)
            });
            set_aside.map_err(|error| self.io(&format!("set {name} aside"), &error))?;
        }
        for (name, end) in looked.ends {
            let cut = self.folder.cut(&name, end);
            cut.map_err(|error| self.io(&format!("cut off the end of {name}"), &error))?;
        }
        // The names are to be durable as well.
        self.folder.sync().map_err(|error| self.io("sync the directory", &error))
    }

    /// Reads all that is there, and changes nothing.
    fn look(&mut self, survey: &Survey, each: Each<'_>) -> Result<Looked, StoreError> {
        let mut looked = Looked::default();
        (self.tail, self.batch, self.counter) = ((0, 0), 0, 0);
        for segment in &survey.segments {
            let name = format::name(segment.sequence);
            let counter = &mut self.counter;
            if let Some(header) = segment.header {
                *counter = header.counter;
            }
            let mark = segment.header.map_or(self.mark, |header| header.mark);
            self.places.push(segment.sequence, mark);
            let (path, places) = (&self.path, &mut self.places);
            let mut each = |record: &[u8]| {
                let change =
                    Change::decode(record).map_err(|error| error::unreadable(path, &name, &error))?;
                match change {
                    Change::Counter { number } => *counter = number,
                    Change::Add(ref job) => *counter = job.number.max(*counter),
                    _ => {}
                }
                if let Some((kind, number)) = Kind::of(record) {
                    places.record(kind, number, (record.len() + ENTRY) as u64);
                }
                each(&change)
            };
            let findings = &mut self.findings;
            let outcome = segment.read(&mut self.folder, path, self.mark, findings, &mut each)?;
            if outcome.end == 0 {
                self.places.list.pop();
                match outcome.damaged {
                    true => looked.unreadable.push(name),
                    false => self.chores.push(Chore::Remove(name)),
                }
                continue;
            }
            if let Some(place) = self.places.list.last_mut() {
                (place.end, place.damaged) = (outcome.end, outcome.damaged);
            }
            self.tail = (segment.sequence, outcome.end);
            self.batch = outcome.batch.max(self.batch);
            if outcome.len > outcome.end || segment.limit.is_none() {
                // A damaged one is set aside as it is.
                looked.ends.push((name, if outcome.damaged { outcome.len } else { outcome.end }));
            }
        }
        Ok(looked)
    }

    /// Hands what is there to `each`, and changes nothing. Once, and nothing else after it.
    pub(super) fn look_only(&mut self, each: Each<'_>) -> Result<(), StoreError> {
        let survey = self.survey.take().unwrap_or_default();
        self.look(&survey, &mut *each)?;
        each(&Change::Counter { number: self.counter })
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
        // Never twice: what has failed may have left the name.
        let sequence = self.next_segment;
        self.next_segment += 1;
        let name = format::name(sequence);
        let filled = self.step_bytes().min(bytes);
        let mut file = self.folder.create(&name)?;
        let made = file.allocate(bytes).and_then(|()| {
            file.fill(0, filled)?;
            file.sync_all()?;
            self.folder.sync()
        });
        if let Err(error) = made {
            // What is left over the next one to open the log finds as well.
            if self.folder.remove(&name).is_err() && self.chores.len() < MOST_CHORES {
                self.chores.push(Chore::Remove(name));
            }
            return Err(error);
        }
        Ok(Active { file, sequence, end: 0, bytes, filled })
    }

    /// One piece of what can wait; true where there is more.
    pub(super) fn tidy(&mut self) -> Result<bool, StoreError> {
        match self.trouble.take() {
            Some(error) => Err(error),
            None if !self.is_read() || self.stopped == Stopped::Resting => Ok(false),
            None => Ok(self.fill(self.step_bytes())? || self.piece()?),
        }
    }

    /// So many bytes were committed: a server that never rests clears away as it goes.
    pub(super) fn pay(&mut self, bytes: u64) {
        /// A step reads so many times what was committed for it, and frees half of that at least.
        const RATE: u64 = 4;
        /// So much rarer it is tried while it fails.
        const RESTING: u64 = 256;
        self.owed += bytes;
        if let Err(error) = self.fill(self.step_bytes() / 4) {
            self.trouble = Some(error);
        }
        let price = self.step_bytes() / RATE;
        if self.stopped == Stopped::Resting {
            if self.owed < price * RESTING {
                return;
            }
            self.owed = price;
            self.stopped = Stopped::No;
        }
        while self.owed >= price {
            self.owed -= price;
            match self.piece() {
                Ok(true) => {}
                Ok(false) => self.owed %= price,
                Err(error) => {
                    self.trouble = Some(error);
                    return;
                }
            }
        }
    }

    /// Writes zeros ahead of the batches to come where there are fewer than `ahead`.
    pub(super) fn fill(&mut self, ahead: u64) -> Result<bool, StoreError> {
        let step = self.step_bytes();
        let Some(active) = &mut self.active else { return Ok(false) };
        active.filled = active.filled.max(active.end);
        let bytes = step.min(active.bytes - active.filled);
        if active.filled >= active.end + ahead || bytes == 0 {
            return Ok(false);
        }
        match active.file.fill(active.filled, bytes) {
            Ok(()) => {
                active.filled += bytes;
                Ok(true)
            }
            Err(error) => {
                // No segment is written to after an error.
                let active = self.active.take();
                self.retire(active);
                Err(self.io("write a segment", &error))
            }
        }
    }

    fn piece(&mut self) -> Result<bool, StoreError> {
        let done = match self.spare {
            Some(_) => self.clear(),
            None => match self.make_spare() {
                Ok(()) => Ok(true),
                // Clearing away makes room.
                Err(error) if is_full(&error) && self.clear() == Ok(true) => Ok(true),
                Err(error) => Err(self.io("make a segment", &error)),
            },
        };
        if done.is_err() && self.stopped == Stopped::No {
            self.stopped = Stopped::Resting;
        }
        done
    }

    pub(super) fn clear(&mut self) -> Result<bool, StoreError> {
        let Some(chore) = self.chores.pop() else { return self.clear_away() };
        let done = self.chore(&chore);
        if done.is_err() {
            self.chores.push(chore);
        }
        done.map(|()| true)
    }

    fn chore(&mut self, chore: &Chore) -> Result<(), StoreError> {
        match chore {
            Chore::Cut { sequence, end } => {
                let name = format::name(*sequence);
                match self.folder.cut(&name, *end) {
                    // Somebody has removed it: there is nothing left to cut.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(self.io(&format!("cut {name}"), &error))
                    }
                    _ => Ok(()),
                }
            }
            Chore::Remove(name) => {
                self.remove(name)?;
                self.sync_names()
            }
        }
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
