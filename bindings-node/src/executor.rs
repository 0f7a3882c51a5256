//! JavaScript's thread as an executor: operations lie in a table, other threads only say which want to be looked at.
//!
//! However many wakes come, JavaScript is called once for all of them, polls what is ready, and takes all events in one array.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use lineshaft::Result;
use napi::bindgen_prelude::{Array, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use napi_derive::napi;
use parking_lot::Mutex;

use crate::output::{Item, Kind, Output};
use crate::runtime::runtime;

/// Items after which JavaScript gets what there is, and its other callbacks a turn.
const MAX_ITEMS: usize = 8192;

type Call = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Something that takes time.
pub(crate) trait Operation {
    /// Goes on as far as possible; ready when it is over, and to be dropped.
    fn poll(&mut self, id: u32, cx: &mut Context<'_>, output: &mut Output) -> Poll<()>;

    /// From now on tell when the server has the job, and, with `events`, every other event as well; and what of that has
    /// come already.
    fn listen(&mut self, _id: u32, _events: bool, _output: &mut Output) {}

    /// Whether to stop taking events in.
    fn pause(&mut self, _paused: bool) {}
}

/// Which operations want to be looked at.
struct Signals {
    state: Mutex<Ready>,
    call: Call,
}

struct Ready {
    ids: Vec<u32>,
    /// JavaScript has been called, or is looking just now.
    called: bool,
}

struct Wake {
    signals: Arc<Signals>,
    id: u32,
    /// It stands in the list already.
    listed: AtomicBool,
}

impl std::task::Wake for Wake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.signals.state.lock().ids.push(self.id);
        self.signals.call();
    }
}

impl Signals {
    /// Sees to it that JavaScript looks.
    fn call(&self) {
        if !std::mem::replace(&mut self.state.lock().called, true) {
            // An error means that this JavaScript thread is ending: nobody waits any more.
            let _ = self.call.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

struct Slot {
    /// Taken out while it is polled.
    operation: Option<Box<dyn Operation>>,
    wake: Arc<Wake>,
    waker: Waker,
    /// Removed while it was being polled.
    removed: bool,
}

/// The operations of one JavaScript thread.
pub(crate) struct Executor {
    slots: RefCell<Slots>,
    signals: Arc<Signals>,
    /// What operations have told when they were added.
    early: RefCell<Output>,
}

#[derive(Default)]
struct Slots {
    table: Vec<Option<Slot>>,
    free: Vec<u32>,
    /// Ids of operations that have ended since the last run; what they told may still be on its way to JavaScript, and an id
    /// must not mean something else before that has arrived.
    ended: Vec<u32>,
    /// Those that had ended before the last run.
    aging: Vec<u32>,
}

impl Slots {
    /// With every run the ids whose last events have been handed out come to be free.
    fn age(&mut self) {
        self.free.append(&mut self.aging);
        std::mem::swap(&mut self.aging, &mut self.ended);
    }
}

impl Executor {
    /// Adds an operation and goes on with it as far as possible. What it tells at once comes with the next [`Loop::run`]. The
    /// runtime has been entered.
    pub(crate) fn add(&self, operation: Box<dyn Operation>) -> u32 {
        let id = self.place(operation);
        let mut output = self.early.take();
        let before = output.len();
        self.poll(id, &mut output);
        let told = output.len() > before;
        self.early.replace(output);
        if told {
            self.signals.call();
        }
        id
    }

    /// Finds a place for an operation.
    fn place(&self, operation: Box<dyn Operation>) -> u32 {
        let mut slots = self.slots.borrow_mut();
        let id = match slots.free.pop() {
            Some(id) => id,
            None => {
                slots.table.push(None);
                (slots.table.len() - 1) as u32
            }
        };
        let wake = Arc::new(Wake { signals: self.signals.clone(), id, listed: AtomicBool::new(false) });
        let waker = Waker::from(wake.clone());
        slots.table[id as usize] = Some(Slot { operation: Some(operation), wake, waker, removed: false });
        id
    }

    /// Adds a future with one value as its result.
    pub(crate) fn future(&self, future: impl Future<Output = Result<Item>> + 'static) -> u32 {
        self.add(Box::new(Value(Box::pin(future))))
    }

    /// Drops an operation.
    fn remove(&self, id: u32) {
        let mut slots = self.slots.borrow_mut();
        let Some(place) = slots.table.get_mut(id as usize) else { return };
        match place {
            Some(slot) if slot.operation.is_none() => slot.removed = true,
            Some(_) => {
                let slot = place.take();
                slots.ended.push(id);
                // What it wakes as it goes may look at the table.
                drop(slots);
                drop(slot);
            }
            None => {}
        }
    }

    fn change<R>(&self, id: u32, change: impl FnOnce(&mut dyn Operation) -> R) -> Option<R> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.table.get_mut(id as usize)?.as_mut()?;
        let result = change(slot.operation.as_deref_mut()?);
        let waker = slot.waker.clone();
        drop(slots);
        waker.wake();
        Some(result)
    }

    fn poll(&self, id: u32, output: &mut Output) {
        let (mut operation, waker) = {
            let mut slots = self.slots.borrow_mut();
            let Some(Some(slot)) = slots.table.get_mut(id as usize) else { return };
            slot.wake.listed.store(false, Ordering::Release);
            let Some(operation) = slot.operation.take() else { return };
            (operation, slot.waker.clone())
        };
        let over = operation.poll(id, &mut Context::from_waker(&waker), output).is_ready();
        let mut slots = self.slots.borrow_mut();
        if let Some(Some(slot)) = slots.table.get_mut(id as usize) {
            if over || slot.removed {
                slots.table[id as usize] = None;
                slots.ended.push(id);
            } else {
                slot.operation = Some(operation);
                return;
            }
        }
        drop(slots);
        drop(operation);
    }

    /// Polls what is ready.
    fn run(&self) -> Result<Output> {
        let _entered = runtime()?.enter();
        self.slots.borrow_mut().age();
        let mut output = self.early.take();
        let mut ids = Vec::new();
        // Nobody needs to call while this goes on.
        self.signals.state.lock().called = true;
        loop {
            {
                let mut state = self.signals.state.lock();
                if state.ids.is_empty() {
                    state.called = false;
                    return Ok(output);
                }
                if output.len() >= MAX_ITEMS {
                    // The rest has its turn after JavaScript's other callbacks.
                    drop(state);
                    let _ = self.signals.call.call((), ThreadsafeFunctionCallMode::NonBlocking);
                    return Ok(output);
                }
                std::mem::swap(&mut ids, &mut state.ids);
            }
            for id in ids.drain(..) {
                self.poll(id, &mut output);
            }
        }
    }
}

/// A future with one value as its result.
struct Value(Pin<Box<dyn Future<Output = Result<Item>>>>);

impl Operation for Value {
    fn poll(&mut self, id: u32, cx: &mut Context<'_>, output: &mut Output) -> Poll<()> {
        match self.0.as_mut().poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(item)) => output.event(id, Kind::Done, [item]),
            Poll::Ready(Err(error)) => output.failed(id, &error, None),
        }
        Poll::Ready(())
    }
}

/// The executor of a JavaScript thread. One of them is enough for a thread.
#[napi]
pub struct Loop {
    pub(crate) executor: Rc<Executor>,
}

#[napi]
impl Loop {
    /// `wake` is called when [`Loop::run`] has something to do. It does not keep the process alive.
    #[napi(constructor)]
    pub fn new(wake: Function<'_, (), ()>) -> napi::Result<Self> {
        let call = wake.build_threadsafe_function().weak::<true>().build()?;
        let state = Mutex::new(Ready { ids: Vec::new(), called: false });
        let signals = Arc::new(Signals { state, call });
        Ok(Self {
            executor: Rc::new(Executor { slots: RefCell::default(), signals, early: RefCell::default() }),
        })
    }

    /// Goes on with what is ready; answers the events.
    #[napi]
    pub fn run<'env>(&self, env: &'env Env) -> napi::Result<Array<'env>> {
        let output = self.executor.run().map_err(|error| napi::Error::from_reason(error.to_string()))?;
        output.into_array(env)
    }

    /// Ends an operation without an event.
    #[napi]
    pub fn remove(&self, id: u32) {
        self.executor.remove(id);
    }

    /// From now on the task tells when the server has the job, and with `events` every other event. Answers what it has to
    /// tell already.
    #[napi]
    pub fn listen<'env>(&self, env: &'env Env, id: u32, events: bool) -> napi::Result<Array<'env>> {
        let mut output = Output::default();
        self.executor.change(id, |operation| operation.listen(id, events, &mut output));
        output.into_array(env)
    }

    /// Whether the task is to hold its events back.
    #[napi]
    pub fn pause(&self, id: u32, paused: bool) {
        self.executor.change(id, |operation| operation.pause(paused));
    }
}
