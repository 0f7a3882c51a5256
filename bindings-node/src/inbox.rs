//! What a worker's I/O thread leaves for JavaScript.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Waker;

use lineshaft::Error;
use lineshaft::worker::{Job, Outcome};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Troubles that may wait for JavaScript; more are not told. Jobs are bounded by the worker's concurrency.
const MAX_TROUBLES: usize = 1000;

/// What JavaScript is to know.
pub(crate) enum Message {
    Job {
        number: u32,
        function: u32,
        job: Job,
        done: oneshot::Sender<Outcome>,
    },
    /// The worker does not wait for this job any more.
    BrokenOff(u32),
    /// Something is wrong with a server.
    Trouble(String, Error),
    Ended(Option<Error>),
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    troubles: usize,
    waker: Option<Waker>,
}

/// Messages of one worker.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    next: AtomicU32,
}

impl Inbox {
    pub(crate) fn put(&self, message: Message) {
        let mut state = self.state.lock();
        if matches!(message, Message::Trouble(..)) {
            if state.troubles >= MAX_TROUBLES {
                return;
            }
            state.troubles += 1;
        }
        state.messages.push_back(message);
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes everything; `waker` is woken by what comes next.
    pub(crate) fn take(&self, waker: &Waker) -> VecDeque<Message> {
        let mut state = self.state.lock();
        if state.waker.is_none() {
            state.waker = Some(waker.clone());
        }
        state.troubles = 0;
        std::mem::take(&mut state.messages)
    }

    /// Hands a job to JavaScript and waits for what comes of it.
    pub(crate) async fn run(self: Arc<Self>, function: u32, job: Job) -> Outcome {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (done, outcome) = oneshot::channel();
        let mut unless = BreakOff { inbox: &self, number, armed: true };
        self.put(Message::Job { number, function, job, done });
        match outcome.await {
            Ok(outcome) => {
                unless.armed = false;
                outcome
            }
            // The JavaScript thread has ended without an answer: its worker stops, which hands the job back.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Tells of a job whose future is dropped before its end.
struct BreakOff<'a> {
    inbox: &'a Inbox,
    number: u32,
    armed: bool,
}

impl Drop for BreakOff<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.inbox.put(Message::BrokenOff(self.number));
        }
    }
}
