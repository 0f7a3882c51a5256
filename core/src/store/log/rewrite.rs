//! Clearing away what is no longer needed, in small steps.
//!
//! A segment of which nothing is needed is removed. One of which little is needed is written anew, under another name, and
//! renamed when it is whole and durable; that takes the place of the old one in one step, so that a crash finds either. Of many
//! small segments one is made, in the place of the first; the others are then removed in their order, each durably before the
//! next: until then their jobs are there twice, which is no harm, and none of their Ends goes before a job that it ends.
//!
//! The last segment is never touched. All stops while a segment that is no longer written to has bytes behind its valid end, as
//! it is the next segment's header that says so.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::ops::Range;

use super::engine::{Engine, Stopped};
use super::error;
use super::files::{File, Folder};
use super::format::{self, ENTRY, HEAD, HEADER, Head, Header, Origin};
use super::places::Place;
use super::scan::{Found, Scanner};
use super::survey::UNFINISHED;
use crate::store::StoreError;
use crate::store::record::Kind;

/// What the names of damaged segments end with that were set aside.
pub(super) const ASIDE: &str = ".damaged";
/// Jobs whose last Returned is remembered while a segment is written anew; where there are more, some are written more than once.
const RETURNED: usize = 1 << 16;

/// Some segments that are being written anew.
pub(super) struct Rewrite<T> {
    /// Which of the list of segments.
    range: Range<usize>,
    /// The next one of them to read.
    next: usize,
    source: Option<Scanner<T>>,
    file: T,
    end: u64,
    /// The next batch's sequence.
    batch: u64,
    records: Records,
    returned: BTreeMap<u64, Vec<u8>>,
    /// Whether anything was kept.
    kept: bool,
}

/// How a step went.
enum Step {
    More,
    Done,
    /// A segment is no longer what it was, from this place on.
    Damaged(u64),
    /// A segment cannot be read.
    Unreadable(io::Error),
}

/// Records for the next batch.
#[derive(Default)]
struct Records {
    table: Vec<u8>,
    bytes: Vec<u8>,
    count: u32,
}

impl Records {
    fn push(&mut self, record: &[u8]) {
        let entry = self.table.len();
        self.table.resize(entry + ENTRY, 0);
        // It was read from a table with lengths of 32 bits.
        format::put_entry(&mut self.table[entry..], record.len() as u32, crc32c::crc32c(record));
        self.bytes.extend_from_slice(record);
        self.count += 1;
    }

    /// Writes them as a batch.
    fn write(&mut self, file: &mut impl File, mark: u64, sequence: u64) -> io::Result<u64> {
        let mut head = vec![0; HEAD];
        head.append(&mut self.table);
        Head::seal(&mut head, mark, sequence, self.count, self.bytes.len() as u64);
        file.write(&mut [IoSlice::new(&head), IoSlice::new(&self.bytes)])?;
        file.sync_data()?;
        let bytes = (head.len() + self.bytes.len()) as u64;
        *self = Self::default();
        Ok(bytes)
    }
}

impl<F: Folder> Engine<F> {
    /// Bytes that one step reads and writes, about.
    pub(super) fn step_bytes(&self) -> u64 {
        (self.segment_bytes / 64).clamp(512, 1 << 20)
    }

    /// One step; true where there is more to do.
    pub(super) fn clear_away(&mut self) -> Result<bool, StoreError> {
        if self.stopped == Stopped::Forever {
            return self.remind().map(|()| false);
        }
        if self.rewrite.is_some() {
            return self.go_on().map(|()| true);
        }
        let dead: Vec<(u64, u64)> = self.places.dead().map(|it| (it.id, it.sequence)).take(16).collect();
        if !dead.is_empty() {
            return self.remove_dead(&dead).map(|()| true);
        }
        match self.places.wasteful(self.segment_bytes) {
            Some(range) => self.begin(range).map(|()| true),
            None => Ok(false),
        }
    }

    /// Whoever looks at the log of the server much later is to see it, too.
    fn remind(&mut self) -> Result<(), StoreError> {
        /// Attempts from one alarm to the next.
        const REMINDERS: u32 = 1 << 14;
        self.silenced = (self.silenced + 1) % REMINDERS;
        if self.silenced == 0 { Err(error::stopped(&self.path)) } else { Ok(()) }
    }

    fn remove_dead(&mut self, dead: &[(u64, u64)]) -> Result<(), StoreError> {
        for (_, sequence) in dead {
            self.remove(&format::name(*sequence))?;
        }
        self.sync_names()?;
        let ids: Vec<u64> = dead.iter().map(|(id, _)| *id).collect();
        self.places.remove(&ids);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        match self.folder.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.io(&format!("remove {name}"), &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes names durable. Where that fails nobody knows which files a crash would leave: no record may go any more.
    pub(super) fn sync_names(&mut self) -> Result<(), StoreError> {
        self.folder.sync().map_err(|error| {
            self.stopped = Stopped::Forever;
            self.io("sync the directory", &error)
        })
    }

    fn begin(&mut self, range: Range<usize>) -> Result<(), StoreError> {
        let first = &self.places.list[range.start];
        let sequence = first.sequence;
        let before = range.start.checked_sub(1).map(|at| &self.places.list[at]);
        let (previous, previous_end) = before.map_or((0, 0), |it| (it.sequence, it.end));
        let header = Header {
            origin: Origin::Rewritten,
            sequence,
            mark: self.mark,
            previous,
            previous_end,
            counter: self.counter,
        };
        let name = unfinished(sequence);
        self.remove(&name)?;
        let begun = self.folder.create(&name).and_then(|mut file| {
            file.write(&mut [IoSlice::new(&header.encode())])?;
            Ok(file)
        });
        match begun {
            Ok(file) => {
                self.places.begin_draft(sequence, self.mark);
                self.rewrite = Some(Rewrite {
                    next: range.start,
                    range,
                    source: None,
                    file,
                    end: HEADER as u64,
                    batch: 1,
                    records: Records::default(),
                    returned: BTreeMap::new(),
                    kept: false,
                });
                Ok(())
            }
            Err(error) => {
                let _ = self.folder.remove(&name);
                Err(self.io(&format!("write {name}"), &error))
            }
        }
    }

    /// One step of what was begun. Where it fails, what was written counts for nothing.
    fn go_on(&mut self) -> Result<(), StoreError> {
        let Some(mut rewrite) = self.rewrite.take() else { return Ok(()) };
        let name = unfinished(self.places.list[rewrite.range.start].sequence);
        match self.step(&mut rewrite) {
            Ok(Step::More) => {
                self.rewrite = Some(rewrite);
                Ok(())
            }
            Ok(Step::Done) => {
                let Rewrite { range, end, kept, .. } = rewrite;
                if !self.places.draft_has_all(&range) {
                    // What is missing may still be read from the old files when the log is opened again.
                    self.stopped = Stopped::Forever;
                    self.give_up(&name);
                    return Err(error::incomplete(&self.path, &name));
                }
                self.put_in_place(range, kept.then_some(end), &name)
            }
            Ok(Step::Unreadable(error)) => {
                let place = &mut self.places.list[rewrite.next];
                place.stuck = true;
                let unreadable = format::name(place.sequence);
                drop(rewrite);
                self.give_up(&name);
                Err(self.io(&format!("read {unreadable}"), &error))
            }
            Ok(Step::Damaged(offset)) => {
                let place = &mut self.places.list[rewrite.next];
                place.damaged = true;
                let damaged = format::name(place.sequence);
                drop(rewrite);
                self.give_up(&name);
                Err(error::damaged(&self.path, &damaged, offset))
            }
            Err(error) => {
                drop(rewrite);
                self.give_up(&name);
                Err(self.io(&format!("write {name}"), &error))
            }
        }
    }

    /// What was written counts for nothing.
    fn give_up(&mut self, name: &str) {
        self.places.drop_draft();
        let _ = self.folder.remove(name);
    }

    /// Copies what is needed.
    fn step(&mut self, rewrite: &mut Rewrite<F::File>) -> io::Result<Step> {
        let budget = self.step_bytes();
        let mut read = 0;
        while read < budget && (rewrite.records.bytes.len() as u64) < budget {
            let Some(source) = &mut rewrite.source else {
                if rewrite.next == rewrite.range.end {
                    return self.finish(rewrite).map(|()| Step::Done);
                }
                let Place { sequence, mark, end, .. } = self.places.list[rewrite.next];
                let opened = self.folder.open(&format::name(sequence));
                match opened.and_then(|file| Scanner::new(file, mark, end)) {
                    Ok(source) => rewrite.source = Some(source),
                    Err(error) => return Ok(Step::Unreadable(error)),
                }
                continue;
            };
            let before = source.offset();
            let Place { end, damaged, .. } = self.places.list[rewrite.next];
            let mut keep = |record: &[u8]| {
                let Some((kind, number)) = Kind::of(record) else { return };
                let len = (record.len() + ENTRY) as u64;
                if !self.places.keep(&rewrite.range, rewrite.next, (kind, number, len)) {
                } else if kind == Kind::Returned
                    && (rewrite.returned.len() < RETURNED || rewrite.returned.contains_key(&number))
                {
                    // Only the last one counts.
                    rewrite.returned.insert(number, record.to_vec());
                } else {
                    rewrite.records.push(record);
                }
            };
            let found = match source.next() {
                Ok(found) => found,
                Err(error) => return Ok(Step::Unreadable(error)),
            };
            let is_whole = match found {
                Some(Found::Batch) => true,
                None => before >= end,
                _ => false,
            };
            if !is_whole && !damaged {
                return Ok(Step::Damaged(before));
            }
            match found {
                Some(Found::Batch) => source.records().for_each(&mut keep),
                Some(Found::Damage { saved, .. }) => saved.iter().for_each(|record| keep(record)),
                Some(Found::Blank { .. }) => {}
                None => {
                    rewrite.source = None;
                    rewrite.next += 1;
                    continue;
                }
            }
            read += source.offset() - before;
        }
        if rewrite.records.bytes.len() as u64 >= budget {
            self.flush(rewrite)?;
        }
        Ok(Step::More)
    }

    fn flush(&self, rewrite: &mut Rewrite<F::File>) -> io::Result<()> {
        if rewrite.records.count > 0 {
            rewrite.end += rewrite.records.write(&mut rewrite.file, self.mark, rewrite.batch)?;
            rewrite.batch += 1;
            rewrite.kept = true;
        }
        Ok(())
    }

    fn finish(&mut self, rewrite: &mut Rewrite<F::File>) -> io::Result<()> {
        for record in std::mem::take(&mut rewrite.returned).into_values() {
            rewrite.records.push(&record);
        }
        self.flush(rewrite)?;
        // The end of it.
        rewrite.end += rewrite.records.write(&mut rewrite.file, self.mark, rewrite.batch)?;
        rewrite.file.sync_all()
    }

    /// What was written takes the place of the first of its sources; the others go. Where nothing was kept, all go.
    fn put_in_place(&mut self, range: Range<usize>, end: Option<u64>, name: &str) -> Result<(), StoreError> {
        let ready =
            self.set_aside(&range).and_then(|()| if end.is_none() { self.remove(name) } else { Ok(()) });
        if let Err(error) = ready {
            self.give_up(name);
            return Err(error);
        }
        let mut gone = range.clone();
        if end.is_some() {
            let first = format::name(self.places.list[range.start].sequence);
            self.folder.rename(name, &first).map_err(|error| {
                // It may have been done nevertheless: as below, both files count from now on.
                self.stopped = Stopped::Forever;
                self.io(&format!("rename {name}"), &error)
            })?;
            // From here on a crash may leave the old file or the new one.
            self.sync_names()?;
            self.places.replace(range, end);
            gone.start += 1;
        } else {
            self.places.drop_draft();
        }
        for _ in gone.clone() {
            let Place { id, sequence, .. } = self.places.list[gone.start];
            self.remove(&format::name(sequence))?;
            self.sync_names()?;
            self.places.remove(&[id]);
        }
        Ok(())
    }

    /// Keeps damaged segments for people to look at, under names of their own.
    fn set_aside(&mut self, range: &Range<usize>) -> Result<(), StoreError> {
        for at in range.clone() {
            let Place { sequence, damaged: true, aside: false, .. } = self.places.list[at] else { continue };
            let name = format::name(sequence);
            if let Err(error) = self.link_aside(&name) {
                self.places.list[at].stuck = true;
                return Err(self.io(&format!("set {name} aside"), &error));
            }
            self.sync_names()?;
            self.places.list[at].aside = true;
        }
        Ok(())
    }

    /// Gives a file a second name, which no file has.
    pub(super) fn link_aside(&mut self, name: &str) -> io::Result<()> {
        let mut aside = format!("{name}{ASIDE}");
        let mut more = 1;
        loop {
            match self.folder.link(name, &aside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && more < 100 => {
                    more += 1;
                    aside = format!("{name}{ASIDE}.{more}");
                }
                linked => return linked,
            }
        }
    }
}

fn unfinished(sequence: u64) -> String {
    format!("{}{UNFINISHED}", format::name(sequence))
}
