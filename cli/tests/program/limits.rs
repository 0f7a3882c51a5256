//! Each limit is met once, over the wire: what the peer is told names the limit and its value. (max-input, which takes several peers,
//! is met in core/tests/server_limits.rs; what is one word too many closes the connection as in gearmand, which the vectors check.)

use lineshaft_tests::wire::{Peer, kind, request};

use super::{Daemon, Place};

/// How a peer hears of a limit.
enum Told {
    /// An ERROR packet with this text in it.
    Error(&'static str),
    /// An `ERR` line with this text in it.
    Line(&'static str),
}
use Told::{Error, Line};

/// A row: the option and its value, what is sent on one connection, the answers that come before, and what is told.
struct Row {
    option: &'static str,
    value: &'static str,
    sent: Vec<Vec<u8>>,
    /// Packets of other types that come first.
    answers: usize,
    told: Told,
    /// The server closes the connection: what follows could not be understood, or it costs too much.
    closes: bool,
}

const SUBMIT_JOB_SCHED: u32 = 35;

fn submit(kind: u32, function: &[u8], length: usize) -> Vec<u8> {
    request(kind, &[function, b"", &vec![b'x'; length]])
}

fn every_minute(function: &[u8]) -> Vec<u8> {
    request(SUBMIT_JOB_SCHED, &[function, b"", b"*", b"*", b"*", b"*", b"*", b"x"])
}

fn row(option: &'static str, value: &'static str, sent: Vec<Vec<u8>>, answers: usize, told: Told) -> Row {
    Row { option, value, sent, answers, told, closes: false }
}

fn closing(option: &'static str, value: &'static str, sent: Vec<Vec<u8>>, told: Told) -> Row {
    Row { closes: true, ..row(option, value, sent, 0, told) }
}

fn rows() -> Vec<Row> {
    let job = |function: &[u8]| submit(kind::SUBMIT_JOB_BG, function, 1);
    let waiting = |function: &[u8]| submit(kind::SUBMIT_JOB, function, 1);
    let line = |text: &str| text.as_bytes().to_vec();
    vec![
        closing(
            "max-packet",
            "8192",
            vec![request(kind::ECHO_REQ, &[&[b'x'; 8193]])],
            Error("the limit (max_packet) is 8192 bytes"),
        ),
        closing(
            "max-argument",
            "512",
            vec![job(&[b'f'; 513])],
            Error("the limit (max_argument) is 512 bytes"),
        ),
        row("max-function", "3", vec![job(b"long")], 0, Error("at most 3 bytes (max_function)")),
        row(
            "max-unique",
            "3",
            vec![request(kind::SUBMIT_JOB_BG, &[b"f", b"long", b"x"])],
            0,
            Error("Unique value too large"),
        ),
        closing(
            "max-line",
            "512",
            vec![vec![b'x'; 513], line("\n")],
            Line("The+limit+(max_line)+is+512+bytes"),
        ),
        row("max-jobs", "1", vec![job(b"f"), job(b"g")], 1, Error("the limit (max_jobs) is 1 jobs")),
        row(
            "max-function-jobs",
            "1",
            vec![job(b"f"), job(b"g"), job(b"f")],
            2,
            Error("the limit (max_function_jobs) is 1 jobs"),
        ),
        row(
            "max-functions",
            "1",
            vec![job(b"f"), job(b"g")],
            1,
            Error("The limit of 1 functions (max_functions)"),
        ),
        row(
            "max-functions",
            "1",
            vec![line("create function f\ncreate function g\n")],
            0,
            Line("The+limit+of+1+functions+(max_functions)"),
        ),
        row(
            "max-abilities",
            "1",
            vec![request(kind::CAN_DO, &[b"f"]), request(kind::CAN_DO, &[b"g"])],
            0,
            Error("The limit of 1 abilities (max_abilities)"),
        ),
        row(
            "max-waiting",
            "1",
            vec![waiting(b"f"), waiting(b"f")],
            1,
            Error("The limit of 1 waiting submissions (max_waiting)"),
        ),
        row(
            "max-schedules",
            "1",
            vec![every_minute(b"f"), every_minute(b"g")],
            1,
            Error("The limit of 1 schedules (max_schedules)"),
        ),
        row("max-listing", "1", vec![job(b"f"), job(b"g"), line("show jobs\n")], 2, Line("max_listing+is+1")),
    ]
}

#[test]
fn each_limit_is_named_to_who_meets_it() {
    for row in rows() {
        let place = Place::new();
        let daemon = Daemon::start(&place, &[&format!("--{}={}", row.option, row.value)]);
        let mut peer = daemon.connect();
        for bytes in &row.sent {
            peer.send(bytes).unwrap();
        }
        for _ in 0..row.answers {
            let packet = peer.packet().unwrap();
            assert_eq!(packet.kind, kind::JOB_CREATED, "{}", row.option);
        }
        hears(&mut peer, &row.told, row.option);
        if row.closes {
            peer.closed().unwrap();
        } else {
            peer.send(b"version\n").unwrap();
        }
    }
}

/// Reads what a peer is told.
fn hears(peer: &mut Peer, told: &Told, option: &str) {
    let (said, text) = match told {
        Error(text) => (String::from_utf8_lossy(&peer.expect(kind::ERROR).unwrap()).into_owned(), text),
        Line(text) => {
            let mut said = peer.text("").unwrap();
            if said == "OK\r\n" {
                said = peer.text("").unwrap();
            }
            assert!(said.starts_with("ERR ") && said.ends_with("\r\n"), "{option}: {said}");
            (said, text)
        }
    };
    assert!(said.contains(text), "{option}: {said}");
}

/// Whoever is one too many is told in the language that it speaks, and a peer without a word in packets.
#[test]
fn a_connection_too_many_hears_why() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &["--max-connections", "1", "--verbose", "WARNING"]);
    let mut first = daemon.connect();
    first.sync().unwrap();
    let why = "The limit of 1 connections (max_connections) has been reached";
    for sent in [request(kind::CAN_DO, &[b"f"]), Vec::new()] {
        let mut peer = daemon.connect();
        peer.send(&sent).unwrap();
        let said = peer.expect(kind::ERROR).unwrap();
        assert_eq!(String::from_utf8_lossy(&said), format!("SERVER_ERROR\0{why}"));
        peer.closed().unwrap();
    }
    let mut peer = daemon.connect();
    let said = peer.text("status\n").unwrap();
    assert_eq!(said, format!("ERR TOO_MANY_CONNECTIONS {}\r\n", why.replace(' ', "+")));
    peer.closed().unwrap();
    first.sync().unwrap();
    assert!(place.read("log").contains(&format!("connection from 127.0.0.1 refused: {why}")));
}

/// Who does not read can be told nothing; the log says which limit it was.
#[test]
fn readers_that_do_not_read_are_cut_off() {
    for (option, name) in [("max-output", "max_output"), ("max-backlog", "max_backlog")] {
        let place = Place::new();
        let daemon = Daemon::start(&place, &[&format!("--{option}=8192"), "--verbose", "WARNING"]);
        let (mut client, mut worker) = (daemon.connect(), daemon.connect());
        client.submit(kind::SUBMIT_JOB, "f", "", b"x").unwrap();
        worker.request(kind::CAN_DO, &[b"f"]).unwrap();
        worker.request(kind::GRAB_JOB, &[]).unwrap();
        let job = worker.expect(kind::JOB_ASSIGN).unwrap();
        let handle = job.split(|byte| *byte == 0).next().unwrap();
        let data = vec![b'x'; 1 << 20];
        let named = format!("the limit ({name}) is 8192 bytes");
        // The sockets' own buffers hold some of it.
        let cut = (0..100).any(|_| {
            worker.request(kind::WORK_DATA, &[handle, &data]).unwrap();
            worker.sync().unwrap();
            place.read("log").contains(&named)
        });
        assert!(cut, "{}", place.read("log"));
    }
}
