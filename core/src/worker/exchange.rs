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
mod tests {
    use super::*;
    use crate::protocol::{Data, Decoder, Frame, Limits, OutBuf, Step};

    /// An exchange whose packets are kept as names.
    struct Script {
        exchange: Exchange,
        sent: Vec<String>,
    }

    fn named(request: &Request<'_>) -> String {
        let mut out = OutBuf::new();
        request.encode(&mut out);
        let bytes = out.to_vec();
        let Ok(Step::Frame { frame: Frame::Request(request), .. }) =
            Decoder::new(Limits::default()).next(&bytes)
        else {
            panic!("{request:?} cannot be read back")
        };
        match request {
            Request::CanDo { function } => format!("CAN_DO {}", function.escape_ascii()),
            Request::CanDoTimeout { function, millis } => {
                format!("CAN_DO_TIMEOUT {} {millis}", function.escape_ascii())
            }
            Request::CantDo { function } => format!("CANT_DO {}", function.escape_ascii()),
            Request::SetClientId { id } => format!("ID {}", id.escape_ascii()),
            Request::AllYours => "ALL_YOURS".into(),
            Request::PreSleep => "PRE_SLEEP".into(),
            Request::Grab(Grab::All) => "GRAB".into(),
            Request::Work { handle, .. } => format!("END {}", handle.escape_ascii()),
            other => panic!("{other:?}"),
        }
    }

    impl Script {
        fn new(all_yours: bool, room: usize) -> Self {
            let settings =
                Settings { client_id: Some("me".into()), all_yours, answer_timeout: Duration::from_secs(30) };
            let mut script = Self { exchange: Exchange::new(settings, room), sent: Vec::new() };
            script.with(|exchange, send| {
                exchange.add(Ability { function: "f".into(), timeout: None }, send);
            });
            assert!(script.sent().is_empty(), "nothing is sent without a connection");
            script.with(|exchange, send| exchange.connected(send));
            script
        }

        fn with<R>(&mut self, act: impl FnOnce(&mut Exchange, &mut dyn FnMut(&[Request<'_>])) -> R) -> R {
            let sent = &mut self.sent;
            act(&mut self.exchange, &mut |requests| sent.extend(requests.iter().map(named)))
        }

        fn sent(&mut self) -> Vec<String> {
            std::mem::take(&mut self.sent)
        }

        /// Gives a packet; answers the job's handle and what was sent.
        fn gets(&mut self, response: Response<'static>) -> (Option<&'static [u8]>, Vec<String>) {
            let job = self.with(|exchange, send| exchange.receive(response, send).unwrap());
            (job.map(|job| job.handle), self.sent())
        }

        fn ends(&mut self, handle: &'static str) -> Vec<String> {
            self.with(|exchange, send| {
                exchange.finish(handle.as_bytes(), Work::Fail, send);
            });
            self.sent()
        }
    }

    fn assign(handle: &'static str) -> Response<'static> {
        Response::Assign(Assign {
            kind: Grab::Uniq,
            handle: handle.as_bytes(),
            function: b"f",
            unique: b"",
            reducer: b"",
            workload: Data::EMPTY,
        })
    }

    const NOT_EXPECTED: Response<'static> =
        Response::error(ErrorKind::InvalidCommand, "Command not expected");

    #[test]
    fn with_gearmand_it_grabs_and_sleeps() {
        let mut w = Script::new(true, 1);
        assert_eq!(w.sent(), ["ALL_YOURS", "ID me", "CAN_DO f", "GRAB"]);
        assert_eq!(w.gets(NOT_EXPECTED), (None, vec![]));
        assert_eq!(w.gets(Response::NoJob), (None, vec!["PRE_SLEEP".into()]));
        assert_eq!(w.gets(Response::Noop), (None, vec!["GRAB".into()]));
        assert_eq!(w.gets(assign("H:1")), (Some(&b"H:1"[..]), vec![]));
        assert_eq!(w.ends("H:1"), ["END H:1", "GRAB"]);
        // Another worker was faster, then a NOOP that was on its way before the grab.
        assert_eq!(w.gets(Response::Noop), (None, vec![]));
        assert_eq!(w.gets(Response::NoJob), (None, vec!["PRE_SLEEP".into()]));
    }

    #[test]
    fn with_our_server_jobs_are_pushed() {
        let mut w = Script::new(true, 1);
        w.sent();
        assert_eq!(w.gets(Response::NoJob), (None, vec!["PRE_SLEEP".into()]));
        assert_eq!(w.gets(assign("H:1")), (Some(&b"H:1"[..]), vec![]));
        assert_eq!(w.ends("H:1"), ["END H:1", "PRE_SLEEP"]);
        assert_eq!(w.gets(assign("H:2")), (Some(&b"H:2"[..]), vec![]));
        assert_eq!(w.ends("H:2"), ["END H:2", "PRE_SLEEP"]);
        // A server may wake it all the same.
        assert_eq!(w.gets(Response::Noop), (None, vec!["GRAB".into()]));
    }

    #[test]
    fn several_jobs_at_once_keep_one_question_open() {
        let mut w = Script::new(false, 3);
        assert_eq!(w.sent(), ["ID me", "CAN_DO f", "GRAB"]);
        assert_eq!(w.gets(assign("H:1")), (Some(&b"H:1"[..]), vec!["GRAB".into()]));
        assert_eq!(w.gets(assign("H:2")), (Some(&b"H:2"[..]), vec!["GRAB".into()]));
        assert_eq!(w.gets(assign("H:3")), (Some(&b"H:3"[..]), vec![]));
        assert_eq!(w.ends("H:2"), ["END H:2", "GRAB"]);
        assert_eq!(w.ends("H:1"), ["END H:1"]);
        assert_eq!(w.gets(Response::NoJob), (None, vec!["PRE_SLEEP".into()]));
        assert_eq!(w.ends("H:3"), ["END H:3"]);
        assert_eq!(w.exchange.room(), 3);

        let mut pushed = Script::new(true, 2);
        pushed.sent();
        assert_eq!(pushed.gets(assign("H:1")), (Some(&b"H:1"[..]), vec!["PRE_SLEEP".into()]));
        assert_eq!(pushed.gets(assign("H:2")), (Some(&b"H:2"[..]), vec![]));
        assert_eq!(pushed.ends("H:1"), ["END H:1", "PRE_SLEEP"]);
    }

    #[test]
    fn a_new_connection_registers_again_and_old_jobs_keep_their_room() {
        let mut w = Script::new(true, 2);
        w.sent();
        w.gets(assign("H:1"));
        w.exchange.lost();
        w.with(|exchange, send| {
            let timeout = Some(Duration::from_micros(10));
            exchange.add(Ability { function: "g".into(), timeout }, send);
        });
        assert_eq!(w.sent(), Vec::<String>::new());
        w.with(|exchange, send| exchange.connected(send));
        assert_eq!(w.sent(), ["ALL_YOURS", "ID me", "CAN_DO_TIMEOUT g 1", "CAN_DO f", "GRAB"]);
        assert_eq!(w.gets(assign("H:2")), (Some(&b"H:2"[..]), vec![]));
        w.with(|exchange, send| exchange.give_room(send));
        assert_eq!(w.sent(), ["PRE_SLEEP"]);
    }

    #[test]
    fn abilities_change_while_it_sleeps() {
        let mut w = Script::new(false, 1);
        w.gets(Response::NoJob);
        w.sent();
        w.with(|exchange, send| {
            exchange.add(Ability { function: "g".into(), timeout: None }, send);
            exchange.remove(b"f", send);
            exchange.remove(b"nothing", send);
        });
        assert_eq!(w.sent(), ["CAN_DO g", "PRE_SLEEP", "CANT_DO f"]);
    }

    #[test]
    fn a_job_without_room_gives_none_when_it_ends() {
        let mut w = Script::new(true, 1);
        w.gets(Response::NoJob);
        w.sent();
        w.with(|exchange, send| exchange.add(Ability { function: "g".into(), timeout: None }, send));
        assert_eq!(w.sent(), ["CAN_DO g", "PRE_SLEEP"]);
        // The server has pushed one for each PRE_SLEEP.
        assert_eq!(w.gets(assign("H:1")), (Some(&b"H:1"[..]), vec![]));
        assert_eq!(w.gets(assign("H:2")), (Some(&b"H:2"[..]), vec![]));
        assert_eq!(w.ends("H:1"), ["END H:1"]);
        assert_eq!(w.ends("H:2"), ["END H:2", "PRE_SLEEP"]);
        assert_eq!(w.exchange.room(), 1);
    }

    #[test]
    fn draining_asks_for_nothing_more() {
        let mut w = Script::new(false, 2);
        w.gets(assign("H:1"));
        w.exchange.drain();
        assert_eq!(w.gets(assign("H:2")), (Some(&b"H:2"[..]), vec![]));
        assert_eq!(w.ends("H:1"), ["END H:1"]);
        assert_eq!(w.ends("H:2"), ["END H:2"]);
    }

    #[test]
    fn a_server_that_does_not_answer_a_grab_is_given_up() {
        let mut w = Script::new(false, 1);
        let seconds = Duration::from_secs;
        assert_eq!(w.exchange.deadline(seconds(5)), Some(seconds(35)));
        assert!(w.exchange.expire(seconds(34)).is_ok());
        assert_eq!(w.exchange.expire(seconds(35)).unwrap_err().kind(), ErrorKind::Timeout);
        w.gets(Response::NoJob);
        assert_eq!(w.exchange.deadline(seconds(99)), None, "sleep has no end");
    }

    #[test]
    fn a_complaint_of_the_server_is_passed_on() {
        let mut w = Script::new(false, 1);
        w.sent();
        let late = Response::error(ErrorKind::JobNotFound, "Job given in work result not found");
        let error = w.with(|exchange, send| exchange.receive(late, send).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::JobNotFound);
        assert_eq!(w.gets(assign("H:1")).0, Some(&b"H:1"[..]), "and the conversation goes on");
    }
}
