//! Changes that are made durable together.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::record::Change;

/// Changes in the order in which they happened. A job that ends in the batch in which it began leaves nothing behind.
#[derive(Debug, Default)]
pub struct Batch {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// The entries of jobs that were added, by number, in the order of both; ended ones among them.
    adds: Vec<(u64, usize)>,
    /// Those whose number is below one that came before it: jobs that began in the foreground.
    strays: BTreeMap<u64, usize>,
    /// The entries that say how often a job has been given back: the last one for each.
    returned: BTreeMap<u64, usize>,
    /// The ends of jobs that were given up.
    given_up: BTreeMap<u64, usize>,
    live: usize,
    /// Bytes of entries that are not live.
    dead: usize,
}

#[derive(Debug)]
struct Entry {
    start: usize,
    len: usize,
    live: bool,
    workload: Option<Bytes>,
}

/// A change as bytes: `head`, and behind it `workload` where that is large.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The record, or all of it but the workload.
    pub head: &'a [u8],
    /// A large workload; else empty.
    pub workload: &'a [u8],
}

impl Batch {
    /// Dead bytes from which on a batch is made smaller, when they are more than half of it.
    const COMPACT_FROM: usize = 1 << 20;
    /// Bytes of memory that [`Batch::clear`] keeps for the next use.
    const KEPT: usize = 1 << 20;

    /// A batch without changes.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            bytes: Vec::new(),
            adds: Vec::new(),
            strays: BTreeMap::new(),
            returned: BTreeMap::new(),
            given_up: BTreeMap::new(),
            live: 0,
            dead: 0,
        }
    }

    /// How many changes there are.
    pub const fn len(&self) -> usize {
        self.live
    }

    /// True where there is nothing to be made durable.
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Appends a change. The end of a job that was added here takes that away instead, and all else about it.
    pub fn push(&mut self, change: &Change<'_>) {
        match change {
            Change::End { number } if self.take_back(*number) => return,
            Change::Add(job) => {
                let (number, entry) = (job.number, self.entries.len());
                // It is wanted again: what the store may have of it is this job.
                if let Some(end) = self.given_up.remove(&number) {
                    self.kill(end);
                }
                if self.adds.last().is_none_or(|(last, _)| *last < number) {
                    self.adds.push((number, entry));
                } else {
                    self.strays.insert(number, entry);
                }
            }
            Change::Returned { number, .. } => {
                let entry = self.entries.len();
                if let Some(before) = self.returned.insert(*number, entry) {
                    self.kill(before);
                }
            }
            _ => {}
        }
        self.append(change);
    }

    fn append(&mut self, change: &Change<'_>) {
        let start = self.bytes.len();
        let workload = change.encode(&mut self.bytes);
        self.entries.push(Entry { start, len: self.bytes.len() - start, live: true, workload });
        self.live += 1;
    }

    /// The entry of a job that was added here and has not ended.
    fn added(&self, number: u64) -> Option<usize> {
        let place = self.adds.binary_search_by_key(&number, |(number, _)| *number);
        let first = place.ok().map(|place| self.adds[place].1);
        let entries = [first, self.strays.get(&number).copied()];
        entries.into_iter().flatten().find(|entry| self.entries[*entry].live)
    }

    fn kill(&mut self, entry: usize) {
        let entry = &mut self.entries[entry];
        entry.live = false;
        entry.workload = None;
        self.live -= 1;
        self.dead += entry.len;
    }

    fn take_back(&mut self, number: u64) -> bool {
        let Some(entry) = self.added(number) else { return false };
        self.kill(entry);
        if let Some(returned) = self.returned.remove(&number) {
            self.kill(returned);
        }
        if self.dead > Self::COMPACT_FROM && self.dead > self.bytes.len() / 2 {
            self.compact();
        }
        true
    }

    fn compact(&mut self) {
        let old = std::mem::take(self);
        for (place, entry) in old.entries.iter().enumerate().filter(|(_, entry)| entry.live) {
            let Some(change) = old.change(entry) else { continue };
            if old.given_up.get(&change.number()) == Some(&place) {
                self.given_up.insert(change.number(), self.entries.len());
            }
            self.push(&change);
        }
    }

    /// True where a job of this number is added here and has not ended.
    pub fn adds(&self, number: u64) -> bool {
        self.added(number).is_some()
    }

    /// A job that is added here is not to be: whatever the store has of it ends. True where it was added here.
    pub fn give_up(&mut self, number: u64) -> bool {
        let added = self.take_back(number);
        if added {
            self.given_up.insert(number, self.entries.len());
            self.append(&Change::End { number });
        }
        added
    }

    /// The changes, in order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.entries.iter().filter(|entry| entry.live).filter_map(|entry| self.change(entry))
    }

    fn change(&self, entry: &Entry) -> Option<Change<'_>> {
        let head = &self.bytes[entry.start..entry.start + entry.len];
        // What `encode` has made can be decoded.
        Change::decode_parts(head, entry.workload.as_ref()).ok()
    }

    /// The changes as bytes, in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.entries.iter().filter(|entry| entry.live).map(|entry| Record {
            head: &self.bytes[entry.start..entry.start + entry.len],
            workload: entry.workload.as_deref().unwrap_or_default(),
        })
    }

    /// Forgets all changes; memory for the next ones is kept within a bound.
    pub fn clear(&mut self) {
        let Self { entries, bytes, adds, strays, returned, given_up, live, dead } = self;
        entries.clear();
        entries.shrink_to(Self::KEPT / size_of::<Entry>());
        bytes.clear();
        bytes.shrink_to(Self::KEPT);
        adds.clear();
        adds.shrink_to(Self::KEPT / size_of::<(u64, usize)>());
        strays.clear();
        returned.clear();
        given_up.clear();
        (*live, *dead) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoredJob;
    use crate::types::Data;

    fn add(number: u64, workload: &[u8]) -> Change<'_> {
        Change::Add(StoredJob::new(number, b"f", workload))
    }

    fn numbers(batch: &Batch) -> Vec<(u64, bool)> {
        batch.changes().map(|change| (change.number(), matches!(change, Change::Add(_)))).collect()
    }

    #[test]
    fn a_job_that_ends_where_it_began_leaves_nothing() {
        let mut batch = Batch::new();
        for number in [3, 5, 4, 9] {
            batch.push(&add(number, b"x"));
        }
        for number in [5, 4, 2] {
            batch.push(&Change::End { number });
        }
        assert_eq!(numbers(&batch), [(3, true), (9, true), (2, false)]);
        assert_eq!((batch.len(), batch.adds(3), batch.adds(4), batch.adds(5)), (3, true, false, false));
        batch.push(&Change::End { number: 5 });
        assert_eq!(batch.len(), 4, "it is no longer here, so it may be in the store");
        batch.clear();
        assert!(batch.is_empty() && batch.changes().next().is_none() && !batch.adds(3));
    }

    #[test]
    fn a_job_that_is_given_up_is_ended() {
        let mut batch = Batch::new();
        batch.push(&add(1, b"x"));
        batch.push(&add(2, b"x"));
        assert!(batch.give_up(1) && !batch.give_up(1) && !batch.give_up(7));
        assert_eq!(numbers(&batch), [(2, true), (1, false)]);
    }

    #[test]
    fn a_job_that_is_given_up_and_wanted_again_is_there() {
        let mut batch = Batch::new();
        batch.push(&add(1, b"x"));
        batch.push(&add(2, b"x"));
        assert!(batch.give_up(1));
        batch.push(&add(1, b"x"));
        assert!(batch.adds(1));
        assert_eq!(numbers(&batch), [(2, true), (1, true)], "no end that a store might do last");
        batch.push(&Change::End { number: 1 });
        assert_eq!(numbers(&batch), [(2, true)]);
    }

    #[test]
    fn of_what_is_said_again_and_again_the_last_is_kept() {
        let mut batch = Batch::new();
        batch.push(&add(2, b"x"));
        for returns in 1..1000 {
            batch.push(&Change::Returned { number: 1, returns });
            batch.push(&Change::Returned { number: 2, returns });
        }
        assert_eq!(batch.len(), 3);
        assert_eq!(batch.changes().last(), Some(Change::Returned { number: 2, returns: 999 }));
        batch.push(&Change::End { number: 2 });
        assert_eq!(batch.len(), 1, "nothing is left of a job that ended where it began");
    }

    #[test]
    fn what_comes_and_goes_does_not_pile_up() {
        let mut batch = Batch::new();
        let workload = vec![1; 1000];
        batch.push(&add(1, b"stays"));
        for number in 2..10_000 {
            batch.push(&add(number, &workload));
            batch.push(&Change::End { number });
        }
        assert!(batch.bytes.len() <= 2 * Batch::COMPACT_FROM, "{}", batch.bytes.len());
        assert_eq!(numbers(&batch), [(1, true)]);
    }

    #[test]
    fn records_and_changes_say_the_same() {
        let large = vec![5; Data::SHARE_FROM];
        let mut batch = Batch::new();
        batch.push(&add(1, &large));
        batch.push(&Change::Returned { number: 1, returns: 2 });
        let shared = Change::Add(StoredJob {
            workload: Data::Shared(large.clone().into()),
            ..match add(2, b"") {
                Change::Add(job) => job,
                _ => unreachable!("an add"),
            }
        });
        batch.push(&shared);
        let records: Vec<Vec<u8>> =
            batch.records().map(|record| [record.head, record.workload].concat()).collect();
        let changes: Vec<_> = batch.changes().collect();
        assert_eq!(records.len(), 3);
        for (record, change) in records.iter().zip(&changes) {
            assert_eq!(Change::decode(record).as_ref(), Ok(change));
        }
        assert_eq!(changes[2], shared);
    }
}
