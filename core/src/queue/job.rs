//! A job, as small as it can be: ten million of them may be queued.

use bytes::Bytes;

use super::counters::Tick;
use super::slab::{Linked, Links, List};
use crate::types::{Data, Priority};

/// The list of a function and priority that a queued job stands in.
#[derive(Debug)]
pub(crate) enum InQueue {}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the list of its function and priority.
    Queued,
    /// Its time has not come: in the table of times.
    Waiting,
    /// Its time has come: among the due jobs of its function.
    Due,
    /// A worker has it.
    Running,
}

/// What a job is about, and the unique it came with.
#[derive(Debug)]
enum Body {
    /// Unique and workload in one allocation.
    Small(Box<[u8]>),
    /// A workload that is shared with the buffer it was read into, or a unique beyond what peers are allowed by default.
    Large(Box<Large>),
}

#[derive(Debug)]
struct Large {
    unique: Box<[u8]>,
    workload: Bytes,
}

/// What few jobs have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The Unix second from which on the job may run; 0 for none.
    pub(crate) due: u64,
    /// The reducer, where there is one.
    pub(crate) reducer: Option<Box<[u8]>>,
    /// The number of the schedule that made the job; 0 for none.
    pub(crate) schedule: u64,
    /// The number of the job made last when this one was given back: it stands in line behind that one; 0 for never.
    pub(crate) turn: u64,
}

/// A unit of work, from its submission to its end.
#[derive(Debug)]
pub(crate) struct Job {
    /// The number in its handle, which no other job of this broker has or will have.
    pub(crate) number: u64,
    body: Body,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) function: u32,
    links: Links,
    /// The submissions that wait for the result.
    pub(crate) listeners: List<super::listener::OfJob>,
    /// Where a worker has it: the entry in the table of running jobs. Where it can run: the tick from which on it could. One
    /// field for both, because queued jobs are many.
    entry_or_tick: u32,
    unique_len: u16,
    /// How often it has been given back.
    pub(crate) returns: u16,
    place: Place,
    pub(crate) priority: Priority,
    /// A background submission has been told that the job exists: it is kept though nobody listens.
    pub(crate) background: bool,
    /// The unique is `-`: the workload tells which submissions are the same.
    pub(crate) by_workload: bool,
}

impl Linked<InQueue> for Job {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// What a new job is made of.
#[derive(Debug)]
pub(crate) struct NewJob<'a> {
    pub(crate) function: u32,
    pub(crate) unique: &'a [u8],
    pub(crate) priority: Priority,
    pub(crate) background: bool,
    pub(crate) workload: &'a Data<'a>,
    pub(crate) extra: Option<Box<Extra>>,
}

impl Job {
    pub(crate) fn new(number: u64, new: NewJob<'_>) -> Self {
        let NewJob { function, unique, priority, background, workload, extra } = new;
        let body = if workload.len() < Data::SHARE_FROM && unique.len() <= usize::from(u16::MAX) {
            let mut bytes = Vec::with_capacity(unique.len() + workload.len());
            bytes.extend_from_slice(unique);
            bytes.extend_from_slice(workload);
            Body::Small(bytes.into_boxed_slice())
        } else {
            Body::Large(Box::new(Large { unique: unique.into(), workload: workload.to_bytes() }))
        };
        Self {
            number,
            body,
            extra,
            function,
            links: Links::LOOSE,
            listeners: List::new(),
            entry_or_tick: 0,
            // Not looked at where the unique has an allocation of its own, as one that does not fit has.
            unique_len: unique.len() as u16,
            returns: 0,
            place: Place::Waiting,
            priority,
            background,
            by_workload: unique == b"-" && !workload.is_empty(),
        }
    }

    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    /// It waits for its time.
    pub(super) fn set_waiting(&mut self) {
        self.place = Place::Waiting;
    }

    /// It can run from `tick` on, and stands in `place`.
    pub(super) fn set_ready(&mut self, place: Place, tick: Tick) {
        (self.place, self.entry_or_tick) = (place, tick.0);
    }

    /// A worker has it.
    pub(super) fn set_running(&mut self, entry: u32) {
        (self.place, self.entry_or_tick) = (Place::Running, entry);
    }

    /// The entry in the table of running jobs; `None` where no worker has it.
    pub(crate) fn entry(&self) -> Option<u32> {
        (self.place == Place::Running).then_some(self.entry_or_tick)
    }

    /// Since when it can run; `None` where its time has not come, or a worker has it.
    pub(crate) fn ready_since(&self) -> Option<Tick> {
        matches!(self.place, Place::Queued | Place::Due).then_some(Tick(self.entry_or_tick))
    }

    pub(crate) fn unique(&self) -> &[u8] {
        match &self.body {
            Body::Small(bytes) => &bytes[..usize::from(self.unique_len)],
            Body::Large(large) => &large.unique,
        }
    }

    /// The workload, to be read or sent.
    pub(crate) fn workload(&self) -> Data<'_> {
        match &self.body {
            Body::Small(bytes) => Data::Borrowed(&bytes[usize::from(self.unique_len)..]),
            Body::Large(large) => Data::Shared(large.workload.clone()),
        }
    }

    fn workload_bytes(&self) -> &[u8] {
        match &self.body {
            Body::Small(bytes) => &bytes[usize::from(self.unique_len)..],
            Body::Large(large) => &large.workload,
        }
    }

    /// What tells whether a submission is the same as this job; `None` where none ever is.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self.unique() {
            b"" => None,
            b"-" => self.by_workload.then(|| self.workload_bytes()),
            unique => Some(unique),
        }
    }

    /// Memory that the job holds, for the limits on it.
    pub(crate) fn bytes(&self) -> u64 {
        let body = match &self.body {
            Body::Small(bytes) => bytes.len(),
            Body::Large(large) => large.unique.len() + large.workload.len(),
        };
        // What a job is made with counts, not what comes later: the sum must be the same when it is taken off again.
        let extra = self.extra.as_ref().filter(|extra| extra.due > 0 || extra.reducer.is_some());
        let extra = extra.map_or(0, |extra| {
            size_of::<Extra>() + Self::TIME + extra.reducer.as_ref().map_or(0, |reducer| reducer.len())
        });
        (body + extra + Self::OVERHEAD) as u64
    }

    /// Bytes that a queued job costs beside its unique and workload: its entry, the handle index and the allocator's share.
    pub(crate) const OVERHEAD: usize = 88;

    /// Bytes of an entry in the table of times.
    const TIME: usize = 40;

    pub(crate) fn due(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.due)
    }

    /// What tells its place in line among the jobs of its function and priority: its number, or when it was given back.
    pub(crate) fn turn(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.turn).max(self.number)
    }

    pub(crate) fn reducer(&self) -> Option<&[u8]> {
        self.extra.as_ref()?.reducer.as_deref()
    }
}

// "A queued background job costs its bytes plus at most 160 bytes."
const _: () = assert!(size_of::<Job>() <= 64);
