//! Commits: one buffer, one write, one sync.

use std::io::{self, IoSlice};

use super::engine::{Active, Chore, Engine};
use super::error::is_full;
use super::files::{File, Folder};
use super::format::{self, ENTRY, HEAD, HEADER, Head, Header, Origin};
use crate::store::record::Kind;
use crate::store::{Batch, Record, StoreError, StoreErrorKind};

/// Bytes of memory that are kept from one commit to the next.
const KEPT: usize = 1 << 20;

impl<F: Folder> Engine<F> {
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        if !self.is_read() {
            self.replay(&mut |_| Ok(()))?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut apart = Vec::new();
        let committed = self.assemble(batch, &mut buffer, &mut apart).and_then(|bytes| {
            self.append(bytes, &mut buffer, &apart)?;
            Ok(bytes)
        });
        if committed.is_ok() {
            batch.records().for_each(|record| self.account(&record));
        }
        buffer.clear();
        buffer.shrink_to(KEPT);
        self.buffer = buffer;
        committed.map(|bytes| self.pay(bytes))
    }

    /// Puts the batch into `buffer`, behind room for a segment's header; of workloads that stand apart, only their places.
    /// Answers how many bytes it is without that header.
    fn assemble<'a>(
        &self,
        batch: &'a Batch,
        buffer: &mut Vec<u8>,
        apart: &mut Vec<(usize, &'a [u8])>,
    ) -> Result<u64, StoreError> {
        let too_large = || {
            let text = format!("the log {} takes no job of 4 GiB or more.", self.path.display());
            StoreError::new(StoreErrorKind::Settings, text)
        };
        let count = u32::try_from(batch.len()).map_err(|_| too_large())?;
        let start = HEADER + HEAD + batch.len() * ENTRY;
        buffer.resize(start, 0);
        let mut bytes = 0;
        for (at, Record { head, workload }) in batch.records().enumerate() {
            let crc = crc32c::crc32c_append(crc32c::crc32c(head), workload);
            let len = u32::try_from(head.len() + workload.len()).map_err(|_| too_large())?;
            format::put_entry(&mut buffer[HEADER + HEAD + at * ENTRY..], len, crc);
            bytes += u64::from(len);
            buffer.extend_from_slice(head);
            if !workload.is_empty() {
                apart.push((buffer.len(), workload));
            }
        }
        Head::seal(&mut buffer[HEADER..], self.mark, self.batch + 1, count, bytes);
        Ok((start - HEADER) as u64 + bytes)
    }

    /// Remembers what a durable record says.
    fn account(&mut self, record: &Record<'_>) {
        let Some((kind, number)) = Kind::of(record.head) else { return };
        match kind {
            Kind::Add => self.counter = number.max(self.counter),
            Kind::Counter => self.counter = number,
            Kind::End | Kind::Returned => {}
        }
        let len = record.head.len() + record.workload.len() + ENTRY;
        self.places.record(kind, number, len as u64);
    }

    /// Writes and syncs. After an error nothing is written to that segment again: what it has behind the last good batch counts for
    /// nothing, as the next segment says.
    fn append(&mut self, bytes: u64, buffer: &mut [u8], apart: &[(usize, &[u8])]) -> Result<(), StoreError> {
        let mut active = match self.active.take() {
            Some(active) if active.end + bytes <= active.bytes => active,
            full => {
                let needed = HEADER as u64 + bytes;
                let opened = self.roll(needed);
                match (opened, full) {
                    (Ok(opened), full) => {
                        self.retire(full);
                        opened
                    }
                    (Err(error), full) => {
                        self.active = full;
                        return Err(self.io("make a segment", &error));
                    }
                }
            }
        };
        let fresh = active.end == 0;
        if fresh {
            let header = Header {
                origin: Origin::Appended,
                sequence: active.sequence,
                mark: self.mark,
                previous: self.tail.0,
                previous_end: self.tail.1,
                counter: self.counter,
            };
            buffer[..HEADER].copy_from_slice(&header.encode());
        }
        let skipped = if fresh { 0 } else { HEADER };
        match write(&mut active.file, &buffer[skipped..], apart, skipped) {
            Ok(()) => {
                active.end += bytes + if fresh { HEADER as u64 } else { 0 };
                self.tail = (active.sequence, active.end);
                if fresh {
                    self.places.push(active.sequence, self.mark);
                }
                if let Some(place) = self.places.list.last_mut() {
                    place.end = active.end;
                }
                self.batch += 1;
                self.active = Some(active);
                Ok(())
            }
            Err(error) if fresh => {
                // The next attempt makes a file of the same size: not one more of them each time.
                let name = format::name(active.sequence);
                drop(active);
                if self.folder.remove(&name).is_err() {
                    self.chores.push(Chore::Remove(name));
                }
                Err(self.io("write a batch", &error))
            }
            Err(error) => {
                self.retire(Some(active));
                Err(self.io("write a batch", &error))
            }
        }
    }

    /// A segment to begin with room for so many bytes. Where the disk is full, what has ended makes room first, within a bound.
    fn roll(&mut self, needed: u64) -> io::Result<Active<F::File>> {
        const STEPS: usize = 64;
        match self.next_active(needed) {
            Err(error) if is_full(&error) => {
                let mut steps = (0..STEPS).take_while(|_| self.clear() == Ok(true));
                if steps.next().is_none() {
                    return Err(error);
                }
                steps.for_each(drop);
                self.next_active(needed)
            }
            begun => begun,
        }
    }

    fn next_active(&mut self, needed: u64) -> io::Result<Active<F::File>> {
        if self.spare.is_none() {
            let bytes = needed.max(self.segment_bytes);
            match self.make_segment(bytes) {
                // A little may still go.
                Err(error) if is_full(&error) && needed < bytes => {
                    self.spare = Some(self.make_segment(needed)?);
                }
                made => self.spare = Some(made?),
            }
        }
        let mut spare = self.spare.take().ok_or(io::ErrorKind::NotFound)?;
        if spare.bytes < needed {
            if let Err(error) = spare.file.allocate(needed) {
                self.retire(Some(spare));
                return Err(error);
            }
            spare.bytes = needed;
        }
        Ok(spare)
    }

    /// Writes no more to a segment.
    pub(super) fn retire(&mut self, segment: Option<Active<F::File>>) {
        if let Some(Active { sequence, .. }) = segment {
            let (last, end) = self.tail;
            self.chores.push(match last == sequence {
                true => Chore::Cut { sequence, end },
                false => Chore::Remove(format::name(sequence)),
            });
        }
    }
}

/// Writes the buffer with the parts that stand apart, which are at places of a buffer with `skipped` more bytes; and syncs.
fn write(file: &mut impl File, buffer: &[u8], apart: &[(usize, &[u8])], skipped: usize) -> io::Result<()> {
    if apart.is_empty() {
        file.write(&mut [IoSlice::new(buffer)])?;
    } else {
        let mut parts = Vec::with_capacity(2 * apart.len() + 1);
        let mut from = 0;
        for (at, workload) in apart {
            parts.push(IoSlice::new(&buffer[from..at - skipped]));
            parts.push(IoSlice::new(workload));
            from = at - skipped;
        }
        parts.push(IoSlice::new(&buffer[from..]));
        file.write(&mut parts)?;
    }
    file.sync_data()
}
