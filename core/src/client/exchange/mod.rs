//! A client's side of one conversation: which answer belongs to which request, which report to which task.
//!
//! Pure: packets come in, packets go out, time is an argument.

mod question;
mod receive;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::event::Event;
use crate::error::{Error, ErrorKind};
use crate::protocol::{Outgoing, Request, Submit};
use crate::types::JobHandle;

pub use self::question::{Answer, Question};

/// A request of this client, until [`Exchange::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    index: u32,
    generation: u32,
}

impl Ticket {
    /// A small number, used again after the release, for a table beside the exchange.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// Limits and deadlines of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long the server may be silent while it owes an answer.
    pub answer_timeout: Duration,
    /// Bytes of events that a task may leave unread before it is given up.
    pub max_unread: usize,
}

/// What a request waits for on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Created { background: bool },
    Status,
    StatusUnique,
    Echo,
    Option,
}

#[derive(Clone, Copy, Debug)]
struct Unanswered {
    due: Due,
    /// [`NOBODY`] for requests of the exchange itself.
    index: u32,
}

const NOBODY: u32 = u32::MAX;

/// Handles up to this many bytes need no memory of their own.
const HANDLE_INLINE: usize = 64;

/// Where a request stands with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unanswered,
    Attached,
    Gone,
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    place: Place,
    /// False after the release; the place may still be needed to tell the packets of others.
    held: bool,
    /// True when nothing more will come for the owner.
    over: bool,
    /// The owner has not been told of `handle`.
    created_unread: bool,
    /// The server has told the handle.
    created: bool,
    handle: SmallVec<[u8; HANDLE_INLINE]>,
    /// The next task that is attached to the same job; the last one names the first.
    next: u32,
    events: VecDeque<Event>,
    /// Bytes in `events`.
    unread: usize,
    answer: Option<Answer>,
    error: Option<Error>,
}

/// A client's side of one conversation with one server.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Oldest first: "Requests of one connection are processed strictly in arrival order and their direct answers keep
    /// that order."
    unanswered: VecDeque<Unanswered>,
    /// The last task of each job that is attached to: the one behind it in the ring gets the next copy.
    by_handle: HashTable<u32>,
    hasher: FixedState,
    timers: BinaryHeap<Reverse<(Duration, Ticket)>>,
    /// Since when the driver has been waiting for an answer and nothing has come.
    silent_since: Option<Duration>,
}

impl Exchange {
    /// An exchange before its connection.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            entries: Vec::new(),
            free: Vec::new(),
            unanswered: VecDeque::new(),
            by_handle: HashTable::new(),
            hasher: FixedState::default(),
            timers: BinaryHeap::new(),
            silent_since: None,
        }
    }

    /// To be called once per connection, first: asks for exceptions where they are wanted.
    pub fn connected(&mut self, exceptions: bool, send: &mut (impl Outgoing + ?Sized)) {
        if exceptions {
            self.unanswered.push_back(Unanswered { due: Due::Option, index: NOBODY });
            send(&[Request::SetOption { name: b"exceptions" }]);
        }
    }

    /// Submits a job. `deadline` ends the wait of its owner, not the job.
    pub fn submit(
        &mut self,
        submit: Submit<'_>,
        deadline: Option<Duration>,
        send: &mut (impl Outgoing + ?Sized),
    ) -> Ticket {
        let ticket = self.expect(Due::Created { background: submit.background }, deadline);
        send(&[Request::Submit(submit)]);
        ticket
    }

    /// Asks a question.
    pub fn ask(
        &mut self,
        question: Question<'_>,
        deadline: Option<Duration>,
        send: &mut (impl Outgoing + ?Sized),
    ) -> Ticket {
        let (due, request) = match question {
            Question::Status(handle) => (Due::Status, Request::GetStatus { handle }),
            Question::StatusUnique(unique) => (Due::StatusUnique, Request::GetStatusUnique { unique }),
            Question::Echo(data) => (Due::Echo, Request::Echo { data: data.into() }),
            Question::Option(name) => (Due::Option, Request::SetOption { name }),
        };
        let ticket = self.expect(due, deadline);
        send(&[request]);
        ticket
    }

    fn expect(&mut self, due: Due, deadline: Option<Duration>) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                place: Place::Gone,
                held: false,
                over: false,
                created_unread: false,
                created: false,
                handle: SmallVec::new(),
                next: NOBODY,
                events: VecDeque::new(),
                unread: 0,
                answer: None,
                error: None,
            });
            self.entries.len() as u32 - 1
        });
        let entry = &mut self.entries[index as usize];
        entry.place = Place::Unanswered;
        entry.held = true;
        self.unanswered.push_back(Unanswered { due, index });
        let ticket = Ticket { index, generation: entry.generation };
        if let Some(deadline) = deadline {
            self.set_timer(deadline, ticket);
        }
        ticket
    }

    fn set_timer(&mut self, deadline: Duration, ticket: Ticket) {
        // Timers of finished tasks stay until they are due; they must not outnumber the tasks.
        if self.timers.len() > 64 + 2 * self.entries.len() {
            let entries = &self.entries;
            self.timers.retain(|Reverse((_, ticket))| {
                let entry = &entries[ticket.index()];
                entry.generation == ticket.generation && !entry.over
            });
        }
        self.timers.push(Reverse((deadline, ticket)));
    }

    /// How many requests wait for their direct answer.
    pub fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// True where packets of the server are awaited: answers, or reports of attached jobs.
    pub fn is_waiting(&self) -> bool {
        !self.unanswered.is_empty() || !self.by_handle.is_empty()
    }

    fn answer(&mut self, index: u32, answer: Answer, woke: &mut impl FnMut(Ticket)) {
        self.entries[index as usize].answer = Some(answer);
        self.end(index, None, woke);
    }

    /// Nothing more will come for a request.
    fn end(&mut self, index: u32, error: Option<Error>, woke: &mut impl FnMut(Ticket)) {
        let entry = &mut self.entries[index as usize];
        if entry.held && !entry.over {
            entry.over = true;
            entry.error = error;
            woke(Ticket { index, generation: entry.generation });
        }
        self.leave(index);
    }

    /// The server has said its last word about a request.
    fn leave(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.place = Place::Gone;
        if !entry.held {
            self.recycle(index);
        }
    }

    fn recycle(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.over = false;
        entry.created_unread = false;
        entry.created = false;
        entry.handle.clear();
        entry.next = NOBODY;
        entry.events.clear();
        entry.unread = 0;
        entry.answer = None;
        entry.error = None;
        self.free.push(index);
    }

    fn entry(&self, ticket: Ticket) -> Option<&Entry> {
        self.entries.get(ticket.index()).filter(|entry| entry.held && entry.generation == ticket.generation)
    }

    fn entry_mut(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        self.entries
            .get_mut(ticket.index())
            .filter(|entry| entry.held && entry.generation == ticket.generation)
    }

    /// The job's handle, once the server has told it.
    pub fn handle(&self, ticket: Ticket) -> Option<JobHandle> {
        self.entry(ticket).filter(|entry| entry.created).map(|entry| JobHandle::from(&entry.handle[..]))
    }

    /// True when the server has told the job's handle.
    pub fn is_created(&self, ticket: Ticket) -> bool {
        self.entry(ticket).is_some_and(|entry| entry.created)
    }

    /// The oldest unread event of a task.
    pub fn next_event(&mut self, ticket: Ticket) -> Option<Event> {
        let entry = self.entry_mut(ticket)?;
        if std::mem::take(&mut entry.created_unread) {
            return Some(Event::Created(JobHandle::from(&entry.handle[..])));
        }
        let event = entry.events.pop_front()?;
        entry.unread -= event.size();
        Some(event)
    }

    /// True where [`Exchange::next_event`] would have one.
    pub fn has_event(&self, ticket: Ticket) -> bool {
        self.entry(ticket).is_some_and(|entry| entry.created_unread || !entry.events.is_empty())
    }

    /// As [`Exchange::next_event`], for an owner who wants the result alone and has no use for [`Event::Created`].
    pub fn next_result_event(&mut self, ticket: Ticket) -> Option<Event> {
        self.entry_mut(ticket)?.created_unread = false;
        self.next_event(ticket)
    }

    /// The answer to a question, once.
    pub fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.entry_mut(ticket)?.answer.take()
    }

    /// True when nothing more will come: unread events and [`Exchange::error`] are all there is.
    pub fn is_over(&self, ticket: Ticket) -> bool {
        self.entry(ticket).is_none_or(|entry| entry.over)
    }

    /// Why a request ended without an answer.
    pub fn error(&self, ticket: Ticket) -> Option<&Error> {
        self.entry(ticket)?.error.as_ref()
    }

    /// The owner wants no more of a request. A foreground job goes on at the server, its result is dropped.
    pub fn release(&mut self, ticket: Ticket) {
        let Some(entry) = self.entry_mut(ticket) else { return };
        entry.held = false;
        entry.events.clear();
        if entry.place == Place::Gone {
            self.recycle(ticket.index);
        }
    }

    /// The connection has ended: everything that was under way ends with `reason`.
    pub fn lost(&mut self, reason: &Error, woke: &mut impl FnMut(Ticket)) {
        self.unanswered.clear();
        self.by_handle.clear();
        self.silent_since = None;
        for index in 0..self.entries.len() {
            if self.entries[index].place != Place::Gone {
                self.end(index as u32, Some(reason.clone()), woke);
            }
        }
    }

    /// True where [`Exchange::deadline`] would name one.
    pub fn has_deadline(&self) -> bool {
        !self.unanswered.is_empty() || !self.timers.is_empty()
    }

    /// A large packet gets on, in either direction: the server is not silent, though it has not said anything whole.
    pub const fn moved(&mut self) {
        self.silent_since = None;
    }

    /// When [`Exchange::expire`] is due. To be asked before every wait: the silence of the server is measured from here.
    pub fn deadline(&mut self, now: Duration) -> Option<Duration> {
        let answer = if self.unanswered.is_empty() {
            None
        } else {
            Some(self.silent_since.get_or_insert(now).saturating_add(self.settings.answer_timeout))
        };
        let timer = self.timers.peek().map(|Reverse((deadline, _))| *deadline);
        answer.into_iter().chain(timer).min()
    }

    /// Ends the tasks whose deadline has passed.
    ///
    /// # Errors
    /// The server owes an answer and has been silent for too long: the connection is of no use any more.
    pub fn expire(&mut self, now: Duration, woke: &mut impl FnMut(Ticket)) -> Result<(), Error> {
        while let Some(Reverse((deadline, ticket))) = self.timers.peek().copied() {
            if deadline > now {
                break;
            }
            self.timers.pop();
            if let Some(entry) = self.entry_mut(ticket)
                && !entry.over
            {
                entry.over = true;
                let detail = "the task's own timeout has passed; the job may still run";
                entry.error = Some(Error::new(ErrorKind::Timeout, "task", detail));
                woke(ticket);
            }
        }
        let timeout = self.settings.answer_timeout;
        match self.silent_since {
            Some(since) if !self.unanswered.is_empty() && since.saturating_add(timeout) <= now => {
                let detail = format!("the server owes an answer and has sent nothing for {timeout:?}");
                Err(Error::new(ErrorKind::Timeout, "answer", detail))
            }
            _ => Ok(()),
        }
    }
}

/// The error that an ERROR packet tells.
pub(crate) fn server_error(operation: &'static str, code: &[u8], text: &[u8]) -> Error {
    let kind = ErrorKind::from_name(code);
    // Text for people; a control character in it could play tricks on their terminal.
    let text: String = String::from_utf8_lossy(text).chars().filter(|letter| !letter.is_control()).collect();
    let detail = match kind {
        ErrorKind::Server => format!("{}: {text}", code.escape_ascii()),
        _ => text.to_string(),
    };
    Error::new(kind, operation, detail)
}

#[cfg(test)]
mod tests;
