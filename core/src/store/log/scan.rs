//! Reads the batches of a segment, one after the other, and finds its way around damage.

use std::io;

use memchr::memmem;

use super::files::File;
use super::format::{HEAD, HEADER, Head, entries, u64_at};
use super::window::Window;

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A batch, whole: [`Scanner::records`] has its records.
    Batch,
    /// Bytes that are no batch, not all of them zero. `saved` are the records among them that can be read nevertheless.
    Damage { offset: u64, bytes: u64, saved: Vec<Vec<u8>> },
    /// Nothing but zeros up to the end: room for batches to come.
    Blank { offset: u64, bytes: u64 },
}

/// Reads a segment, behind its header.
pub(super) struct Scanner<F> {
    window: Window<F>,
    mark: u64,
    /// The last batch; 0 before the first.
    sequence: u64,
    /// Bytes here that have been handed out.
    done: usize,
    /// Where its records are.
    head: Option<Head>,
    header_used: bool,
}

impl<F: File> Scanner<F> {
    /// Reads up to `limit`, or to the end of the file.
    pub(super) fn new(file: F, mark: u64, limit: u64) -> io::Result<Self> {
        let mut window = Window::new(file, limit.max(HEADER as u64));
        let header = window.need(HEADER)?;
        let header = &header[..header.len().min(HEADER)];
        let (len, header_used) = (header.len(), header.iter().any(|byte| *byte != 0));
        window.pass(len);
        Ok(Self { window, mark, sequence: 0, done: 0, head: None, header_used })
    }

    /// Whether there is anything but zeros before the batches.
    pub(super) fn header_used(&self) -> bool {
        self.header_used
    }

    /// The last batch that was found; 0 for none.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Where what was found last ends.
    pub(super) fn offset(&self) -> u64 {
        self.window.offset() + self.done as u64
    }

    /// What comes next; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        self.window.pass(std::mem::take(&mut self.done));
        self.head = None;
        if self.window.need(HEAD)?.is_empty() {
            return Ok(None);
        }
        if u64_at_start(self.window.here()) == 0 {
            return self.zeros().map(Some);
        }
        if let Some(head) = self.whole_at(0)?
            && (self.sequence == 0 || head.sequence == self.sequence + 1)
        {
            self.sequence = head.sequence;
            self.done = head.len();
            self.head = Some(head);
            return Ok(Some(Found::Batch));
        }
        self.damage().map(Some)
    }

    /// The records of the batch that was found last.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let batch = self.window.here();
        let (table, mut rest) = match self.head {
            Some(head) => (&batch[HEAD..head.before_records()], &batch[head.before_records()..]),
            None => (&batch[..0], batch),
        };
        entries(table).map(move |(len, _)| {
            // The lengths have been added up.
            let (record, behind) = rest.split_at(len as usize);
            rest = behind;
            record
        })
    }

    /// The batch that begins so many bytes from here, if all of it is what was written.
    fn whole_at(&mut self, at: usize) -> io::Result<Option<Head>> {
        let room = self.window.room() - at as u64;
        let bytes = self.window.need(at + HEAD)?;
        let Some(head) = bytes.get(at..).and_then(|bytes| Head::read(bytes, room)) else { return Ok(None) };
        // First the table, so that a length that is wrong makes nobody read far.
        if self.window.need(at + head.before_records())?.len() < at + head.before_records()
            || !head.holds(&self.window.here()[at..], self.mark)
            || self.window.need(at + head.len())?.len() < at + head.len()
        {
            return Ok(None);
        }
        let batch = &self.window.here()[at..at + head.len()];
        let mut rest = &batch[head.before_records()..];
        let whole = entries(&batch[HEAD..head.before_records()]).all(|(len, crc)| {
            let (record, behind) = rest.split_at(len as usize);
            rest = behind;
            crc32c::crc32c(record) == crc
        });
        Ok(whole.then_some(head))
    }

    /// Goes over zeros.
    fn zeros(&mut self) -> io::Result<Found> {
        let offset = self.window.offset();
        loop {
            let here = self.window.need(1)?;
            let zeros = here.iter().position(|byte| *byte != 0);
            let len = here.len();
            self.window.pass(zeros.unwrap_or(len));
            let bytes = self.window.offset() - offset;
            if zeros.is_some() {
                return Ok(Found::Damage { offset, bytes, saved: Vec::new() });
            }
            if len == 0 {
                return Ok(Found::Blank { offset, bytes });
            }
        }
    }

    /// Finds the next batch behind what is none, and what can be saved of that.
    fn damage(&mut self) -> io::Result<Found> {
        let offset = self.window.offset();
        let mark = self.mark.to_le_bytes();
        let mut from = 1;
        let end = loop {
            let here = self.window.here();
            match memmem::find(&here[from.min(here.len())..], &mark) {
                Some(at) => {
                    let at = from + at;
                    if let Some(head) = self.whole_at(at)?.filter(|head| head.sequence > self.sequence) {
                        self.sequence = head.sequence - 1;
                        break at;
                    }
                    from = at + 1;
                }
                None => {
                    let len = here.len();
                    from = from.max(len.saturating_sub(mark.len() - 1));
                    if self.window.need(len + 1)?.len() == len {
                        break len;
                    }
                }
            }
        };
        let saved = self.save(end);
        // Zeros at the end are room that was not used.
        let used = self.window.here()[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let bytes = if end == self.window.here().len() { used } else { end };
        self.done = bytes;
        Ok(Found::Damage { offset, bytes: bytes as u64, saved })
    }

    /// The records of a batch that is not whole, but whose lengths fit its place: those whose CRCs hold. They are looked for from
    /// both ends, as the length of one may be what is wrong.
    fn save(&self, len: usize) -> Vec<Vec<u8>> {
        let batch = &self.window.here()[..len];
        let Some(head) = Head::read(batch, len as u64).filter(|head| head.len() == len) else {
            return Vec::new();
        };
        let table: Vec<_> = entries(&batch[HEAD..head.before_records()]).collect();
        let records = &batch[head.before_records()..];
        let good =
            |range: Option<&[u8]>, crc| range.is_some_and(|it| !it.is_empty() && crc32c::crc32c(it) == crc);
        let mut found: Vec<Option<&[u8]>> = vec![None; table.len()];
        let mut at = 0;
        for (place, (len, crc)) in found.iter_mut().zip(&table) {
            let range = records.get(at..).and_then(|rest| rest.get(..*len as usize));
            *place = range.filter(|_| good(range, *crc));
            at = at.saturating_add(*len as usize);
        }
        let mut end = records.len();
        for (place, (len, crc)) in found.iter_mut().zip(&table).rev() {
            let Some(start) = end.checked_sub(*len as usize) else { break };
            let range = records.get(start..end);
            *place = place.or(range.filter(|_| good(range, *crc)));
            end = start;
        }
        found.into_iter().flatten().map(<[u8]>::to_vec).collect()
    }
}

/// The first eight bytes, or as many as there are and zeros.
fn u64_at_start(bytes: &[u8]) -> u64 {
    if bytes.len() >= 8 { u64_at(bytes, 0) } else { bytes.iter().map(|byte| u64::from(*byte)).sum() }
}
