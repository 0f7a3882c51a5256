//! What a batch is to tables.

use std::collections::BTreeMap;

use crate::store::{Batch, Change, StoredJob};

/// The changes of a batch by kind. Done in the order of the fields they come to the same as in their own order: a number is
/// never used twice, and what is said of one follows its beginning.
#[derive(Debug, Default)]
pub(in crate::store) struct Plan<'a> {
    /// Jobs that are new, unless they are there already.
    pub(in crate::store) adds: Vec<StoredJob<'a>>,
    /// How often jobs have been given back.
    pub(in crate::store) returned: BTreeMap<u64, u16>,
    /// Jobs that have ended.
    pub(in crate::store) ends: Vec<u64>,
    /// The counter.
    pub(in crate::store) counter: Option<u64>,
}

impl<'a> Plan<'a> {
    pub(in crate::store) fn new(batch: &'a Batch) -> Self {
        let mut plan = Self::default();
        for change in batch.changes() {
            match change {
                Change::Add(job) => plan.adds.push(job),
                Change::Returned { number, returns } => {
                    plan.returned.insert(number, returns);
                }
                Change::End { number } => plan.ends.push(number),
                Change::Counter { number } => plan.counter = Some(number),
            }
        }
        plan
    }
}

/// Cuts jobs into pieces of at most so many rows and bytes; a job that is too large by itself is a piece of its own. `row`
/// is what a job costs beside its own bytes.
pub(in crate::store) fn chunks<'p, 'a>(
    mut jobs: &'p [StoredJob<'a>],
    rows: usize,
    bytes: usize,
    row: usize,
) -> impl Iterator<Item = (&'p [StoredJob<'a>], usize)> {
    std::iter::from_fn(move || {
        let first = jobs.first()?;
        let mut size = first.len() + row;
        let mut count = 1;
        for job in jobs.iter().take(rows).skip(1) {
            let more = size + job.len() + row;
            if more > bytes {
                break;
            }
            (size, count) = (more, count + 1);
        }
        let (chunk, rest) = jobs.split_at(count);
        jobs = rest;
        Some((chunk, size))
    })
}

/// Cuts a slice into pieces whose lengths are powers of two, the largest first: few statements serve all lengths.
#[cfg(feature = "mysql")]
pub(in crate::store) fn powers<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let (piece, rest) = items.split_at(1 << items.len().checked_ilog2()?);
        items = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u64, workload: &[u8]) -> StoredJob<'_> {
        StoredJob::new(number, b"f", workload)
    }

    #[test]
    fn the_last_that_is_said_of_a_job_counts() {
        let mut batch = Batch::new();
        for change in [
            Change::Add(job(2, b"x")),
            Change::Returned { number: 2, returns: 1 },
            Change::Counter { number: 9 },
            Change::End { number: 1 },
            Change::Returned { number: 2, returns: 2 },
            Change::Counter { number: 8 },
        ] {
            batch.push(&change);
        }
        let plan = Plan::new(&batch);
        assert_eq!(plan.adds, [job(2, b"x")]);
        assert_eq!(Vec::from_iter(plan.returned), [(2, 2)]);
        assert_eq!((plan.ends, plan.counter), (vec![1], Some(8)));
    }

    #[test]
    fn chunks_keep_to_rows_and_bytes() {
        let sizes = [10, 10, 10, 100, 1, 1, 1, 1];
        let bytes = [0; 100];
        let jobs: Vec<_> = sizes.iter().zip(1..).map(|(&size, number)| job(number, &bytes[..size])).collect();
        // Each has one byte of a name, and costs two more.
        let cut = |rows, bytes| -> Vec<(usize, usize)> {
            chunks(&jobs, rows, bytes, 2).map(|(chunk, size)| (chunk.len(), size)).collect()
        };
        assert_eq!(cut(100, 1000), [(8, 158)]);
        assert_eq!(cut(3, 1000), [(3, 39), (3, 111), (2, 8)]);
        assert_eq!(cut(100, 26), [(2, 26), (1, 13), (1, 103), (4, 16)]);
        assert_eq!(cut(1, 1).len(), 8);
        assert_eq!(chunks(&[], 1, 1, 1).count(), 0);
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn powers_of_two_add_up() {
        let lengths = |count| -> Vec<usize> { powers(&vec![0; count]).map(<[i32]>::len).collect() };
        assert!(lengths(0).is_empty());
        assert_eq!(lengths(1), [1]);
        assert_eq!(lengths(256), [256]);
        assert_eq!(lengths(255), [128, 64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(lengths(5), [4, 1]);
    }
}
