//! A worker's side of one conversation: what it can do, when it asks for jobs, when it sleeps.
//!
//! Pure: packets come in, packets go out, time is an argument.

use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::protocol::{Assign, Grab, Outgoing, Request, Response, Work};

/// Something that a worker can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ability {
    /// The function.
    pub function: Bytes,
    /// The time that a job of it may take before the server gives it to somebody else; `None` for no limit. Servers round
    /// everything below a second up to one.
    pub timeout: Option<Duration>,
}

impl Ability {
    fn request(&self) -> Request<'_> {
        match self.timeout {
            None => Request::CanDo { function: &self.function },
            Some(timeout) => {
                // 0 would mean no limit.
                let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64);
                Request::CanDoTimeout { function: &self.function, millis }
            }
        }
    }
}

/// What an exchange is given for life.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that the admin command `workers` shows; `None` leaves it at `-`.
    pub client_id: Option<Bytes>,
    /// The worker has this server only: jobs may be pushed to it. A server that does not know this is asked for jobs.
    pub all_yours: bool,
    /// How long the server may be silent while it owes an answer to GRAB_JOB_ALL.
    pub answer_timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is no connection.
    Away,
    /// The server thinks that the worker is busy.
    Awake,
    /// GRAB_JOB_ALL is under way.
    Grabbing,
    /// PRE_SLEEP has been sent: a NOOP comes, or a job where jobs are pushed.
    Asleep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Push {
    Off,
    /// ALL_YOURS has been sent; nothing has been answered since.
    Asked,
    On,
}

/// A worker's side of one conversation with one server. It outlives connections: what the worker can do and how much room it
/// has stay.
#[derive(Debug)]
pub struct Exchange {
    settings: Settings,
    abilities: Vec<Ability>,
    state: State,
    push: Push,
    /// How many more jobs may come.
    room: usize,
    /// Jobs that have come without room for them.
    excess: usize,
    draining: bool,
    silent_since: Option<Duration>,
}

impl Exchange {
    /// An exchange before its connection, for `room` jobs at once.
    pub fn new(settings: Settings, room: usize) -> Self {
        Self {
            settings,
            abilities: Vec::new(),
            state: State::Away,
            push: Push::Off,
            room,
            excess: 0,
            draining: false,
            silent_since: None,
        }
    }

    /// To be called first on every connection: registers everything and asks for the first job.
    pub fn connected(&mut self, send: &mut (impl Outgoing + ?Sized)) {
        let mut hello = Vec::with_capacity(self.abilities.len() + 2);
        self.push = Push::Off;
        if self.settings.all_yours {
            hello.push(Request::AllYours);
            self.push = Push::Asked;
        }
        if let Some(id) = &self.settings.client_id {
            hello.push(Request::SetClientId { id });
        }
        // Servers that go by order visit the last function first; so the first one of the caller comes first.
        hello.extend(self.abilities.iter().rev().map(Ability::request));
        send(&hello);
        self.state = State::Awake;
        self.silent_since = None;
        self.ask(send);
    }

    /// The connection has ended. Its jobs still take up room until [`Exchange::give_room`].
    pub fn lost(&mut self) {
        self.state = State::Away;
        self.silent_since = None;
    }

    /// Whether jobs may be pushed on later connections; see [`Settings::all_yours`].
    pub const fn set_all_yours(&mut self, all_yours: bool) {
        self.settings.all_yours = all_yours;
    }

    /// Adds an ability, or changes its timeout.
    pub fn add(&mut self, ability: Ability, send: &mut (impl Outgoing + ?Sized)) {
        let old = self.abilities.iter().position(|old| old.function == ability.function);
        if self.state != State::Away {
            send(&[ability.request()]);
        }
        match old {
            Some(at) => self.abilities[at] = ability,
            None => self.abilities.push(ability),
        }
        match self.state {
            // "Jobs already waiting cause no NOOP; the worker has to GRAB or PRE_SLEEP."
            State::Asleep => send(&[Request::PreSleep]),
            _ => self.ask(send),
        }
    }

    /// Removes an ability. The server gives jobs of it that run here to somebody else.
    pub fn remove(&mut self, function: &[u8], send: &mut (impl Outgoing + ?Sized)) {
        let before = self.abilities.len();
        self.abilities.retain(|ability| ability.function != function);
        if before != self.abilities.len() && self.state != State::Away {
            send(&[Request::CantDo { function }]);
        }
    }

    /// Takes one packet of the server; answers the job, where it is one.
    ///
    /// # Errors
    /// What the server complains about, and packets that workers do not get. The connection may go on.
    pub fn receive<'a>(
        &mut self,
        response: Response<'a>,
        send: &mut (impl Outgoing + ?Sized),
    ) -> Result<Option<Assign<'a>>, Error> {
        self.silent_since = None;
        match response {
            Response::Error { code, .. }
                if self.push == Push::Asked && ErrorKind::from_name(code) == ErrorKind::InvalidCommand =>
            {
                // The answer to ALL_YOURS, which was sent first. gearmand does not know it.
                self.push = Push::Off;
                return Ok(None);
            }
            Response::Assign(assign) => {
                self.confirm_push();
                self.state = State::Awake;
                match self.room.checked_sub(1) {
                    Some(room) => self.room = room,
                    // PRE_SLEEP was sent again, for a new ability, while a pushed job was on its way: two may have come.
                    None => self.excess += 1,
                }
                self.ask(send);
                return Ok(Some(assign));
            }
            Response::NoJob => {
                self.confirm_push();
                if self.state == State::Grabbing {
                    self.state = State::Asleep;
                    send(&[Request::PreSleep]);
                }
            }
            // One that comes while a grab is under way, or when there is no room, has been overtaken: the grab tells.
            Response::Noop => {
                if self.state == State::Asleep {
                    self.state = State::Awake;
                    if self.wants_more() {
                        self.state = State::Grabbing;
                        send(&[Request::Grab(Grab::All)]);
                    }
                }
            }
            Response::Error { code, text } => {
                let kind = ErrorKind::from_name(code);
                let detail = format!("{}: {}", code.escape_ascii(), text.escape_ascii());
                return Err(Error::new(kind, "server", detail));
            }
            // Answers to nothing that a worker asks; older servers send OPTION_RES where libgearman workers accept it.
            Response::Echo { .. } | Response::OptionSet { .. } => {}
            Response::JobCreated { .. }
            | Response::Work { .. }
            | Response::Status { .. }
            | Response::StatusUnique { .. }
            | Response::Text(_) => {
                let detail = "a packet for clients";
                return Err(Error::new(ErrorKind::UnexpectedPacket, "receive", detail));
            }
        }
        Ok(None)
    }

    const fn confirm_push(&mut self) {
        if matches!(self.push, Push::Asked) {
            self.push = Push::On;
        }
    }

    /// Reports the end of a job of this connection and asks for the next one in the same breath.
    pub fn finish(&mut self, handle: &[u8], work: Work<'_>, send: &mut (impl Outgoing + ?Sized)) {
        self.free_place();
        let end = Request::Work { handle, work };
        match self.question() {
            Some(question) => send(&[end, question]),
            None => send(&[end]),
        }
    }

    /// There is room for one more job. Not to be called for a job that [`Exchange::finish`] reports.
    pub fn give_room(&mut self, send: &mut (impl Outgoing + ?Sized)) {
        self.free_place();
        self.ask(send);
    }

    const fn free_place(&mut self) {
        match self.excess.checked_sub(1) {
            Some(excess) => self.excess = excess,
            None => self.room += 1,
        }
    }

    /// There shall be no room for now. A job that is on its way already, or is pushed, comes all the same.
    pub const fn take_room(&mut self) {
        self.room = 0;
    }

    /// How many more jobs may come.
    pub const fn room(&self) -> usize {
        self.room
    }

    /// True where the server has had no answer to its last word to this worker, and so may have a job.
    pub fn is_awake(&self) -> bool {
        self.state == State::Awake
    }

    /// True where a grab is under way.
    pub fn is_grabbing(&self) -> bool {
        self.state == State::Grabbing
    }

    /// Since when a grab has been waited for.
    pub fn grabbing_since(&self) -> Option<Duration> {
        self.silent_since.filter(|_| self.is_grabbing())
    }

    /// Asks for no more jobs from now on. One that is on its way already may still come.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    fn wants_more(&self) -> bool {
        self.room > 0 && !self.draining && !self.abilities.is_empty()
    }

    fn ask(&mut self, send: &mut (impl Outgoing + ?Sized)) {
        if let Some(question) = self.question() {
            send(&[question]);
        }
    }

    /// What to send so that the next job comes.
    fn question(&mut self) -> Option<Request<'static>> {
        if self.state != State::Awake || !self.wants_more() {
            return None;
        }
        if self.push == Push::On {
            // "PRE_SLEEP directly after WORK_COMPLETE gets the next job pushed when there is one."
            self.state = State::Asleep;
            return Some(Request::PreSleep);
        }
        self.state = State::Grabbing;
        Some(Request::Grab(Grab::All))
    }

    /// A large packet gets on, in either direction: the server is not silent, though it has not said anything whole.
    pub const fn moved(&mut self) {
        self.silent_since = None;
    }

    /// When [`Exchange::expire`] is due. To be asked before every wait: the silence of the server is measured from here.
    pub fn deadline(&mut self, now: Duration) -> Option<Duration> {
        (self.state == State::Grabbing)
            .then(|| self.silent_since.get_or_insert(now).saturating_add(self.settings.answer_timeout))
    }

    /// Looks whether the server has been silent for too long.
    ///
    /// # Errors
    /// It has: the connection is of no use any more.
    pub fn expire(&self, now: Duration) -> Result<(), Error> {
        let timeout = self.settings.answer_timeout;
        match self.silent_since {
            Some(since) if self.state == State::Grabbing && since.saturating_add(timeout) <= now => {
                let detail = format!("the server has not answered GRAB_JOB_ALL for {timeout:?}");
                Err(Error::new(ErrorKind::Timeout, "grab", detail))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
