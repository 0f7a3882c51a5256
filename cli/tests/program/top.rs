//! `lineshaft top`, on a terminal and elsewhere, with our server and Debian's.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use lineshaft_tests::clock::{PATIENCE, now, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::Program;
use lineshaft_tests::server::{Maker, Server};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use serde_json::{Value, json};
use vt100::Parser;

use super::{Daemon, Place};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// A terminal with `top` on it.
struct Terminal {
    /// What a person would hold: keys go in, the picture comes out.
    hand: File,
    picture: Receiver<Vec<u8>>,
    parser: Parser,
    /// The program's side, which keeps the terminal open when the program has ended.
    inner: OwnedFd,
    before: Termios,
    top: Child,
}

impl Terminal {
    fn start(place: &Place, port: u16) -> Self {
        let hand = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&hand).unwrap();
        unlockpt(&hand).unwrap();
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&hand, size).unwrap();
        let name = ptsname(&hand, Vec::new()).unwrap().into_string().unwrap();
        let inner = File::options().read(true).write(true).open(name).unwrap();
        let before = tcgetattr(&inner).unwrap();
        let mut command = place.command("lineshaft");
        command.args(["top", "-i", "0.1", "-S", &format!("127.0.0.1:{port}")]).env("TERM", "xterm-256color");
        command.stdin(inner.try_clone().unwrap()).stdout(inner.try_clone().unwrap());
        let top = command.stderr(inner.try_clone().unwrap()).spawn().unwrap();
        let hand = File::from(hand);
        let (sender, picture) = channel();
        let mut source = hand.try_clone().unwrap();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = source.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let parser = Parser::new(ROWS, COLUMNS, 0);
        Self { hand, picture, parser, inner: inner.into(), before, top }
    }

    fn key(&mut self, key: &str) {
        self.hand.write_all(key.as_bytes()).unwrap();
    }

    /// Waits until the picture is such; what it is if it never is.
    fn wait(&mut self, what: &str, is: impl Fn(&str) -> bool) {
        let deadline = now() + PATIENCE;
        while !is(&self.parser.screen().contents()) {
            let left = deadline.saturating_duration_since(now());
            let Ok(chunk) = self.picture.recv_timeout(left) else {
                panic!("not {what}:\n{}", self.parser.screen().contents());
            };
            self.parser.process(&chunk);
        }
    }

    /// Waits for a row that has these words, whatever stands between them.
    fn wait_row(&mut self, words: &str) {
        let wanted: Vec<&str> = words.split(' ').collect();
        let is = |row: &str| {
            row.split_whitespace().collect::<Vec<_>>().windows(wanted.len()).any(|it| it == wanted)
        };
        self.wait(words, |screen| screen.lines().any(is));
    }

    /// Waits for the end: all well, and the terminal as it was.
    fn wait_end(mut self) {
        let ended = poll(PATIENCE, || self.top.try_wait().unwrap()).expect("the end of top");
        assert!(ended.success(), "{ended}");
        let modes = |it: &Termios| (it.input_modes, it.output_modes, it.local_modes);
        assert_eq!(modes(&tcgetattr(&self.inner).unwrap()), modes(&self.before));
        let deadline = now() + PATIENCE;
        while self.parser.screen().alternate_screen() || self.parser.screen().hide_cursor() {
            let chunk = self.picture.recv_timeout(deadline.saturating_duration_since(now()));
            self.parser.process(&chunk.expect("the terminal to be given back"));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.top.kill();
        let _ = self.top.wait();
    }
}

#[test]
fn a_terminal_shows_the_server_and_is_given_back() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let mut peer = daemon.connect();
    peer.text("create function resize\r\n").unwrap();
    let mut terminal = Terminal::start(&place, daemon.port);
    terminal.wait_row("resize 0 0 0");
    assert!(terminal.parser.screen().alternate_screen() && terminal.parser.screen().hide_cursor());
    let server = format!("127.0.0.1:{}", daemon.port);
    let submit = ["submit", "-b", "-S", &server, "resize", "x", "y"];
    place.run("lineshaft", &submit, b"").success().unwrap();
    terminal
        .wait("an alarm", |screen| screen.contains("ALARM  resize: 2 jobs wait and no worker can do them"));
    terminal.wait_row("resize 2 0 0");
    let mut work = place.command("lineshaft");
    let work = work.args(["work", "-S", &server, "resize", "--", "cat"]);
    let _worker = Program::start(work, b"").unwrap();
    terminal.wait_row("resize 0 0 1");
    terminal.wait("no alarm", |screen| !screen.contains("ALARM"));
    terminal.key("\t");
    terminal.wait_row("WORKER ID STATE RUNS");
    terminal.wait_row("127.0.0.1 - asleep -");
    terminal.key("q");
    terminal.wait_end();
}

#[test]
fn however_it_ends_the_terminal_is_given_back() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for end in ["\x03", "\x1b", "TERM", "HUP"] {
        let mut terminal = Terminal::start(&place, daemon.port);
        terminal.wait_row("queued 0 running 0");
        let pid = Pid::from_child(&terminal.top);
        match end {
            "TERM" => kill_process(pid, Signal::TERM).unwrap(),
            "HUP" => kill_process(pid, Signal::HUP).unwrap(),
            key => terminal.key(key),
        }
        terminal.wait_end();
    }
}

#[test]
fn gearmand_is_lost_and_comes_back() {
    let place = Place::new();
    let mut server = Server::start(Maker::Debian, &[]).unwrap();
    let mut peer = server.connect().unwrap();
    peer.text("create function resize\r\n").unwrap();
    let mut terminal = Terminal::start(&place, server.port());
    terminal.wait_row("resize 0 0 0");
    server.kill().unwrap();
    terminal.wait("lost", |screen| screen.contains("LOST  "));
    terminal.wait_row("resize 0 0 0");
    server.start_again().unwrap();
    terminal.wait("found again", |screen| !screen.contains("LOST") && !screen.contains("resize"));
    terminal.key("q");
    terminal.wait_end();
}

/// `top --once --json` of a server.
fn look(place: &Place, port: u16) -> Value {
    let words = ["top", "--once", "--json", "-S", &format!("127.0.0.1:{port}")];
    let text = place.run("lineshaft", &words, b"").success().unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn programs_get_json_from_both_servers() {
    let place = Place::new();
    let (daemon, debian) = (Daemon::start(&place, &[]), Server::start(Maker::Debian, &[]).unwrap());
    for (port, ours) in [(daemon.port, true), (debian.port(), false)] {
        let server = format!("127.0.0.1:{port}");
        place.run("lineshaft", &["submit", "-b", "-S", &server, "f", "x"], b"").success().unwrap();
        let look = look(&place, port);
        assert_eq!(look["queued"], 1);
        assert_eq!(look["server"], server);
        let function = &look["functions"][0];
        assert_eq!(function["function"], "f");
        assert_eq!([&function["queued"], &function["running"], &function["workers"]], [1, 0, 0]);
        assert_eq!(function["change_per_second"], Value::Null);
        assert_eq!(look["store"].is_object(), ours);
        assert_eq!(function["oldest_seconds"].is_number(), ours);
        assert_eq!(function["delayed"], if ours { json!(0) } else { Value::Null });
        let alarm =
            json!({ "kind": "no_worker", "function": "f", "text": "f: 1 job waits and no worker can do it" });
        assert_eq!(look["alarms"], json!([alarm]));
    }
}

#[test]
fn a_pipe_gets_looks_until_nobody_reads_them() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let mut command = place.command("lineshaft");
    command.args(["top", "--json", "-i", "0.1", "-S", &format!("127.0.0.1:{}", daemon.port)]);
    let mut top = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(top.stdout.take().unwrap()).lines();
    let server = format!("127.0.0.1:{}", daemon.port);
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(first["functions"], json!([]));
    place.run("lineshaft", &["submit", "-b", "-S", &server, "f", "x"], b"").success().unwrap();
    // The first look that knows the function has nothing to compare with, the next one has.
    let rated = lines.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let rated = rated.map(|look| look["functions"][0]["change_per_second"].clone()).find(Value::is_number);
    assert_eq!(rated, Some(json!(0.0)));
    drop(lines);
    let ended = poll(PATIENCE, || top.try_wait().unwrap()).expect("the end of top");
    assert!(ended.success(), "{ended}");
    let table = place.run("lineshaft", &["top", "--once", "-S", &server], b"").success().unwrap();
    assert!(table.contains("FUNCTION") && table.contains("ALARM  f: 1 job waits"), "{table}");
}

#[test]
fn a_server_that_was_never_there_is_a_wrong_address() {
    let place = Place::new();
    let words = ["top", "-S", &format!("127.0.0.1:{}", free_port().unwrap())];
    let outcome = place.run("lineshaft", &words, b"");
    assert_eq!(outcome.status.code(), Some(3), "{}", outcome.err);
    let outcome = place.run("lineshaft", &["top", "--interval", "0"], b"");
    assert!(outcome.status.code() == Some(2) && outcome.err.contains("at least 0.1 s"), "{}", outcome.err);
}
