//! Which jobs a segment has, which of them live, and how large those are about: half a byte for each where most numbers are of
//! stored jobs, two bytes where few are.

use std::collections::BTreeMap;

use smallvec::SmallVec;

/// Numbers that are kept together, as a power of two.
const BITS: u32 = 12;
const NUMBERS: usize = 1 << BITS;

/// What is known of a number in a segment: four bits.
type State = u8;
const ABSENT: State = 0;
const DEAD: State = 1;
/// This and all above: a live job, by its size.
const LIVE: State = 2;

/// The job records of one segment.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    chunks: BTreeMap<u64, Chunk>,
    /// The lowest and the highest number there ever was.
    range: Option<(u64, u64)>,
    live: u64,
    live_bytes: u64,
    all_bytes: u64,
}

#[derive(Debug)]
enum Chunk {
    /// Sorted; twelve bits of number and four of state.
    Few(SmallVec<[u16; 8]>),
    /// Two states to a byte.
    Many(Box<[u8; NUMBERS / 2]>),
}

/// The state of a live job with a record of so many bytes: by powers of four, from 64 bytes on.
fn live(bytes: u64) -> State {
    let doublings = 64 - (bytes.saturating_sub(1) >> 6).leading_zeros();
    (LIVE + doublings.div_ceil(2) as u8).min(15)
}

/// Bytes that a record in this state has about: half or twice as many at most, where it is no larger than 4 GiB.
fn bytes(state: State) -> u64 {
    32 << (2 * (state - LIVE))
}

impl Jobs {
    /// A job's record is there, of so many bytes. `dead` tells that it does not count, as another one stands for the job.
    pub(super) fn add(&mut self, number: u64, len: u64, dead: bool) {
        let state = live(len);
        self.all_bytes += bytes(state);
        let (low, high) = self.range.unwrap_or((number, number));
        self.range = Some((low.min(number), high.max(number)));
        let before = self.get(number);
        if dead {
            if before == ABSENT {
                self.set(number, DEAD);
            }
        } else if before < LIVE {
            self.set(number, state);
            self.live += 1;
            self.live_bytes += bytes(state);
        }
    }

    /// A job has ended. True where its record is here.
    pub(super) fn end(&mut self, number: u64) -> bool {
        let state = self.get(number);
        if state >= LIVE {
            self.set(number, DEAD);
            self.live -= 1;
            self.live_bytes -= bytes(state);
        }
        state != ABSENT
    }

    /// All jobs have ended, or live by records elsewhere.
    pub(super) fn end_all(&mut self) {
        for chunk in self.chunks.values_mut() {
            match chunk {
                Chunk::Few(few) => few.iter_mut().for_each(|entry| *entry = *entry & !15 | u16::from(DEAD)),
                Chunk::Many(many) => {
                    for low in 0..NUMBERS {
                        if many[low / 2] >> (low % 2 * 4) & 15 != ABSENT {
                            put(many, low, DEAD);
                        }
                    }
                }
            }
        }
        (self.live, self.live_bytes) = (0, 0);
    }

    /// True for a job that lives by a record here.
    pub(super) fn is_live(&self, number: u64) -> bool {
        self.get(number) >= LIVE
    }

    /// True for a job whose record is here, live or not.
    pub(super) fn has(&self, number: u64) -> bool {
        self.get(number) != ABSENT
    }

    /// How many live.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// The part of `bytes`, those of all job records here, that live ones have about.
    pub(super) fn live_part(&self, bytes: u64) -> u64 {
        if self.live == 0 {
            return 0;
        }
        (u128::from(bytes) * u128::from(self.live_bytes) / u128::from(self.all_bytes.max(1))) as u64
    }

    fn get(&self, number: u64) -> State {
        if self.range.is_none_or(|(low, high)| number < low || number > high) {
            return ABSENT;
        }
        let low = number as usize % NUMBERS;
        match self.chunks.get(&(number >> BITS)) {
            None => ABSENT,
            Some(Chunk::Few(few)) => find(few, low).map_or(ABSENT, |at| few[at] as u8 & 15),
            Some(Chunk::Many(many)) => many[low / 2] >> (low % 2 * 4) & 15,
        }
    }

    fn set(&mut self, number: u64, state: State) {
        let low = number as usize % NUMBERS;
        let chunk = self.chunks.entry(number >> BITS).or_insert_with(|| Chunk::Few(SmallVec::new()));
        match chunk {
            Chunk::Many(many) => put(many, low, state),
            Chunk::Few(few) => {
                let entry = (low << 4) as u16 | u16::from(state);
                match find(few, low) {
                    Ok(at) => few[at] = entry,
                    Err(at) => few.insert(at, entry),
                }
                if few.len() >= NUMBERS / 4 {
                    let mut many = Box::new([0; NUMBERS / 2]);
                    few.iter().for_each(|entry| put(&mut many, usize::from(entry >> 4), *entry as u8 & 15));
                    *chunk = Chunk::Many(many);
                }
            }
        }
    }
}

fn find(few: &[u16], low: usize) -> Result<usize, usize> {
    // Numbers mostly come in order.
    match few.last() {
        Some(last) if usize::from(last >> 4) < low => Err(few.len()),
        _ => few.binary_search_by_key(&low, |entry| usize::from(entry >> 4)),
    }
}

fn put(many: &mut [u8; NUMBERS / 2], low: usize, state: State) {
    let shift = low % 2 * 4;
    many[low / 2] = many[low / 2] & !(15 << shift) | state << shift;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_known_within_a_factor_of_two() {
        for len in (1..100_000).chain((17..32).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]))
        {
            let about = bytes(live(len));
            assert!(len <= 64 && about == 32 || (about / 2..=about * 2).contains(&len), "{len} is {about}");
        }
        assert_eq!(live(u64::MAX), 15);
        assert_eq!((live(0), live(64), live(65), live(256), live(257)), (2, 2, 3, 3, 4));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn they_are_what_a_map_is(
            steps in proptest::collection::vec((0..5_u8, 0..2500_u64, 1..5000_u64), 0..3000),
            spread in prop::sample::select(&[1_u64, 7, 4096][..]),
        ) {
            let mut jobs = Jobs::default();
            let mut model = BTreeMap::new();
            for (step, number, len) in steps {
                let number = number * spread;
                match step {
                    0 => prop_assert_eq!(jobs.end(number), model.contains_key(&number)),
                    1 => jobs.add(number, len, true),
                    _ => jobs.add(number, len, false),
                }
                match step {
                    0 => drop(model.get_mut(&number).map(|it| *it = false)),
                    1 => drop(model.entry(number).or_insert(false)),
                    _ => drop(model.insert(number, true)),
                }
            }
            for number in (0..2500).flat_map(|number| [number * spread, number * spread + 1]) {
                prop_assert_eq!(jobs.has(number), model.contains_key(&number));
                prop_assert_eq!(jobs.is_live(number), model.get(&number) == Some(&true));
            }
            prop_assert_eq!(jobs.live(), model.values().filter(|live| **live).count() as u64);
            prop_assert!(jobs.live_part(1000) <= 1000);
            jobs.end_all();
            for number in (0..2500).flat_map(|number| [number * spread, number * spread + 1]) {
                prop_assert_eq!(jobs.has(number), model.contains_key(&number));
                prop_assert!(!jobs.is_live(number));
            }
            prop_assert_eq!((jobs.live(), jobs.live_part(1000)), (0, 0));
        }
    }
}
