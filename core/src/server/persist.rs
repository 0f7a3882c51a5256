//! The thread that calls the store: takes what has gathered, makes it durable while the next batch gathers, and lets those go who
//! have waited for it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::journal::{Due, Journal, WaitsFor};
use super::log::Kind;
use super::state::{Shared, State, Tools, Turn};
use crate::broker::Input;
use crate::store::{Batch, Store, StoreError};

/// Pauses between attempts while a store fails: the first one, doubled each time up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long changes gather that nobody waits for: that jobs have ended. Those that a crash takes with it run again.
const LINGER: Duration = Duration::from_millis(2);

/// How often a store that goes on failing is mentioned in the log.
const SAY: Duration = Duration::from_secs(60);

/// How long the server's end waits for a store that fails, before what is not stored is given up.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// So many batches without a pause, and one step of tidying is done between two of them.
const TIDY_AFTER: u32 = 64;

/// Answers given while the lock is held; then others have their turn.
const ANSWERS: usize = 1024;

/// A store that fails, seen from the first failure on.
#[derive(Debug)]
struct Outage {
    /// When those who wait are told, in the server's monotonic time.
    over: Duration,
    /// They have been told.
    told: bool,
    pause: Duration,
    /// When the log mentions it again.
    say: Duration,
    /// When the server's end gives up, once it has begun.
    last: Option<Duration>,
}

impl Outage {
    /// The server ends, and has waited long enough for the store.
    fn is_last(&mut self, now: Duration) -> bool {
        now >= *self.last.get_or_insert(now.saturating_add(LAST_WAIT))
    }
}

/// The store and what its thread needs.
pub(super) struct Persist {
    shared: Arc<Shared>,
    store: Box<dyn Store>,
    tools: Tools,
    /// Batches since the last step of tidying.
    untidy: u32,
}

impl Persist {
    pub(super) fn new(shared: Arc<Shared>, store: Box<dyn Store>) -> Self {
        Self { shared, store, tools: Tools::default(), untidy: 0 }
    }

    /// Works until the server has ended and all is durable that can be.
    pub(super) fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.work())).is_err() {
            let name = self.store.describe();
            let why = "the store has stopped by a fault in this program: restart the server, and report what stands in its log";
            tracing::error!(target: "lineshaft::store", "{name}: {why}");
            self.refuse(Arc::default(), why);
            // Nobody is left to store anything: nothing is to gather.
            self.shared.state.lock().journal = None;
        }
    }

    fn work(&mut self) {
        let mut spare = Batch::new();
        while let Some((number, batch)) = self.wait(spare) {
            spare = self.make_durable(number, batch);
            spare.clear();
        }
    }

    /// Waits for something to do; `None` when the server has ended and there is nothing left. Tidying goes on between batches, a
    /// step at a time, and while changes gather that nobody waits for.
    fn wait(&mut self, spare: Batch) -> Option<(u64, Arc<Batch>)> {
        let (heartbeat, mut more, mut lingered) = (self.store.heartbeat(), true, false);
        self.untidy += 1;
        if self.untidy >= TIDY_AFTER {
            self.tidy();
        }
        loop {
            {
                let mut state = self.shared.state.lock();
                let journal = state.journal.as_mut()?;
                if journal.is_idle() && !more {
                    journal.waits_for = WaitsFor::Changes;
                    match heartbeat {
                        None => self.shared.stirred.wait(&mut state),
                        Some(pause) => more = self.shared.stirred.wait_for(&mut state, pause).timed_out(),
                    }
                }
                let journal = state.journal.as_mut()?;
                let gathers = !lingered && journal.has_work() && !journal.is_urgent();
                if gathers && !more {
                    lingered = true;
                    journal.waits_for = WaitsFor::Urgent;
                    self.shared.stirred.wait_for(&mut state, LINGER);
                }
                let journal = state.journal.as_mut()?;
                journal.waits_for = WaitsFor::Nothing;
                if journal.has_work() && !(gathers && more) {
                    return Some(journal.take_off(spare));
                }
                if journal.ending && !journal.has_work() {
                    return None;
                }
            }
            more = more && self.tidy();
            // Changes have gathered meanwhile.
            lingered |= more;
        }
    }

    fn tidy(&mut self) -> bool {
        self.untidy = 0;
        self.store.tidy().unwrap_or_else(|error| {
            self.shared.report(Kind::Untidy, || error.to_string());
            false
        })
    }

    /// Makes a batch durable, however long that takes, and answers those who wait for it; who cannot wait so long gets an ERROR.
    /// Returns the batch for its memory.
    fn make_durable(&mut self, number: u64, mut batch: Arc<Batch>) -> Batch {
        let mut outage = None;
        while let Err(error) = self.commit(&batch) {
            let outage = self.note(&mut outage, &error);
            if self.shared.clock.now().mono >= outage.over && !outage.told {
                outage.told = true;
                batch = self.refuse(batch, &error.to_string());
            }
            if self.is_ending() && outage.is_last(self.shared.clock.now().mono) {
                // Callers of the same process may still be there to be told.
                let batch = self.refuse(batch, &error.to_string());
                let (left, name) = (batch.len(), self.store.describe());
                tracing::error!(target: "lineshaft::store", "{name}: {left} changes are not stored: jobs that have ended since it failed will run again");
                return Arc::into_inner(batch).unwrap_or_default();
            }
            self.pause(outage);
        }
        if outage.is_some() {
            tracing::info!(target: "lineshaft::store", "{}: well again", self.store.describe());
            self.set_failing(None, false);
        }
        // As long as somebody may ask whether the batch holds a job it is not ours alone.
        let land = |turn: &mut Turn<'_>| {
            turn.journal(Journal::landed);
            turn.settle(number, ANSWERS, &mut |_| None)
        };
        while self.turn(land) {}
        Arc::into_inner(batch).unwrap_or_default()
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() { Ok(()) } else { self.store.commit(batch) }
    }

    fn turn<R>(&mut self, apply: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        self.shared.turn(&mut self.tools, None, apply)
    }

    fn set_failing(&mut self, why: Option<&str>, refusing: bool) {
        self.turn(|turn| {
            turn.input(Input::Storing { failing: why, refusing });
            turn.journal(|journal| journal.refusing = refusing);
        });
    }

    fn is_ending(&self) -> bool {
        self.shared.state.lock().journal.as_ref().is_none_or(|journal| journal.ending)
    }

    /// Notes that the store fails, and says so.
    fn note<'a>(&mut self, outage: &'a mut Option<Outage>, error: &StoreError) -> &'a mut Outage {
        let now = self.shared.clock.now().mono;
        let over = now.saturating_add(self.store.patience());
        let outage =
            outage.get_or_insert(Outage { over, told: false, pause: PAUSES.0, say: now, last: None });
        if now >= outage.say {
            outage.say = now + SAY;
            tracing::error!(target: "lineshaft::store", "{error}");
        }
        self.set_failing(Some(&error.to_string()), outage.told);
        outage
    }

    /// Waits before the next attempt. What gathers meanwhile is left to gather; the server's end is not waited out.
    fn pause(&self, outage: &mut Outage) {
        let left = outage.over.saturating_sub(self.shared.clock.now().mono);
        let pause = match (outage.last, outage.told) {
            (Some(_), _) => PAUSES.0,
            (None, true) => outage.pause,
            (None, false) => outage.pause.min(left),
        };
        outage.pause = (outage.pause * 2).min(PAUSES.1);
        let Some(until) = self.shared.clock.after(pause) else { return };
        let mut state = self.shared.state.lock();
        let ends = |journal: &Journal| journal.ending && outage.last.is_none();
        while !state.journal.as_ref().is_some_and(ends) {
            if self.shared.stirred.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    /// Everybody who waits gets an ERROR, and so do from now on all who submit in the background. What ends meanwhile gathers, to
    /// be stored when the store is well again.
    fn refuse(&mut self, batch: Arc<Batch>, why: &str) -> Arc<Batch> {
        self.set_failing(Some(why), true);
        self.turn(|turn| turn.journal(Journal::landed));
        let mut batch = Arc::into_inner(batch).unwrap_or_default();
        let mut given_up = BTreeSet::new();
        while self.turn(|turn| {
            turn.settle(u64::MAX, ANSWERS, &mut |(state, number)| {
                // Several may wait for the same job. One that has ended meanwhile needs no store.
                let journal = state.journal.as_mut().filter(|_| state.broker.knows(number));
                let unstored = given_up.contains(&number)
                    || journal.is_some_and(|journal| journal.give_up(&mut batch, number));
                unstored.then(|| {
                    given_up.insert(number);
                    why
                })
            })
        }) {}
        Arc::new(batch)
    }
}

impl Turn<'_> {
    fn journal(&mut self, change: impl FnOnce(&mut Journal)) {
        if let Some(journal) = &mut self.state.journal {
            change(journal);
        }
    }

    /// Gives the answers that wait for batches up to this one, and what stands in line behind them; `refused` says which jobs are
    /// not stored, and why. True where there are more than `limit`.
    fn settle<'a>(
        &mut self,
        upto: u64,
        limit: usize,
        refused: &mut dyn FnMut((&mut State, u64)) -> Option<&'a str>,
    ) -> bool {
        self.settling = true;
        let mut count = 0;
        while count < limit {
            let Some(journal) = &mut self.state.journal else { return false };
            let Some(conn) = journal.next_waiter(upto) else { return false };
            let Some(held) = self.state.conn(conn).map(|conn| &mut conn.held) else { continue };
            // What the broker sends from here on goes out at once; it comes in the order of the line.
            let mut held = std::mem::take(held);
            while count < limit
                && let Some(due) = held.next(upto)
            {
                count += 1;
                match due {
                    Due::Sent(mut sent) => self.append(conn, &mut sent),
                    Due::Answer(number) => {
                        let input = match refused((self.state, number)) {
                            None => Input::Stored { conn, number },
                            Some(why) => Input::NotStored { conn, number, why },
                        };
                        self.input(input);
                    }
                }
            }
            if held.waits_for(upto) {
                self.journal(|journal| journal.wait_first(upto, conn));
            }
            if let Some(conn) = self.state.conn(conn) {
                conn.held = held;
            }
        }
        true
    }
}
