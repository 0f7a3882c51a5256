//! Which segments a log has, and how each is read.

use std::path::Path;

use super::error;
use super::files::{File, Folder};
use super::finding::{Finding, What};
use super::format::{self, BadHeader, HEADER, Header, Origin};
use super::scan::{Found, Scanner};
use crate::store::StoreError;

/// A segment that has not been read yet.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) sequence: u64,
    /// `None` for one that is damaged or has not been written.
    pub(super) header: Option<Header>,
    /// Where its valid bytes end, if that is known from the next one.
    pub(super) limit: Option<u64>,
    /// The segment that told so has gone, as nothing of it was needed. Before it went this one was cut where its valid bytes end.
    pub(super) sealed: bool,
}

/// What is in a log's directory.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// In their order.
    pub(super) segments: Vec<Segment>,
    /// Files that count for nothing: what a failed write has left, and unfinished rewriting.
    pub(super) leftovers: Vec<String>,
    /// The highest sequence there is; 0 for none.
    pub(super) last: u64,
    /// The log's mark, where a segment tells it.
    pub(super) mark: Option<u64>,
}

/// A header, and the mark that its segment's batches have.
type Beginning = (Option<Header>, Option<u64>);

/// What the name of an unfinished rewriting ends with.
pub(super) const UNFINISHED: &str = ".new";

impl Survey {
    /// Looks at all headers. Changes nothing.
    pub(super) fn new(folder: &mut impl Folder, path: &Path) -> Result<Self, StoreError> {
        let names = folder.list().map_err(|error| error::io("list the files", path, &error))?;
        let mut survey = Self::default();
        let mut sequences: Vec<u64> = names.iter().filter_map(|name| format::sequence(name)).collect();
        sequences.sort_unstable();
        survey.last = sequences.last().copied().unwrap_or(0);
        survey.leftovers = names
            .into_iter()
            .filter(|name| name.strip_suffix(UNFINISHED).is_some_and(|name| format::sequence(name).is_some()))
            .collect();
        // From the last one on: each says what counts of those before it.
        let mut void_above = u64::MAX;
        let mut limit_of = (0, 0);
        let mut next_is_known = false;
        for sequence in sequences.into_iter().rev() {
            let (header, mark) = read_beginning(folder, path, sequence)?;
            if sequence > void_above {
                survey.leftovers.push(format::name(sequence));
                continue;
            }
            let limit = (limit_of.0 == sequence).then_some(limit_of.1);
            let sealed = limit.is_none() && next_is_known;
            next_is_known = header.is_some();
            if let Some(header) = header {
                (void_above, limit_of) = (header.previous, (header.previous, header.previous_end));
                survey.mark = Some(header.mark);
            } else {
                void_above = u64::MAX;
                survey.mark = survey.mark.or(mark);
            }
            survey.segments.push(Segment { sequence, header, limit, sealed });
        }
        survey.segments.reverse();
        Ok(survey)
    }
}

fn read_beginning(folder: &mut impl Folder, path: &Path, sequence: u64) -> Result<Beginning, StoreError> {
    let name = format::name(sequence);
    let mut bytes = [0; HEADER + 8];
    let mut read = || {
        let mut file = folder.open(&name)?;
        let mut len = 0;
        while len < bytes.len() {
            match file.read(&mut bytes[len..])? {
                0 => break,
                more => len += more,
            }
        }
        Ok(len)
    };
    let len = read().map_err(|error| error::io(&format!("read {name}"), path, &error))?;
    match Header::decode(&bytes[..len.min(HEADER)]) {
        Ok(header) if header.sequence == sequence => Ok((Some(header), Some(header.mark))),
        Err(BadHeader::Newer(version)) => Err(error::newer(path, &name, version)),
        _ => Ok((None, Some(format::u64_at(&bytes, HEADER)).filter(|mark| *mark != 0))),
    }
}

/// How the reading of a segment went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Where its valid bytes end; 0 where it has none, not even a header.
    pub(super) end: u64,
    /// Bytes that the file has.
    pub(super) len: u64,
    /// The last batch.
    pub(super) batch: u64,
    /// Not all of it could be read.
    pub(super) damaged: bool,
}

/// Takes records, one after the other, with the place of each batch.
pub(super) type EachRecord<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), StoreError>;

impl Segment {
    /// Hands all records to `each`, and what is wrong with the segment to `findings`.
    pub(super) fn read(
        &self,
        folder: &mut impl Folder,
        path: &Path,
        mark: u64,
        findings: &mut Vec<Finding>,
        each: EachRecord<'_>,
    ) -> Result<Outcome, StoreError> {
        let name = format::name(self.sequence);
        let failed = |error| error::io(&format!("read {name}"), path, &error);
        let mark = self.header.map_or(mark, |header| header.mark);
        let mut file = folder.open(&name).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let rewritten = self.header.is_some_and(|header| header.origin == Origin::Rewritten);
        let mut found =
            |what, offset, bytes| findings.push(Finding { segment: name.clone(), what, offset, bytes });
        let limit = match self.limit {
            _ if rewritten => len,
            Some(limit) => limit,
            None if self.sealed && self.header.is_some() => len,
            None => {
                let tail = find_end(file, mark, len).map_err(failed)?;
                file = folder.open(&name).map_err(failed)?;
                if tail.torn.1 > 0 {
                    found(What::Torn, tail.torn.0, tail.torn.1);
                }
                if self.header.is_none() && tail.end == HEADER as u64 {
                    let damaged = !tail.blank;
                    if damaged && tail.torn.1 == 0 {
                        found(What::Header, 0, HEADER as u64);
                    }
                    return Ok(Outcome { end: 0, len, batch: 0, damaged });
                }
                tail.end
            }
        };
        let mut outcome = Outcome { end: limit, len, batch: 0, damaged: self.header.is_none() };
        if outcome.damaged {
            found(What::Header, 0, HEADER as u64);
        }
        let mut scanner = Scanner::new(file, mark, limit).map_err(failed)?;
        let mut sealed = false;
        while let Some(next) = scanner.next().map_err(failed)? {
            sealed = false;
            match next {
                Found::Batch => {
                    for record in scanner.records() {
                        each(record)?;
                    }
                    sealed = scanner.records().next().is_none();
                }
                Found::Damage { offset, bytes, saved } => {
                    outcome.damaged = true;
                    found(What::Damage { saved: saved.len() }, offset, bytes);
                    for record in &saved {
                        each(record)?;
                    }
                }
                Found::Blank { offset, bytes } => {
                    outcome.damaged = true;
                    found(What::Damage { saved: 0 }, offset, bytes);
                }
            }
        }
        outcome.batch = scanner.sequence();
        if scanner.offset() < limit || (rewritten && !sealed) {
            outcome.damaged = true;
            found(What::Short, scanner.offset(), limit - scanner.offset());
        }
        Ok(outcome)
    }
}

/// How a segment ends of which no other tells it.
struct Tail {
    end: u64,
    /// Where what was not written whole begins, and how much of it there is.
    torn: (u64, u64),
    /// Nothing but zeros from the header on, and before.
    blank: bool,
}

fn find_end(file: impl File, mark: u64, len: u64) -> std::io::Result<Tail> {
    let mut scanner = Scanner::new(file, mark, len)?;
    let mut tail = Tail { end: HEADER as u64, torn: (0, 0), blank: !scanner.header_used() };
    while let Some(found) = scanner.next()? {
        match found {
            Found::Batch => (tail.end, tail.torn) = (scanner.offset(), (0, 0)),
            Found::Damage { offset, bytes, .. } => {
                tail.blank = false;
                let start = if tail.torn.1 == 0 { offset } else { tail.torn.0 };
                tail.torn = (start, offset + bytes - start);
            }
            Found::Blank { .. } => {}
        }
    }
    Ok(tail)
}
