//! A submitted job, from its place in the line to its last event.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use lineshaft::client::{Event, Task};
use lineshaft::types::JobHandle;
use lineshaft::{Client, Error, ErrorKind, Result};

use crate::client::Parameters;
use crate::executor::Operation;
use crate::output::{Item, Kind, Output};

/// How much of an exception an error's text shows, in bytes; all of it is in the error's data.
const SHOWN: usize = 200;

/// Submissions that wait, oldest first, for a connection or for room on it. Only the first is looked at.
#[derive(Default)]
pub(crate) struct Line {
    waiting: RefCell<VecDeque<(u64, Option<Waker>)>>,
    next: RefCell<u64>,
    /// Bytes of workloads that wait.
    bytes: RefCell<usize>,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        *self.bytes.borrow()
    }

    fn join(self: &Rc<Self>, bytes: usize) -> Turn {
        let number = self.next.replace_with(|next| *next + 1);
        self.waiting.borrow_mut().push_back((number, None));
        *self.bytes.borrow_mut() += bytes;
        Turn { line: self.clone(), number, bytes }
    }
}

/// A place in a [`Line`]; dropping it leaves the line.
struct Turn {
    line: Rc<Line>,
    number: u64,
    bytes: usize,
}

impl Turn {
    /// Whether it is this one's turn; if not, `waker` is woken when it is.
    fn has_come(&self, waker: &Waker) -> bool {
        let mut waiting = self.line.waiting.borrow_mut();
        match waiting.binary_search_by_key(&self.number, |(number, _)| *number) {
            Ok(0) | Err(_) => true,
            Ok(index) => {
                waiting[index].1 = Some(waker.clone());
                false
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.line.bytes.borrow_mut() -= self.bytes;
        let mut waiting = self.line.waiting.borrow_mut();
        let Ok(index) = waiting.binary_search_by_key(&self.number, |(number, _)| *number) else { return };
        waiting.remove(index);
        let next = if index == 0 { waiting.front_mut().and_then(|(_, waker)| waker.take()) } else { None };
        drop(waiting);
        if let Some(next) = next {
            next.wake();
        }
    }
}

type Starting = Pin<Box<dyn Future<Output = Result<Task>>>>;

enum State {
    Waiting { turn: Turn, client: Client, parameters: Rc<Parameters>, workload: Bytes },
    Starting { _turn: Turn, future: Starting },
    Running(Task),
    Refused(Error),
    Over,
}

/// A submitted job.
pub(crate) struct Submitted {
    state: State,
    /// The submitter wants to hear that the server has the job.
    tell_created: bool,
    /// The submitter takes events; otherwise they are gathered.
    tell_events: bool,
    paused: bool,
    handle: Option<JobHandle>,
    gathered: BytesMut,
    /// Data has come that nobody has been told of; it may be empty, and is an event all the same.
    untold: bool,
    /// How much may be gathered, in bytes.
    max_gathered: usize,
}

impl Submitted {
    pub(crate) fn new(tell_created: bool, max_gathered: usize) -> Self {
        Self {
            state: State::Over,
            tell_created,
            tell_events: false,
            paused: false,
            handle: None,
            gathered: BytesMut::new(),
            untold: false,
            max_gathered,
        }
    }

    /// Its submission has gone out.
    pub(crate) fn running(mut self, task: Task) -> Self {
        self.state = State::Running(task);
        self
    }

    /// It cannot be submitted.
    pub(crate) fn refused(mut self, error: Error) -> Self {
        self.state = State::Refused(error);
        self
    }

    /// It joins the line.
    pub(crate) fn waiting(
        mut self,
        line: &Rc<Line>,
        client: Client,
        parameters: Parameters,
        workload: Bytes,
    ) -> Self {
        let turn = line.join(workload.len());
        self.state = State::Waiting { turn, client, parameters: Rc::new(parameters), workload };
        self
    }

    /// What an event means for the task: `Some` where it was the last.
    fn take(&mut self, event: Event) -> Option<Result<Bytes>> {
        match event {
            Event::Data(data) => {
                if self.gathered.len() + data.len() > self.max_gathered {
                    let limit = self.max_gathered;
                    let detail = format!(
                        "the result is larger than maxResult ({limit} bytes); take its pieces as events"
                    );
                    return Some(Err(Error::new(ErrorKind::DataTooLarge, "task", detail)));
                }
                self.gathered.extend_from_slice(&data);
                self.untold = true;
                None
            }
            Event::Complete(data) if self.gathered.is_empty() => Some(Ok(data)),
            Event::Complete(data) => {
                self.gathered.extend_from_slice(&data);
                Some(Ok(self.gathered.split().freeze()))
            }
            Event::Fail => Some(Err(Error::new(ErrorKind::WorkFail, "task", ""))),
            Event::Exception(data) => {
                let text = String::from_utf8_lossy(&data[..data.len().min(SHOWN)]).into_owned();
                Some(Err(Error::new(ErrorKind::WorkException, "task", text).with_data(data)))
            }
            Event::Created(_) | Event::Warning(_) | Event::Status(_) => None,
        }
    }

    fn poll_task(&mut self, id: u32, cx: &mut Context<'_>, output: &mut Output) -> Poll<()> {
        loop {
            let State::Running(task) = &mut self.state else { return Poll::Ready(()) };
            if self.paused {
                return Poll::Pending;
            }
            let result = match Pin::new(task).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                // The end of a background job.
                Poll::Ready(None) => Some(Ok(Bytes::new())),
                Poll::Ready(Some(Err(error))) => Some(Err(error)),
                Poll::Ready(Some(Ok(event))) => match event {
                    Event::Created(handle) => {
                        if self.tell_created {
                            output.event(id, Kind::Created, [Item::from(&handle)]);
                        }
                        self.handle = Some(handle);
                        None
                    }
                    Event::Data(data) if self.tell_events => {
                        output.event(id, Kind::Data, [Item::Bytes(data)]);
                        None
                    }
                    Event::Warning(data) if self.tell_events => {
                        output.event(id, Kind::Warning, [Item::Bytes(data)]);
                        None
                    }
                    Event::Status(progress) if self.tell_events => {
                        let numbers = [progress.numerator.into(), progress.denominator.into()];
                        output.event(id, Kind::Status, numbers);
                        None
                    }
                    event => self.take(event),
                },
            };
            let handle = self.handle.as_ref();
            match result {
                None => continue,
                Some(Ok(data)) => {
                    let handle = handle.map_or(Item::Nothing, Item::from);
                    output.event(id, Kind::Complete, [Item::Bytes(data), handle]);
                }
                Some(Err(error)) => output.failed(id, &error, handle),
            }
            return Poll::Ready(());
        }
    }
}

impl Operation for Submitted {
    fn poll(&mut self, id: u32, cx: &mut Context<'_>, output: &mut Output) -> Poll<()> {
        loop {
            let state = std::mem::replace(&mut self.state, State::Over);
            self.state = match state {
                State::Waiting { turn, client, parameters, workload } => {
                    if !turn.has_come(cx.waker()) {
                        self.state = State::Waiting { turn, client, parameters, workload };
                        return Poll::Pending;
                    }
                    let future = async move { parameters.submission(&client, workload)?.start().await };
                    State::Starting { _turn: turn, future: Box::pin(future) }
                }
                State::Starting { _turn, mut future } => match future.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Starting { _turn, future };
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(task)) => State::Running(task),
                    Poll::Ready(Err(error)) => State::Refused(error),
                },
                State::Running(task) => {
                    self.state = State::Running(task);
                    return self.poll_task(id, cx, output);
                }
                State::Refused(error) => {
                    output.failed(id, &error, None);
                    return Poll::Ready(());
                }
                State::Over => return Poll::Ready(()),
            };
        }
    }

    fn listen(&mut self, id: u32, events: bool, output: &mut Output) {
        if let Some(handle) = self.handle.as_ref().filter(|_| !self.tell_created) {
            output.event(id, Kind::Created, [Item::from(handle)]);
        }
        self.tell_created = true;
        if events {
            self.tell_events = true;
            if std::mem::take(&mut self.untold) {
                output.event(id, Kind::Data, [Item::Bytes(self.gathered.split().freeze())]);
            }
        }
    }

    fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }
}
