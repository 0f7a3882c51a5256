//! What is in each segment: which of its records are still needed.
//!
//! Jobs are in no index. A segment knows the numbers of its job records and which of these jobs live ([`Jobs`]), of which jobs it
//! has the last Returned, and how many of its Ends concern each other segment. So when may a record go?
//!
//! - **Add** of a job that has ended, or that another segment stands for: at any time. It goes with the file that has it.
//! - **End**: when no file has an Add of that job any more, durably: the file was removed or rewritten without it, and the directory
//!   was synced. Until then a crash could bring the job back. The Add may be in the very file that goes: both go at once.
//! - **Returned**: when its job has ended, or a later one of the same job is durable.
//! - **Counter**: at any time, as the header of each later segment says what the counter was then, and the last segment is left alone.

use std::collections::BTreeMap;

use super::jobs::Jobs;
use crate::store::record::Kind;

/// Bytes of a segment for each End or Returned.
const SMALL: u64 = 20;

/// A segment on the disk.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Tells it from one that has its name later.
    pub(super) id: u64,
    pub(super) sequence: u64,
    /// Where its valid bytes end.
    pub(super) end: u64,
    /// Not all of it can be read.
    pub(super) damaged: bool,
    /// It could not be written anew, for a reason of its own, and is left alone until the log is opened again.
    pub(super) stuck: bool,
    /// It has another name, which stays.
    pub(super) aside: bool,
    /// The mark of its batches.
    pub(super) mark: u64,
    pub(super) jobs: Jobs,
    /// Bytes of its job records.
    job_bytes: u64,
    /// Ends that are needed: how many, by the segment that has the job.
    ends: BTreeMap<u64, u64>,
    /// The jobs whose last Returned is here; those that have a later one elsewhere are dead here.
    returned: Jobs,
}

impl Place {
    /// Bytes that are still needed, about.
    fn needed(&self) -> u64 {
        let small = self.ends.values().sum::<u64>() + self.returned.live();
        self.jobs.live_part(self.job_bytes) + small * SMALL
    }

    fn is_dead(&self) -> bool {
        !self.damaged && self.jobs.live() == 0 && self.ends.is_empty() && self.returned.live() == 0
    }
}

/// All segments with valid bytes, in their order. The last one gets the next batch, or did get the last one.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) list: Vec<Place>,
    /// What is being written in place of some of them.
    pub(super) draft: Option<Place>,
    /// The highest number that was added.
    highest: u64,
    ids: u64,
}

impl Places {
    /// A segment more. Its records are told to [`Places::record`].
    pub(super) fn push(&mut self, sequence: u64, mark: u64) {
        let place = self.named(Place { sequence, mark, ..Place::default() });
        self.list.push(place);
    }

    fn named(&mut self, mut place: Place) -> Place {
        self.ids += 1;
        place.id = self.ids;
        place
    }

    /// The last segment has this record as well, of so many bytes.
    pub(super) fn record(&mut self, kind: Kind, number: u64, len: u64) {
        let Some((last, others)) = self.list.split_last_mut() else { return };
        match kind {
            Kind::Add => {
                let seen = number <= self.highest;
                let twice =
                    seen && (last.jobs.is_live(number) || others.iter().any(|it| it.jobs.is_live(number)));
                self.highest = number.max(self.highest);
                last.job_bytes += len;
                last.jobs.add(number, len, twice);
            }
            Kind::End => {
                last.jobs.end(number);
                last.returned.end(number);
                for place in others.iter_mut().chain(&mut self.draft) {
                    place.returned.end(number);
                    if place.jobs.end(number) {
                        *last.ends.entry(place.id).or_default() += 1;
                    }
                }
            }
            Kind::Returned => {
                // One that comes before its job says nothing.
                if last.jobs.is_live(number) || others.iter().any(|it| it.jobs.is_live(number)) {
                    for place in others.iter_mut().chain(&mut self.draft) {
                        place.returned.end(number);
                    }
                    last.returned.add(number, SMALL, false);
                }
            }
            Kind::Counter => {}
        }
    }

    /// Segments that hold nothing that is needed, except the last one. One behind a damaged one stays: its header says where that
    /// ends, which was not cut.
    pub(super) fn dead(&self) -> impl Iterator<Item = &Place> {
        let sealed = self.list.split_last().map_or(&[][..], |(_, sealed)| sealed);
        let behind_damage = [false].into_iter().chain(sealed.iter().map(|it| it.damaged));
        sealed.iter().zip(behind_damage).filter(|(it, behind)| it.is_dead() && !behind).map(|(it, _)| it)
    }

    /// Which segments to write anew, as a range of the list: damaged ones, those of which less than half is needed, and many small
    /// ones together.
    pub(super) fn wasteful(&self, segment_bytes: u64) -> Option<std::ops::Range<usize>> {
        /// So many segments in a row become one that is no larger than others.
        const IN_A_ROW: usize = 8;
        // What is not worth the work.
        let little = (segment_bytes / 16).min(4096);
        let sealed = self.list.len().saturating_sub(1);
        let list = &self.list[..sealed];
        if let Some(at) = list.iter().position(|it| it.damaged && !it.stuck) {
            return Some(at..at + 1);
        }
        let is_wasteful = |it: &Place| !it.stuck && it.end > 2 * it.needed() + little;
        let wasteful = list.iter().enumerate().filter(|(_, it)| is_wasteful(it));
        if let Some((at, _)) = wasteful.min_by_key(|(_, it)| it.needed() * 1000 / it.end) {
            return Some(at..at + 1);
        }
        let small = |run: &[Place]| {
            run.iter().all(|it| !it.stuck) && run.iter().map(|it| it.end).sum::<u64>() <= segment_bytes
        };
        list.windows(IN_A_ROW).position(small).map(|at| at..at + IN_A_ROW)
    }

    /// Begins what will be in place of the segments in `range`.
    pub(super) fn begin_draft(&mut self, sequence: u64, mark: u64) {
        self.draft = Some(self.named(Place { sequence, mark, ..Place::default() }));
    }

    /// Whether a record of the segment at `from`, one of those in `range`, is still needed. Those that are count for the draft from
    /// now on.
    pub(super) fn keep(
        &mut self,
        range: &std::ops::Range<usize>,
        from: usize,
        (kind, number, len): (Kind, u64, u64),
    ) -> bool {
        let Some(draft) = &mut self.draft else { return false };
        let list = &self.list;
        match kind {
            Kind::Add => {
                let keep = list[from].jobs.is_live(number) && !draft.jobs.has(number);
                if keep {
                    draft.job_bytes += len;
                    draft.jobs.add(number, len, false);
                }
                keep
            }
            Kind::End => {
                let others =
                    list.iter().enumerate().filter(|(at, it)| !range.contains(at) && it.jobs.has(number));
                let mut keep = false;
                for (_, place) in others {
                    *draft.ends.entry(place.id).or_default() += 1;
                    keep = true;
                }
                keep
            }
            Kind::Returned => {
                let keep = list[from].returned.is_live(number);
                if keep {
                    draft.returned.add(number, SMALL, false);
                }
                keep
            }
            Kind::Counter => false,
        }
    }

    /// Whether the draft has all that is needed of the segments in `range`, as far as can be counted.
    pub(super) fn draft_has_all(&self, range: &std::ops::Range<usize>) -> bool {
        let Some(draft) = &self.draft else { return false };
        let range = &self.list[range.clone()];
        range.iter().map(|it| it.jobs.live()).sum::<u64>() == draft.jobs.live()
            && range.iter().map(|it| it.returned.live()).sum::<u64>() == draft.returned.live()
    }

    /// The draft is on the disk, durably, in place of the first segment in `range`. What the others have counts no more.
    pub(super) fn replace(&mut self, range: std::ops::Range<usize>, end: Option<u64>) {
        let Some((draft, end)) = self.draft.take().zip(end) else { return };
        let gone = self.list[range.start].id;
        self.list[range.start] = Place { end, ..draft };
        for other in &mut self.list[range.start + 1..range.end] {
            other.jobs.end_all();
            other.returned.end_all();
        }
        self.forget(&[gone]);
    }

    /// What was written of the draft counts for nothing.
    pub(super) fn drop_draft(&mut self) {
        if let Some(draft) = self.draft.take() {
            self.forget(&[draft.id]);
        }
    }

    /// A segment is gone, durably.
    pub(super) fn remove(&mut self, ids: &[u64]) {
        self.list.retain(|it| !ids.contains(&it.id));
        self.forget(ids);
    }

    fn forget(&mut self, ids: &[u64]) {
        for place in self.list.iter_mut().chain(&mut self.draft) {
            for id in ids {
                place.ends.remove(id);
            }
        }
    }
}
