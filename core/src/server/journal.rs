//! Changes on their way to the store, and the answers that wait for it. It stands behind the same lock as the broker; the thread
//! that calls the store is in `persist`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::Broker;
use crate::protocol::{OutBuf, Response};
use crate::store::{Batch, Change};
use crate::types::ConnId;

/// So many changes are stored at once, whether somebody waits for them or not.
const MANY: usize = 4096;

/// When jobs are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreWhen {
    /// Before the submitter has its answer.
    #[default]
    Submitted,
    /// When the server ends in an orderly way, as gearmand's `--store-queue-on-shutdown` has it: jobs that were submitted since the
    /// start are lost with anything else. Jobs that were stored before are kept until they have ended.
    Stopped,
}

/// What the store's thread waits to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// It does not wait.
    Nothing,
    /// There is something to store.
    Changes,
    /// There is something that cannot wait.
    Urgent,
}

/// What the store has not been given yet, or is being given.
#[derive(Debug)]
pub(super) struct Journal {
    /// Changes that gather for the next batch.
    gathering: Batch,
    /// The number of that batch.
    number: u64,
    /// The batch before it, while it is being made durable.
    flying: Option<Arc<Batch>>,
    /// Connections that are owed answers, by the batch that these wait for.
    waiters: VecDeque<(u64, ConnId)>,
    when: StoreWhen,
    /// Numbers up to this one may be in the store, where jobs are stored at the end.
    restored: u64,
    /// What the store's thread waits to be told.
    pub(super) waits_for: WaitsFor,
    /// The store has failed for too long: nobody waits for it.
    pub(super) refusing: bool,
    /// There is no server any more: what gathers is the last batch.
    pub(super) ending: bool,
}

impl Journal {
    /// A journal of a store whose jobs have numbers up to `restored`.
    pub(super) const fn new(when: StoreWhen, restored: u64) -> Self {
        Self {
            gathering: Batch::new(),
            number: 1,
            flying: None,
            waiters: VecDeque::new(),
            when,
            restored,
            waits_for: WaitsFor::Nothing,
            refusing: false,
            ending: false,
        }
    }

    /// Notes a change.
    pub(super) fn store(&mut self, change: &Change<'_>) {
        let wanted = match (self.when, change) {
            (StoreWhen::Submitted, _) | (_, Change::Counter { .. }) => true,
            (StoreWhen::Stopped, Change::End { number }) => *number <= self.restored,
            (StoreWhen::Stopped, _) => false,
        };
        if wanted {
            self.gathering.push(change);
        }
    }

    /// True, once, where the store's thread waits for what there is now.
    pub(super) fn rouse(&mut self) -> bool {
        let roused = match self.waits_for {
            WaitsFor::Nothing => false,
            WaitsFor::Changes => self.has_work(),
            WaitsFor::Urgent => self.is_urgent(),
        };
        if roused {
            self.waits_for = WaitsFor::Nothing;
        }
        roused
    }

    /// There is nothing to do, and more may come.
    pub(super) fn is_idle(&self) -> bool {
        !self.ending && !self.has_work()
    }

    /// There is something for the store.
    pub(super) fn has_work(&self) -> bool {
        !self.gathering.is_empty() || !self.waiters.is_empty()
    }

    /// Somebody waits for what has gathered, or it is much.
    pub(super) fn is_urgent(&self) -> bool {
        self.ending || !self.waiters.is_empty() || self.gathering.len() >= MANY
    }

    /// The batch that a job waits for; `None` where it is durable, or not to be.
    fn batch_of(&self, number: u64) -> Option<u64> {
        if self.gathering.adds(number) {
            Some(self.number)
        } else if self.flying.as_ref().is_some_and(|batch| batch.adds(number)) {
            Some(self.number - 1)
        } else {
            None
        }
    }

    /// Notes that an answer is owed; `false` where it may be given at once.
    pub(super) fn owes(&mut self, held: &mut Held, to: ConnId, number: u64) -> bool {
        let batch = self.batch_of(number);
        batch.is_some_and(|batch| self.hold(held, to, batch, Item::Answer(number)))
    }

    /// Notes that what `held` is sent next waits for all changes so far; `false` where these are durable.
    pub(super) fn confirms(&mut self, held: &mut Held, to: ConnId) -> bool {
        if !self.gathering.is_empty() {
            self.hold(held, to, self.number, Item::Sent(Box::default()))
        } else {
            self.flying.is_some() && self.hold(held, to, self.number - 1, Item::Sent(Box::default()))
        }
    }

    fn hold(&mut self, held: &mut Held, to: ConnId, batch: u64, item: Item) -> bool {
        if self.refusing {
            return false;
        }
        let last = held.items.back().map_or(0, |(batch, _)| *batch);
        if batch > last {
            // In the order of the batches: what flies comes before what gathers.
            if batch < self.number {
                self.waiters.push_front((batch, to));
            } else {
                self.waiters.push_back((batch, to));
            }
        }
        held.items.push_back((batch.max(last), item));
        true
    }

    /// Takes what has gathered; `spare` gathers from now on.
    pub(super) fn take_off(&mut self, spare: Batch) -> (u64, Arc<Batch>) {
        let batch = Arc::new(std::mem::replace(&mut self.gathering, spare));
        self.flying = Some(batch.clone());
        self.number += 1;
        (self.number - 1, batch)
    }

    /// The batch that flew has landed.
    pub(super) fn landed(&mut self) {
        self.flying = None;
    }

    /// A job in one of the batches is not to be stored; `flying` is the one that flies.
    pub(super) fn give_up(&mut self, flying: &mut Batch, number: u64) -> bool {
        self.gathering.give_up(number) || flying.give_up(number)
    }

    /// The next connection that is owed an answer by a batch up to this one.
    pub(super) fn next_waiter(&mut self, upto: u64) -> Option<ConnId> {
        let (batch, conn) = *self.waiters.front()?;
        (batch <= upto).then(|| {
            self.waiters.pop_front();
            conn
        })
    }

    /// The server has ended: notes what is to be kept beside what has been stored already.
    pub(super) fn end(&mut self, broker: &Broker) {
        self.ending = true;
        if self.when == StoreWhen::Stopped {
            let (restored, gathering) = (self.restored, &mut self.gathering);
            broker.each_stored(&mut |job| {
                if job.number > restored {
                    gathering.push(&Change::Add(job));
                }
            });
        }
        self.gathering.push(&Change::Counter { number: broker.last_number() });
    }

    /// A connection goes on to wait, before all others.
    pub(super) fn wait_first(&mut self, batch: u64, conn: ConnId) {
        self.waiters.push_front((batch, conn));
    }
}

/// What a connection is not sent yet: answers that wait for the store, and all that stands in line behind them.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: VecDeque<(u64, Item)>,
    bytes: usize,
}

#[derive(Debug)]
enum Item {
    /// JOB_CREATED of the job of this number.
    Answer(u64),
    /// What has been sent behind it.
    Sent(Box<OutBuf>),
}

/// What an answer is counted as, in bytes.
const ANSWER: usize = 64;

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes that are held, about.
    pub(super) fn len(&self) -> usize {
        self.bytes + ANSWER * self.items.len()
    }

    /// Puts a packet in line.
    pub(super) fn send(&mut self, response: &Response<'_>) {
        let Some((batch, last)) = self.items.back_mut() else { return };
        let batch = *batch;
        if let Item::Answer(_) = last {
            self.items.push_back((batch, Item::Sent(Box::default())));
        }
        if let Some((_, Item::Sent(sent))) = self.items.back_mut() {
            let before = sent.len();
            response.encode(sent);
            self.bytes += sent.len() - before;
        }
    }

    /// Something waits for a batch up to this one.
    pub(super) fn waits_for(&self, upto: u64) -> bool {
        self.items.front().is_some_and(|(batch, _)| *batch <= upto)
    }

    /// The next thing that waits for a batch up to this one.
    pub(super) fn next(&mut self, upto: u64) -> Option<Due> {
        if !self.waits_for(upto) {
            return None;
        }
        Some(match self.items.pop_front()?.1 {
            Item::Answer(number) => Due::Answer(number),
            Item::Sent(sent) => {
                self.bytes -= sent.len();
                Due::Sent(sent)
            }
        })
    }
}

/// Something that a connection has waited for.
#[derive(Debug)]
pub(super) enum Due {
    /// The answer to the submission of the job of this number.
    Answer(u64),
    /// What stood in line behind it.
    Sent(Box<OutBuf>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoredJob;
    use crate::types::Data;

    fn add(number: u64) -> Change<'static> {
        Change::Add(StoredJob::new(number, b"f", Data::EMPTY))
    }

    #[test]
    fn an_answer_waits_for_its_batch_and_what_follows_waits_behind_it() {
        let (mut journal, mut held) = (Journal::new(StoreWhen::Submitted, 0), Held::default());
        let conn = ConnId::new(0, 1);
        journal.store(&add(1));
        assert!(journal.owes(&mut held, conn, 1));
        held.send(&Response::NoJob);
        held.send(&Response::Noop);
        let (first, batch) = journal.take_off(Batch::new());
        journal.store(&add(2));
        assert!(journal.owes(&mut held, conn, 2) && journal.owes(&mut held, conn, 1), "1 is not durable yet");
        drop(batch);
        journal.landed();
        assert!(!journal.owes(&mut Held::default(), conn, 1), "now it is");
        assert_eq!((journal.next_waiter(first), journal.next_waiter(first)), (Some(conn), None));
        assert!(matches!(held.next(first), Some(Due::Answer(1))));
        assert!(matches!(held.next(first), Some(Due::Sent(sent)) if sent.len() == 24));
        assert!(held.next(first).is_none(), "the rest waits for the second batch");
        let (second, _) = journal.take_off(Batch::new());
        assert_eq!(journal.next_waiter(second), Some(conn));
        assert!(matches!(held.next(second), Some(Due::Answer(2))));
        assert!(matches!(held.next(second), Some(Due::Answer(1))), "in the order of the submissions");
        assert!(held.is_empty());
        assert_eq!((held.bytes, held.len()), (0, 0));
    }

    #[test]
    fn what_is_stored_at_the_end_is_only_ended_before() {
        let mut journal = Journal::new(StoreWhen::Stopped, 5);
        for change in [add(6), Change::End { number: 6 }, Change::Returned { number: 5, returns: 1 }] {
            journal.store(&change);
        }
        assert!(!journal.has_work() && !journal.owes(&mut Held::default(), ConnId::new(0, 1), 6));
        journal.store(&Change::End { number: 5 });
        assert!(journal.has_work());
    }

    #[test]
    fn what_nobody_waits_for_may_gather() {
        let mut journal = Journal::new(StoreWhen::Submitted, 0);
        let end = |number| Change::End { number };
        journal.waits_for = WaitsFor::Changes;
        assert!(!journal.rouse(), "there is nothing");
        journal.store(&end(1));
        assert!(journal.rouse() && !journal.rouse(), "told once");

        journal.waits_for = WaitsFor::Urgent;
        journal.store(&end(2));
        assert!(!journal.rouse() && journal.has_work());
        journal.store(&add(3));
        assert!(journal.owes(&mut Held::default(), ConnId::new(0, 1), 3));
        assert!(journal.rouse(), "somebody waits");

        let mut journal = Journal::new(StoreWhen::Submitted, 0);
        journal.waits_for = WaitsFor::Urgent;
        for number in 1..MANY as u64 {
            journal.store(&end(number));
        }
        assert!(!journal.rouse());
        journal.store(&end(MANY as u64));
        assert!(journal.rouse(), "many");
    }
}
