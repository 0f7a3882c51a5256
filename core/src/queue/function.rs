//! A function: its jobs by priority, and the workers that sleep on it.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::counters::Counters;
use super::job::InQueue;
use super::slab::{Linked, Links, List, Slab};
use super::worker::Asleep;
use crate::types::Priority;

/// The list of functions that have jobs of one priority ready to run.
#[derive(Debug)]
pub(crate) struct Ready<const PRIORITY: usize>;

/// What a function is and has.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: Box<[u8]>,
    /// Jobs that can run, oldest first, by priority.
    pub(crate) queued: [List<InQueue>; 3],
    /// Jobs whose time has come, by number: they keep their place by submission among the jobs of normal priority.
    pub(crate) due: BTreeMap<u64, u32>,
    /// Jobs in the three lists; the normal one counts due jobs and those whose time has not come.
    pub(crate) counts: [u32; 3],
    /// Jobs whose time has not come.
    pub(crate) waiting: u32,
    pub(crate) running: u32,
    /// CAN_DOs in force. A worker that sent two counts twice, as in gearmand.
    pub(crate) registrations: u32,
    /// Workers that are registered.
    pub(crate) workers: u32,
    /// Jobs that have a unique, so that looking for one can pass over functions that have none.
    pub(crate) uniques: u32,
    /// How many jobs there may be before a submission of that priority is refused; 0 for no limit.
    pub(crate) max_queue: [u32; 3],
    /// Bytes that the jobs hold.
    pub(crate) bytes: u64,
    /// Registrations of workers that were asleep when they were put here; those that have woken since are passed over.
    pub(crate) sleepers: List<Asleep>,
    pub(crate) wake: Wake,
    /// When its last worker left, in monotonic time; `None` while there has been none. Says nothing while there are some.
    pub(crate) deserted: Option<Duration>,
    pub(crate) counters: Counters,
    ready: [Links; 3],
}

/// Where a function stands with waking: one job wakes one worker, and when nobody comes within the grace, more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wake {
    /// When to look again; `None` while nobody has been woken.
    pub(crate) at: Option<Duration>,
    /// The job that was first in line then.
    pub(crate) first: u64,
    /// How many to wake if it still is.
    pub(crate) next: u32,
}

impl<const PRIORITY: usize> Linked<Ready<PRIORITY>> for Function {
    fn links(&self) -> &Links {
        &self.ready[PRIORITY]
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.ready[PRIORITY]
    }
}

impl Function {
    fn new(name: &[u8]) -> Self {
        Self {
            name: name.into(),
            queued: [List::new(), List::new(), List::new()],
            due: BTreeMap::new(),
            counts: [0; 3],
            waiting: 0,
            running: 0,
            registrations: 0,
            workers: 0,
            uniques: 0,
            max_queue: [0; 3],
            bytes: 0,
            sleepers: List::new(),
            wake: Wake::default(),
            deserted: None,
            counters: Counters::default(),
            ready: [Links::LOOSE; 3],
        }
    }

    /// All jobs: queued, running and not yet due.
    pub(crate) fn total(&self) -> u32 {
        self.counts.iter().sum::<u32>() + self.running
    }

    /// Whether a job of `priority` can run now.
    pub(crate) fn has_ready(&self, priority: Priority) -> bool {
        !self.queued[priority.index()].is_empty() || (priority == Priority::Normal && !self.due.is_empty())
    }

    /// Whether any job can run now.
    pub(crate) fn is_ready(&self) -> bool {
        Priority::ALL.into_iter().any(|priority| self.has_ready(priority))
    }
}

/// The functions, by name and by number. A function stays until it is dropped, as in gearmand: monitoring counts on that.
#[derive(Debug)]
pub(crate) struct Functions {
    slab: Slab<Function>,
    /// Peers choose the names, hence a keyed hash.
    names: HashMap<Box<[u8]>, u32, Keyed>,
    high: List<Ready<0>>,
    normal: List<Ready<1>>,
    low: List<Ready<2>>,
    /// Functions in each of the three lists.
    ready: [u32; 3],
}

#[derive(Clone, Copy, Debug)]
struct Keyed([u64; 2]);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}

impl Functions {
    pub(crate) fn new(seed: [u64; 2]) -> Self {
        Self {
            slab: Slab::new(),
            names: HashMap::with_hasher(Keyed(seed)),
            high: List::new(),
            normal: List::new(),
            low: List::new(),
            ready: [0; 3],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<u32> {
        self.names.get(name).copied()
    }

    pub(crate) fn find_or_create(&mut self, name: &[u8]) -> u32 {
        if let Some(id) = self.find(name) {
            return id;
        }
        let id = self.slab.insert(Function::new(name));
        self.names.insert(name.into(), id);
        id
    }

    /// Forgets a function that has neither jobs nor registrations.
    pub(crate) fn remove(&mut self, id: u32) {
        if let Some(function) = self.slab.remove(id) {
            self.names.remove(&function.name);
        }
    }

    pub(crate) fn get(&self, id: u32) -> &Function {
        &self.slab[id]
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> &mut Function {
        &mut self.slab[id]
    }

    /// The functions from number `from` on, as [`Functions::iter`] has them.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &Function)> {
        self.slab.iter_from(from)
    }

    /// All functions, by number: the order of creation, but for numbers used again.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Function)> {
        self.slab.iter()
    }

    /// How many functions have a job of `priority` that can run.
    pub(crate) const fn ready_count(&self, priority: Priority) -> u32 {
        self.ready[priority.index()]
    }

    /// The functions that have a job of `priority` that can run.
    pub(crate) fn ready(&self, priority: Priority) -> impl Iterator<Item = u32> {
        let mut at = match priority {
            Priority::High => self.high.head(),
            Priority::Normal => self.normal.head(),
            Priority::Low => self.low.head(),
        };
        std::iter::from_fn(move || {
            let id = at;
            let function = self.slab.get(id)?;
            at = function.ready[priority.index()].next;
            Some(id)
        })
    }

    /// Enters or leaves the lists of ready functions, after the queue of `priority` has changed from `was` ready.
    pub(crate) fn note_ready(&mut self, id: u32, priority: Priority, was: bool) {
        let is = self.slab[id].has_ready(priority);
        if was == is {
            return;
        }
        let Self { slab, high, normal, low, ready, .. } = self;
        match (priority, is) {
            (Priority::High, true) => high.push_back(slab, id),
            (Priority::High, false) => high.remove(slab, id),
            (Priority::Normal, true) => normal.push_back(slab, id),
            (Priority::Normal, false) => normal.remove(slab, id),
            (Priority::Low, true) => low.push_back(slab, id),
            (Priority::Low, false) => low.remove(slab, id),
        }
        let count = &mut ready[priority.index()];
        *count = if is { *count + 1 } else { *count - 1 };
    }

    /// Whether any job of the function can run now.
    pub(crate) fn is_ready(&self, id: u32) -> bool {
        self.slab.get(id).is_some_and(Function::is_ready)
    }

    /// Where the function stands with waking; `None` where it has been dropped.
    pub(crate) fn wake_of(&self, id: u32) -> Option<Wake> {
        self.slab.get(id).map(|function| function.wake)
    }

    /// A job of `priority` has been handed out: the function moves behind the others that have some ready.
    pub(crate) fn rotate(&mut self, id: u32, priority: Priority) {
        let Self { slab, high, normal, low, ready, .. } = self;
        if ready[priority.index()] < 2 || !slab[id].has_ready(priority) {
            return;
        }
        match priority {
            Priority::High => move_back(high, slab, id),
            Priority::Normal => move_back(normal, slab, id),
            Priority::Low => move_back(low, slab, id),
        }
    }

    pub(super) fn push_sleeper(
        &mut self,
        id: u32,
        registrations: &mut Slab<super::worker::Registration>,
        entry: u32,
    ) {
        self.slab[id].sleepers.push_back(registrations, entry);
    }
}

fn move_back<const P: usize>(list: &mut List<Ready<P>>, slab: &mut Slab<Function>, id: u32) {
    list.remove(slab, id);
    list.push_back(slab, id);
}
