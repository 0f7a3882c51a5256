//! Finding jobs: by the number in the handle, and by what makes submissions the same.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::slab::NONE;

/// A hasher for numbers that the broker itself hands out, which nobody can choose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // The high half of the product depends on all bits; the table looks at both ends.
        let mixed = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

pub(crate) type NumberMap<V> = HashMap<u64, V, BuildHasherDefault<NumberHasher>>;

/// Job numbers in a page.
const PAGE: usize = 64;

/// Jobs by number. Numbers are dense where many jobs are queued, so they are kept in pages: about five bytes a job, and one
/// look-up in a table that is 64 times smaller than the queue.
#[derive(Debug, Default)]
pub(crate) struct NumberIndex {
    pages: NumberMap<Page>,
}

#[derive(Debug)]
struct Page {
    slots: Box<[u32; PAGE]>,
    used: u32,
}

impl NumberIndex {
    pub(crate) fn insert(&mut self, number: u64, job: u32) {
        let page = self
            .pages
            .entry(number / PAGE as u64)
            .or_insert_with(|| Page { slots: Box::new([NONE; PAGE]), used: 0 });
        page.slots[(number % PAGE as u64) as usize] = job;
        page.used += 1;
    }

    pub(crate) fn get(&self, number: u64) -> Option<u32> {
        let page = self.pages.get(&(number / PAGE as u64))?;
        let job = page.slots[(number % PAGE as u64) as usize];
        (job != NONE).then_some(job)
    }

    pub(crate) fn remove(&mut self, number: u64) {
        let Some(page) = self.pages.get_mut(&(number / PAGE as u64)) else { return };
        page.slots[(number % PAGE as u64) as usize] = NONE;
        page.used -= 1;
        if page.used == 0 {
            self.pages.remove(&(number / PAGE as u64));
        }
    }
}

/// Tables in a [`UniqueIndex`]; a power of two.
const SHARDS: usize = 64;

/// Jobs by function and unique (or workload). It is many small tables, so that growing one of them does not stop the broker
/// for long. Peers choose what is hashed here, hence a keyed hash.
#[derive(Debug)]
pub(crate) struct UniqueIndex {
    shards: Box<[HashTable<Entry>]>,
    seed: [u64; 2],
}

/// The hash is kept beside the job, so that neither growing nor a near miss has to look at the job.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    job: u32,
}

impl Entry {
    fn spread(self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// A place in the index, computed once a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UniqueHash(u32);

impl UniqueIndex {
    pub(crate) fn new(seed: [u64; 2]) -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect(), seed }
    }

    /// The place of what has `key` under `function`.
    pub(crate) fn hash(&self, function: u32, key: &[u8]) -> UniqueHash {
        /// From here on only both ends and the length count; equality is still decided by all bytes.
        const WHOLE: usize = 128 << 10;
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u32(function);
        if key.len() <= WHOLE {
            hasher.write(key);
        } else {
            hasher.write_usize(key.len());
            hasher.write(&key[..WHOLE / 2]);
            hasher.write(&key[key.len() - WHOLE / 2..]);
        }
        UniqueHash(hasher.finish() as u32)
    }

    fn shard(hash: UniqueHash) -> usize {
        // The table's own place comes from the low bits of a product, which depend on the low bits only.
        (hash.0 >> (u32::BITS - SHARDS.trailing_zeros())) as usize
    }

    pub(crate) fn find(&self, hash: UniqueHash, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let spread = Entry { hash: hash.0, job: NONE }.spread();
        let found =
            self.shards[Self::shard(hash)].find(spread, |entry| entry.hash == hash.0 && same(entry.job));
        found.map(|entry| entry.job)
    }

    pub(crate) fn insert(&mut self, hash: UniqueHash, job: u32) {
        let entry = Entry { hash: hash.0, job };
        self.shards[Self::shard(hash)].insert_unique(entry.spread(), entry, |entry| entry.spread());
    }

    pub(crate) fn remove(&mut self, hash: UniqueHash, job: u32) {
        let spread = Entry { hash: hash.0, job }.spread();
        if let Ok(found) = self.shards[Self::shard(hash)].find_entry(spread, |entry| entry.job == job) {
            found.remove();
        }
    }
}
