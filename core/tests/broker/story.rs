//! A broker under virtual time, and scripts in words.
//!
//! ```text
//! w> CAN_DO f              connection `w` sends a packet (a connection opens when it is first named)
//! c> SUBMIT_JOB f '' x     '' is an empty argument; the data may be left out
//! c< JOB_CREATED T:1       the next thing that `c` has been sent is this
//! t> "status"              a text line;  t< "..." is a text answer, escaped as Rust does
//! w< CLOSE                 the broker closes the connection
//! c close                  the peer goes
//! +50ms                    both clocks run on, with a tick whenever the broker asks for one
//! wall -1h                 the wall clock jumps, unseen until the next input
//! drain                    the server is being stopped
//! end                      the server ends: all connections will close
//! ```
//! A script fails where something has been sent that it does not name: each run ends with nothing left over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use lineshaft::broker::{Broker, Config, Input, Now, Outbox, Stats};
use lineshaft::protocol::{Command, Decoder, HEADER_LEN, Limits, OutBuf, Request, Response, Step};
use lineshaft::store::Change;
use lineshaft::types::ConnId;

use crate::shelf::{Shelf, record};

/// Noon of 2026-11-21, a Saturday.
pub(crate) const NOON: u64 = 1_795_262_400;

pub(crate) struct Story {
    pub(crate) broker: Broker,
    pub(crate) now: Now,
    names: BTreeMap<String, ConnId>,
    inbox: BTreeMap<ConnId, VecDeque<String>>,
    limits: Limits,
    opened: u32,
    free_slots: Vec<u32>,
    shelf: Shelf,
    config: Config,
    /// Whether the broker's invariants are checked after each input; a story with thousands of peers has no time for it.
    pub(crate) checked: bool,
}

/// What the broker has sent during one input, as words, and what it has had stored.
#[derive(Default)]
pub(crate) struct Sent(pub(crate) Vec<(ConnId, String)>, pub(crate) Vec<Vec<u8>>);

impl Outbox for Sent {
    fn send(&mut self, to: ConnId, response: &Response<'_>) {
        self.0.push((to, words_of(response)));
    }

    fn store(&mut self, change: Change<'_>) {
        self.1.push(record(&change));
    }

    fn close(&mut self, conn: ConnId) {
        self.0.push((conn, "CLOSE".into()));
    }
}

/// A response as a script names it: the packet's bytes taken apart by the table, not by the decoder that is tested.
pub(crate) fn words_of(response: &Response<'_>) -> String {
    let mut out = OutBuf::new();
    response.encode(&mut out);
    let bytes = out.to_vec();
    if let Response::Text(text) = response {
        assert_eq!(bytes, *text);
        return format!("\"{}\"", text.escape_ascii());
    }
    assert_eq!(&bytes[..4], b"\0RES");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let command = Command::ALL.iter().find(|command| command.number() == number(4)).expect("a known type");
    assert_eq!(number(8) as usize, bytes.len() - HEADER_LEN, "the size says how long the body is");
    let count = command.arguments();
    let parts = if command.has_data() { count + 1 } else { count };
    let mut words = vec![command.name().to_owned()];
    for part in bytes[HEADER_LEN..].splitn(parts.max(1), |byte| *byte == 0) {
        words.push(if part.is_empty() { "''".into() } else { part.escape_ascii().to_string() });
    }
    // A packet without a body, or with no data behind its arguments, says nothing of it.
    if parts == 0 || command.has_data() && words.last().is_some_and(|word| word == "''") {
        words.pop();
    }
    words.join(" ")
}

/// The bytes of a line of a script.
pub(crate) fn packet(line: &str) -> Vec<u8> {
    if let Some(text) = line.strip_prefix('"') {
        return [text.strip_suffix('"').expect("a closing quote").as_bytes(), b"\n"].concat();
    }
    let mut words = line.split(' ');
    let name = words.next().expect("a packet's name");
    let command =
        Command::ALL.iter().find(|command| command.name() == name).unwrap_or_else(|| panic!("{name}?"));
    let mut args: Vec<Vec<u8>> =
        words.map(|word| if word == "''" { Vec::new() } else { word.as_bytes().to_vec() }).collect();
    args.resize(command.arguments() + usize::from(command.has_data()), Vec::new());
    let body = args.join(&0);
    [b"\0REQ", &command.number().to_be_bytes()[..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

impl Story {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_limits(Limits::default(), change)
    }

    pub(crate) fn with_limits(limits: Limits, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { handle_prefix: "T".into(), ..Config::default() };
        change(&mut config);
        Self {
            broker: Broker::new(config.clone(), limits).expect("usable settings"),
            shelf: Shelf::default(),
            config,
            now: Now { mono: Duration::from_secs(1), wall: Duration::from_secs(NOON) },
            names: BTreeMap::new(),
            inbox: BTreeMap::new(),
            limits,
            opened: 0,
            free_slots: Vec::new(),
            checked: true,
        }
    }

    /// Notes what an input has had stored.
    fn keep(&mut self, records: Vec<Vec<u8>>) {
        for record in records {
            self.shelf.keep(&record);
        }
    }

    /// The story goes on with a broker that knows what this one has had stored, and nothing else.
    pub(crate) fn restarted(self) -> Self {
        self.restarted_from(false)
    }

    /// The same, from everything that was stored and ended, as a log has it.
    pub(crate) fn restarted_from_history(self) -> Self {
        self.restarted_from(true)
    }

    fn restarted_from(mut self, from_history: bool) -> Self {
        let mut next = Self::with_limits(self.limits, |config| *config = self.config.clone());
        next.now = self.now;
        next.broker.advance_to(self.now);
        self.shelf.restore(&mut next.broker, from_history);
        next.shelf = self.shelf;
        next
    }

    pub(crate) fn stats(&self) -> Stats {
        *self.broker.stats()
    }

    /// Plays a script; nothing may be left over at its end.
    #[track_caller]
    pub(crate) fn run(&mut self, script: &str) {
        self.play(script);
        self.nothing_left();
    }

    /// Plays a script whose last answers are looked at by the caller.
    #[track_caller]
    pub(crate) fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = line.split("   #").next().unwrap_or_default().trim_end();
            self.line(line);
        }
    }

    #[track_caller]
    fn line(&mut self, line: &str) {
        if let Some((name, sent)) = line.split_once("> ") {
            self.send(name, &packet(sent));
        } else if let Some((name, wanted)) = line.split_once("< ") {
            let got = self.next(name);
            if got.as_deref() != Some(wanted) {
                let got = got.map(|got| got.chars().take(500).collect::<String>());
                panic!("{name} is to be sent `{wanted:.500}`, but has been sent {got:?}");
            }
        } else if let Some(name) = line.strip_suffix(" close") {
            let conn = self.names.remove(name).unwrap_or_else(|| panic!("no connection {name}"));
            self.apply(Input::Closed { conn });
            self.free_slots.push(conn.slot());
            let left = self.inbox.remove(&conn).unwrap_or_default();
            assert!(left.is_empty(), "{name} leaves {left:?} unread");
        } else if let Some(time) = line.strip_prefix('+') {
            self.advance(duration(time));
        } else if let Some(jump) = line.strip_prefix("wall ") {
            let wall = self.now.wall;
            let time = duration(&jump[1..]);
            self.now.wall = if jump.starts_with('-') { wall - time } else { wall + time };
        } else if line == "drain" {
            self.apply(Input::Drain);
        } else if line == "end" {
            self.apply(Input::End);
        } else {
            panic!("what is `{line}`?");
        }
    }

    /// The connection of that name, opened where it is new.
    pub(crate) fn conn(&mut self, name: &str) -> ConnId {
        if let Some(conn) = self.names.get(name) {
            return *conn;
        }
        // Slots are used again, as a server does.
        let slot = self.free_slots.pop().unwrap_or(self.names.len() as u32);
        self.opened += 1;
        let conn = ConnId::new(slot, self.opened);
        self.names.insert(name.into(), conn);
        self.apply(Input::Opened { conn, peer: "127.0.0.1" });
        conn
    }

    /// Sends what `bytes` hold, whole packets and lines.
    #[track_caller]
    pub(crate) fn send(&mut self, name: &str, mut bytes: &[u8]) {
        let conn = self.conn(name);
        let decoder = Decoder::new(self.limits);
        while !bytes.is_empty() {
            match decoder.next(bytes) {
                Ok(Step::Frame { length, frame }) => {
                    self.apply(Input::Received { conn, frame: &frame });
                    bytes = &bytes[length..];
                }
                other => panic!("{name} sends what is not whole: {other:?}"),
            }
        }
    }

    /// Sends a request that has never been bytes.
    pub(crate) fn request(&mut self, name: &str, request: &Request<'_>) {
        let conn = self.conn(name);
        self.apply(Input::Requested { conn, request });
    }

    pub(crate) fn apply(&mut self, input: Input<'_>) {
        let mut sent = Sent::default();
        self.broker.handle(self.now, input, &mut sent);
        self.keep(sent.1);
        if self.checked {
            #[cfg(debug_assertions)]
            self.broker.check();
            self.shelf.compare(&self.broker);
        }
        for (conn, words) in sent.0 {
            self.inbox.entry(conn).or_default().push_back(words);
        }
    }

    /// Both clocks run on by `time`, with a tick at each moment the broker asks for.
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.broker.next_wakeup()
            && at <= end
        {
            let step = at.saturating_sub(self.now.mono);
            self.now.mono += step;
            self.now.wall += step;
            self.apply(Input::Tick);
        }
        let rest = end - self.now.mono;
        self.now.mono += rest;
        self.now.wall += rest;
    }

    /// The next thing `name` has been sent.
    pub(crate) fn next(&mut self, name: &str) -> Option<String> {
        let conn = self.conn(name);
        self.inbox.get_mut(&conn)?.pop_front()
    }

    /// Sends a text line and answers what comes back.
    #[track_caller]
    pub(crate) fn admin(&mut self, line: &str) -> String {
        self.send("admin", &[line.as_bytes(), b"\n"].concat());
        let answer = self.next("admin").expect("an answer");
        let text = answer.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        text.unwrap_or(&answer).to_owned()
    }

    /// How many of the named connections have been sent exactly one NOOP and nothing else; takes it from them.
    pub(crate) fn take_noops(&mut self) -> usize {
        let mut noops = 0;
        for inbox in self.inbox.values_mut().filter(|inbox| !inbox.is_empty()) {
            assert_eq!(*inbox, ["NOOP"]);
            inbox.clear();
            noops += 1;
        }
        noops
    }

    #[track_caller]
    pub(crate) fn nothing_left(&self) {
        for (name, conn) in &self.names {
            if let Some(left) = self.inbox.get(conn) {
                assert!(left.is_empty(), "{name} has been sent more: {left:?}");
            }
        }
    }
}

/// `50ms`, `3s`, `2h`, `1d`.
fn duration(text: &str) -> Duration {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("`{text}` is no time"));
    match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "h" => Duration::from_secs(number * 3600),
        "d" => Duration::from_secs(number * 86_400),
        unit => panic!("`{unit}` is no unit"),
    }
}
