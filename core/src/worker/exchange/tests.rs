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
    let Ok(Step::Frame { frame: Frame::Request(request), .. }) = Decoder::new(Limits::default()).next(&bytes)
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

const NOT_EXPECTED: Response<'static> = Response::error(ErrorKind::InvalidCommand, "Command not expected");

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
