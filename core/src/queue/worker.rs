//! Workers: what they can do, in which order they are served, and who sleeps.

use std::time::Duration;

use super::Order;
use super::function::Functions;
use super::index::NumberMap;
use super::listener::OfConnection;
use super::running::{Held, Running};
use super::slab::{Linked, Links, List, Slab};
use crate::types::Priority;

/// The list of a worker's registrations, in the order in which they are served.
#[derive(Debug)]
pub(crate) enum OfWorker {}
/// The list of a function's sleepers, or of the registrations that their worker has to put there when it goes to sleep.
#[derive(Debug)]
pub(crate) enum Asleep {}

/// How many CAN_DOs of one worker for one function are counted; more of them change nothing.
const MAX_COUNT: u32 = 16;

/// A worker's CAN_DO.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) worker: u32,
    pub(crate) function: u32,
    /// How long a job may take, in milliseconds; 0 for no limit.
    pub(crate) timeout: u64,
    /// How often it has been sent, up to [`MAX_COUNT`].
    pub(crate) count: u32,
    /// Stands in the function's list of sleepers rather than in the worker's list of loose ones.
    among_sleepers: bool,
    of_worker: Links,
    asleep: Links,
}

impl Linked<OfWorker> for Registration {
    fn links(&self) -> &Links {
        &self.of_worker
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_worker
    }
}

impl Linked<Asleep> for Registration {
    fn links(&self) -> &Links {
        &self.asleep
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.asleep
    }
}

/// Whether a worker can be woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It asks by itself.
    #[default]
    Awake,
    /// It waits for a NOOP.
    Asleep,
    /// It has been sent a NOOP for a job of this function, and has not asked since.
    Woken(u32),
}

/// The queue's side of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) sleep: Sleep,
    registrations: List<OfWorker>,
    /// How many there are.
    abilities: u32,
    /// Registrations that are not in their function's list of sleepers.
    loose: List<Asleep>,
    /// The jobs it holds, the newest first.
    pub(super) held: List<Held>,
    /// The jobs it waits for.
    pub(super) listens: List<OfConnection>,
}

impl Peer {
    const fn new() -> Self {
        Self {
            sleep: Sleep::Awake,
            registrations: List::new(),
            abilities: 0,
            loose: List::new(),
            held: List::new(),
            listens: List::new(),
        }
    }
}

/// The queue's side of all connections, by slot.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    by_slot: Vec<Option<Peer>>,
    /// Those with registrations.
    pub(crate) workers: u32,
    /// Those that hold jobs.
    pub(crate) busy: u32,
    registrations: Registrations,
}

#[derive(Debug)]
struct Registrations {
    slab: Slab<Registration>,
    by_pair: NumberMap<u32>,
}

impl Default for Registrations {
    fn default() -> Self {
        Self { slab: Slab::new(), by_pair: NumberMap::default() }
    }
}

const fn pair(worker: u32, function: u32) -> u64 {
    (worker as u64) << 32 | function as u64
}

impl Peers {
    /// A connection has taken the slot.
    pub(crate) fn open(&mut self, slot: u32) {
        let slot = slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, || None);
        }
        self.by_slot[slot] = Some(Peer::new());
    }

    /// The connection has ended and its registrations are gone.
    pub(crate) fn close(&mut self, slot: u32) {
        self.by_slot[slot as usize] = None;
    }

    pub(crate) fn get(&self, slot: u32) -> &Peer {
        self.by_slot[slot as usize].as_ref().expect("the broker asks for open connections only")
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut Peer {
        self.by_slot[slot as usize].as_mut().expect("the broker asks for open connections only")
    }

    /// The registrations of a worker, the one to be served first at the front.
    pub(crate) fn registrations(&self, slot: u32) -> impl Iterator<Item = &Registration> {
        let list = &self.get(slot).registrations;
        list.iter(&self.registrations.slab).map(|id| &self.registrations.slab[id])
    }

    /// CAN_DO. The function registered last is served first.
    pub(crate) fn register(&mut self, functions: &mut Functions, slot: u32, function: u32, timeout: u64) {
        let Self { by_slot, workers, registrations: Registrations { slab, by_pair }, .. } = self;
        let Some(worker) = &mut by_slot[slot as usize] else { return };
        let id = match by_pair.get(&pair(slot, function)) {
            Some(id) => {
                if slab[*id].count < MAX_COUNT {
                    slab[*id].count += 1;
                    functions.get_mut(function).registrations += 1;
                }
                slab[*id].timeout = timeout;
                worker.registrations.remove(slab, *id);
                *id
            }
            None => {
                let id = slab.insert(Registration {
                    worker: slot,
                    function,
                    timeout,
                    count: 1,
                    among_sleepers: false,
                    of_worker: Links::LOOSE,
                    asleep: Links::LOOSE,
                });
                by_pair.insert(pair(slot, function), id);
                let target = functions.get_mut(function);
                target.registrations += 1;
                target.workers += 1;
                *workers += u32::from(worker.abilities == 0);
                worker.abilities += 1;
                worker.loose.push_back(slab, id);
                id
            }
        };
        worker.registrations.push_front(slab, id);
        if worker.sleep == Sleep::Asleep {
            self.settle(functions, slot);
        }
    }

    /// CANT_DO, at the monotonic time `now`. False where the worker could not do it anyway.
    pub(crate) fn unregister(
        &mut self,
        functions: &mut Functions,
        slot: u32,
        function: u32,
        now: Duration,
    ) -> bool {
        let Self { by_slot, workers, registrations: Registrations { slab, by_pair }, .. } = self;
        let Some(id) = by_pair.remove(&pair(slot, function)) else { return false };
        let Some(worker) = &mut by_slot[slot as usize] else { return false };
        worker.registrations.remove(slab, id);
        worker.abilities -= 1;
        *workers -= u32::from(worker.abilities == 0);
        let target = functions.get_mut(function);
        if slab[id].among_sleepers {
            target.sleepers.remove(slab, id);
        } else {
            worker.loose.remove(slab, id);
        }
        target.registrations -= slab[id].count;
        target.workers -= 1;
        if target.registrations == 0 {
            target.deserted = Some(now);
        }
        slab.remove(id);
        true
    }

    /// How many functions a worker is registered for.
    pub(crate) fn abilities(&self, slot: u32) -> u32 {
        self.get(slot).abilities
    }

    /// All registrations from the place `from` on, and empty places: the worker and the function.
    pub(crate) fn registrations_from(&self, from: u32) -> impl Iterator<Item = (u32, Option<(u32, u32)>)> {
        let places = self.registrations.slab.places_from(from);
        places.map(|(id, one)| (id, one.map(|one| (one.worker, one.function))))
    }

    /// The worker is given a job.
    pub(super) fn hold(&mut self, slot: u32, running: &mut Slab<Running>, entry: u32) {
        let held = &mut self.get_mut(slot).held;
        let first = held.is_empty();
        held.push_front(running, entry);
        self.busy += u32::from(first);
    }

    /// The job is taken out of its hands.
    pub(super) fn let_go(&mut self, slot: u32, running: &mut Slab<Running>, entry: u32) {
        let held = &mut self.get_mut(slot).held;
        held.remove(running, entry);
        let last = held.is_empty();
        self.busy -= u32::from(last);
    }

    /// The worker holds a job.
    pub(crate) fn is_busy(&self, slot: u32) -> bool {
        !self.get(slot).held.is_empty()
    }

    /// How many registrations there are, of all workers.
    pub(crate) const fn abilities_len(&self) -> usize {
        self.registrations.slab.len()
    }

    /// Whether the worker is registered for the function.
    pub(crate) fn can_do(&self, slot: u32, function: u32) -> bool {
        self.registrations.by_pair.contains_key(&pair(slot, function))
    }

    /// The functions a worker is registered for.
    pub(crate) fn functions_of(&self, slot: u32) -> Vec<u32> {
        self.registrations(slot).map(|registration| registration.function).collect()
    }

    /// The time a job of `function` may take at this worker, in milliseconds; 0 for no limit.
    pub(crate) fn timeout(&self, slot: u32, function: u32) -> u64 {
        let id = self.registrations.by_pair.get(&pair(slot, function));
        id.map_or(0, |id| self.registrations.slab[*id].timeout)
    }

    /// The worker goes to sleep: from now on its functions can wake it.
    pub(crate) fn fall_asleep(&mut self, functions: &mut Functions, slot: u32) {
        self.get_mut(slot).sleep = Sleep::Asleep;
        self.settle(functions, slot);
    }

    /// Puts the loose registrations into their functions' lists. Each was taken out by one wake-up (or is new), so that this
    /// costs no more than those did, however many functions the worker has.
    fn settle(&mut self, functions: &mut Functions, slot: u32) {
        let Self { by_slot, registrations: Registrations { slab, .. }, .. } = self;
        let Some(worker) = &mut by_slot[slot as usize] else { return };
        while let Some(id) = worker.loose.pop_front(slab) {
            slab[id].among_sleepers = true;
            let function = slab[id].function;
            functions.push_sleeper(function, slab, id);
        }
    }

    /// The worker that has slept longest on `function`; it stays asleep, but leaves the list. `None` where nobody sleeps.
    pub(crate) fn pop_sleeper(&mut self, functions: &mut Functions, function: u32) -> Option<u32> {
        let Self { by_slot, registrations: Registrations { slab, .. }, .. } = self;
        loop {
            let id = functions.get_mut(function).sleepers.pop_front(slab)?;
            let registration = &mut slab[id];
            registration.among_sleepers = false;
            let slot = registration.worker;
            let Some(worker) = &mut by_slot[slot as usize] else { continue };
            worker.loose.push_back(slab, id);
            if worker.sleep == Sleep::Asleep {
                return Some(slot);
            }
        }
    }

    /// The function whose job the worker is to get next, and the job's priority. The order is that of `order`; under
    /// [`Order::Global`] and with `round_robin` a function that is served moves behind the worker's others.
    pub(crate) fn choose(&self, functions: &Functions, slot: u32, order: Order) -> Option<(u32, Priority)> {
        let worker = self.get(slot);
        match order {
            Order::ByFunction { .. } => self.registrations(slot).find_map(|registration| {
                let function = functions.get(registration.function);
                let priority = Priority::ALL.into_iter().find(|priority| function.has_ready(*priority))?;
                Some((registration.function, priority))
            }),
            Order::Global => Priority::ALL.into_iter().find_map(|priority| {
                // Whichever list is shorter: what the worker can do, or what there is to do.
                let ready = functions.ready_count(priority);
                if ready == 0 {
                    None
                } else if ready < worker.abilities / 4 {
                    self.choose_among_ready(functions, slot, priority)
                } else {
                    let mut registrations = self.registrations(slot);
                    let found = registrations.find(|r| functions.get(r.function).has_ready(priority))?;
                    Some((found.function, priority))
                }
            }),
        }
    }

    /// For workers with many functions of which few have jobs: the ready function that has waited longest by the order of
    /// the list of ready functions.
    fn choose_among_ready(
        &self,
        functions: &Functions,
        slot: u32,
        priority: Priority,
    ) -> Option<(u32, Priority)> {
        let mut ready = functions.ready(priority);
        let found = ready.find(|function| self.registrations.by_pair.contains_key(&pair(slot, *function)))?;
        Some((found, priority))
    }

    /// A job of `function` has been handed to the worker: the function moves behind its others.
    pub(crate) fn rotate(&mut self, slot: u32, function: u32) {
        let Self { by_slot, registrations: Registrations { slab, by_pair }, .. } = self;
        let Some(id) = by_pair.get(&pair(slot, function)) else { return };
        let Some(worker) = &mut by_slot[slot as usize] else { return };
        if worker.abilities > 1 {
            worker.registrations.remove(slab, *id);
            worker.registrations.push_back(slab, *id);
        }
    }
}

#[cfg(any(test, debug_assertions))]
impl Peers {
    /// Walks all registrations and compares what is said twice.
    ///
    /// # Panics
    /// Where two places disagree.
    pub(super) fn check(&self, functions: &Functions) {
        let Registrations { slab, by_pair } = &self.registrations;
        assert_eq!(slab.len(), by_pair.len());
        let (mut workers, mut busy) = (0, 0);
        for (slot, worker) in self.by_slot.iter().enumerate() {
            let Some(worker) = worker else { continue };
            let mine: Vec<u32> = worker.registrations.iter(slab).collect();
            workers += u32::from(!mine.is_empty());
            busy += u32::from(!worker.held.is_empty());
            assert_eq!(mine.len(), worker.abilities as usize);
            assert!(mine.iter().all(|id| slab[*id].worker as usize == slot));
            let loose = mine.iter().filter(|id| !slab[**id].among_sleepers).count();
            assert_eq!(worker.loose.iter(slab).count(), loose);
            assert!(
                worker.sleep != Sleep::Asleep || loose == 0,
                "whoever sleeps can be woken for all it can do"
            );
        }
        assert_eq!((workers, busy), (self.workers, self.busy));
        for (id, function) in functions.iter() {
            let of_function = || slab.iter().filter(|(_, registration)| registration.function == id);
            assert_eq!(of_function().map(|(_, r)| r.count).sum::<u32>(), function.registrations);
            assert_eq!(of_function().count(), function.workers as usize);
            let asleep = of_function().filter(|(_, registration)| registration.among_sleepers).count();
            assert_eq!(function.sleepers.iter(slab).count(), asleep);
        }
    }
}
