//! The index: which jobs there are. memcached cannot tell, so it is kept there in pages, and here as a whole.

use std::collections::{BTreeSet, HashMap};

/// What a page begins with.
const VERSION: u8 = 1;
/// Jobs of one page, which then has some 4 KiB.
const SLOTS: usize = 340;
/// A number (8 bytes), how often it was given back (2), and its pieces (2).
const SLOT_BYTES: usize = 12;

/// What the index knows of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// 0 where the slot is free.
    pub(super) number: u64,
    /// As often it was given back, where that is more than its record says.
    pub(super) returns: u16,
    /// Items of its record.
    pub(super) pieces: u16,
}

/// A page that this version cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

#[derive(Debug, Default)]
pub(super) struct Index {
    pages: Vec<Vec<Entry>>,
    /// Number → page and slot.
    places: HashMap<u64, (u32, u16)>,
    /// Pages with free slots.
    roomy: BTreeSet<u32>,
    /// Pages that differ from what is stored.
    dirty: BTreeSet<u32>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn pages(&self) -> u32 {
        self.pages.len() as u32
    }

    pub(super) fn get(&self, number: u64) -> Option<Entry> {
        let (page, slot) = *self.places.get(&number)?;
        Some(self.pages[page as usize][usize::from(slot)])
    }

    /// Everything, by number.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            self.pages.iter().flatten().filter(|entry| entry.number != 0).copied().collect();
        entries.sort_unstable_by_key(|entry| entry.number);
        entries
    }

    /// Adds what is not there.
    pub(super) fn add(&mut self, entry: Entry) {
        if self.places.contains_key(&entry.number) {
            return;
        }
        let page = match self.roomy.first() {
            Some(page) => *page,
            None => {
                self.pages.push(Vec::new());
                let page = self.pages() - 1;
                self.roomy.insert(page);
                page
            }
        };
        let slots = &mut self.pages[page as usize];
        let slot = slots.iter().position(|entry| entry.number == 0).unwrap_or(slots.len());
        if slot == slots.len() {
            slots.push(entry);
        } else {
            slots[slot] = entry;
        }
        if slots.len() == SLOTS && slots.iter().all(|entry| entry.number != 0) {
            self.roomy.remove(&page);
        }
        self.places.insert(entry.number, (page, slot as u16));
        self.dirty.insert(page);
    }

    pub(super) fn returned(&mut self, number: u64, returns: u16) {
        if let Some((page, slot)) = self.places.get(&number) {
            self.pages[*page as usize][usize::from(*slot)].returns = returns;
            self.dirty.insert(*page);
        }
    }

    /// Takes a job out.
    pub(super) fn end(&mut self, number: u64) -> Option<Entry> {
        let (page, slot) = self.places.remove(&number)?;
        let entry = std::mem::take(&mut self.pages[page as usize][usize::from(slot)]);
        self.roomy.insert(page);
        self.dirty.insert(page);
        Some(entry)
    }

    /// Nothing of it is stored any more.
    pub(super) fn soil(&mut self) {
        self.dirty = (0..self.pages()).collect();
    }

    /// The pages to be written.
    pub(super) fn dirty(&self) -> Vec<(u32, Vec<u8>)> {
        self.dirty.iter().map(|page| (*page, self.encode(*page))).collect()
    }

    /// They have been written.
    pub(super) fn clean(&mut self) {
        self.dirty.clear();
    }

    fn encode(&self, page: u32) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for entry in self.pages[page as usize].iter().filter(|entry| entry.number != 0) {
            bytes.extend_from_slice(&entry.number.to_le_bytes());
            bytes.extend_from_slice(&entry.returns.to_le_bytes());
            bytes.extend_from_slice(&entry.pieces.to_le_bytes());
        }
        bytes
    }

    /// Most jobs that a page may have held.
    pub(super) const fn page_holds() -> usize {
        SLOTS
    }

    /// The entries of a page.
    pub(super) fn decode(page: &[u8]) -> Result<Vec<Entry>, Unreadable> {
        let slots = match page.split_first() {
            Some((&VERSION, slots)) if slots.len().is_multiple_of(SLOT_BYTES) => slots,
            _ => return Err(Unreadable),
        };
        let entries = slots.chunks_exact(SLOT_BYTES).map(|slot| {
            let (number, rest) = slot.split_first_chunk().ok_or(Unreadable)?;
            let (returns, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
            let pieces = rest.first_chunk().ok_or(Unreadable)?;
            let (returns, pieces) = (u16::from_le_bytes(*returns), u16::from_le_bytes(*pieces));
            Ok(Entry { number: u64::from_le_bytes(*number), returns, pieces })
        });
        entries.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        Entry { number, returns: number as u16, pieces: 1 }
    }

    #[test]
    fn pages_say_what_is_in_the_index() {
        let mut index = Index::default();
        for number in 1..=1000 {
            index.add(entry(number));
        }
        assert_eq!((index.len(), index.pages()), (1000, 3));
        index.clean();
        for number in (1..=1000).filter(|number| number % 3 == 0) {
            assert_eq!(index.end(number), Some(entry(number)));
        }
        assert_eq!((index.end(3), index.get(3), index.get(4)), (None, None, Some(entry(4))));
        index.returned(4, 9);
        index.returned(3, 9);
        index.add(entry(5));
        for number in 1001..=1334 {
            index.add(entry(number));
        }
        assert_eq!(index.pages(), 3, "what has become free is used again");
        let mut found: Vec<Entry> =
            index.dirty().iter().flat_map(|(_, page)| Index::decode(page).expect("a page")).collect();
        found.sort_unstable_by_key(|entry| entry.number);
        assert_eq!(found, index.entries());
        assert_eq!(found[2], Entry { number: 4, returns: 9, pieces: 1 });
        assert_eq!(index.len(), found.len());
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        for bad in [&b""[..], &[VERSION + 1], &[VERSION; 5]] {
            assert_eq!(Index::decode(bad), Err(Unreadable));
        }
        assert_eq!(Index::decode(&[VERSION]), Ok(Vec::new()));
    }
}
