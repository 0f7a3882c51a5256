//! The daemon's HTTP, as curl sees it.

use std::fs;
use std::path::Path;
use std::process::Command;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::run;
use rustix::process::Signal;

use super::{Daemon, Place};

const CAN_DO: u32 = 1;
const GRAB_JOB: u32 = 9;
const JOB_ASSIGN: u32 = 11;
const WORK_COMPLETE: u32 = 13;
const SUBMIT_JOB_BG: u32 = 18;

/// The status and the body that curl gets.
fn curl(words: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "--max-time", "60"]);
    let said = run(command.args(words), b"").unwrap().success().unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

/// A daemon with further options and HTTP, and the address of that.
fn start(place: &Place, words: &[&str]) -> (Daemon, String) {
    let port = free_port().unwrap().to_string();
    let daemon = Daemon::start(place, &[&["--http", &port][..], words].concat());
    (daemon, format!("http://localhost:{port}"))
}

#[test]
fn jobs_go_in_and_results_come_out() {
    let place = Place::new();
    let (daemon, http) = start(&place, &[]);
    let mut worker = daemon.connect();
    worker.request(CAN_DO, &[b"reverse"]).unwrap();
    worker.sync().unwrap();
    let body = r#"{"function": "reverse", "workload": "abc", "background": true}"#;
    let json = "Content-Type: application/json";
    let (status, text) = curl(&["-H", json, "-d", body, &format!("{http}/api/jobs")]);
    assert_eq!(status, "201", "{text}");
    worker.request(GRAB_JOB, &[]).unwrap();
    let job = worker.expect(JOB_ASSIGN).unwrap();
    let handle = job.split(|byte| *byte == 0).next().unwrap().to_vec();
    assert!(text.contains(&String::from_utf8_lossy(&handle).into_owned()), "{text}");
    worker.request(WORK_COMPLETE, &[&handle, b"cba"]).unwrap();
    worker.sync().unwrap();
    let (status, text) = curl(&[&format!("{http}/metrics")]);
    assert_eq!(status, "200");
    assert!(text.contains("\nlineshaft_jobs_done_total{function=\"reverse\"} 1\n"), "{text}");
    let (status, text) = curl(&[&format!("{http}/api/openapi.json")]);
    assert!(status == "200" && text.contains("\"openapi\": \"3.1.0\""), "{text}");
    daemon.process.signal(Signal::TERM);
    daemon.process.wait_end();
}

#[test]
fn who_drains_is_alive_and_not_ready() {
    let place = Place::new();
    let (daemon, http) = start(&place, &[]);
    assert_eq!(curl(&[&format!("{http}/readyz")]), ("200".into(), "ready\n".into()));
    let mut peer = daemon.connect();
    let handle = peer.submit(SUBMIT_JOB_BG, "f", "", b"x").unwrap();
    daemon.process.signal(Signal::USR1);
    let ready = format!("{http}/readyz");
    let drained = poll(PATIENCE, || Some(curl(&[&ready])).filter(|(status, _)| status == "503"));
    assert_eq!(drained.unwrap().1, "the server is being stopped\n");
    assert_eq!(curl(&[&format!("{http}/healthz")]), ("200".into(), "alive\n".into()));
    let (status, text) = curl(&["-X", "DELETE", &format!("{http}/api/jobs/{handle}")]);
    assert_eq!(status, "503", "nobody new is let in: {text}");
    // The last job ends it.
    peer.text(&format!("cancel job {handle}\n")).unwrap();
    daemon.process.wait_end();
}

#[test]
fn the_log_is_changed_while_running() {
    let place = Place::new();
    let (daemon, http) = start(&place, &["--verbose", "ERROR"]);
    let put = |body: &str| {
        let json = "Content-Type: application/json";
        curl(&["-X", "PUT", "-H", json, "-d", body, &format!("{http}/api/log")])
    };
    assert_eq!(
        put(r#"{"level": "NOTICE", "target": "broker"}"#),
        ("200".into(), "{\"level\":\"ERROR\",\"targets\":{\"broker\":\"NOTICE\"}}\n".into())
    );
    daemon.connect().submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    poll(PATIENCE, || place.read("log").contains("accepted,f,u,0").then_some(())).expect("a line");
    let (status, text) = put(r#"{"level": "LOUD"}"#);
    assert!(status == "400" && text.contains("LOUD is not "), "{text}");
}

#[test]
fn addresses_that_others_reach_take_changes_with_the_token_only() {
    let place = Place::new();
    let port = free_port().unwrap();
    let open = format!("0.0.0.0:{port}");
    let body = ["-H", "Content-Type: application/json", "-d", r#"{"function": "f", "background": true}"#];
    let jobs = format!("http://127.0.0.1:{port}/api/jobs");
    let daemon = Daemon::start(&place, &["--http", &open, "--verbose", "NOTICE"]);
    let log = place.read("log");
    assert!(log.contains(&format!("HTTP on 0.0.0.0:{port} is read-only: ")), "{log}");
    assert_eq!(curl(&[&jobs]).0, "200");
    let (status, text) = curl(&[&body[..], &[&jobs]].concat());
    assert!(status == "403" && text.contains("read_only"), "{text}");
    daemon.process.signal(Signal::TERM);
    daemon.process.wait_end();

    fs::write(place.path("token"), "open sesame\n").unwrap();
    let _daemon = Daemon::start(&place, &["--http", &open, "--http-token-file", "token"]);
    assert_eq!(curl(&[&body[..], &[&jobs]].concat()).0, "401");
    let bearer = ["-H", "Authorization: Bearer open sesame"];
    assert_eq!(curl(&[&body[..], &bearer, &[&jobs]].concat()).0, "201");
    assert_eq!(curl(&[&body[..], &["-u", "me:open sesame", &jobs]].concat()).0, "201");
}

#[test]
fn a_unix_socket_will_do() {
    let place = Place::new();
    let _daemon = Daemon::start(&place, &["--http", "unix:http.sock"]);
    let (status, text) =
        curl(&["--unix-socket", place.path("http.sock").to_str().unwrap(), "http://localhost/healthz"]);
    assert_eq!((&*status, &*text), ("200", "alive\n"));
    assert!(Path::new(&place.path("http.sock")).exists());
}

#[test]
fn what_cannot_be_is_said() {
    let place = Place::new();
    fs::write(place.path("empty"), "\n").unwrap();
    for (words, said) in [
        (&["--http", "localhost"][..], "--http localhost: a port is missing"),
        (&["--http", "8080", "--http-token-file", "none"], "cannot use the token in none"),
        (&["--http", "8080", "--http-token-file", "empty"], "it has to be one line"),
        (&["--protocol", "http", "-L", "unix:/tmp/x"], "--protocol http needs a host in --listen"),
        (&["--protocol", "gopher"], "Unknown protocol module : gopher"),
    ] {
        let outcome = place.run("gearmand", &[&["-l", "none", "-p", "1", "-P", "pid"], words].concat(), b"");
        assert!(!outcome.status.success() && outcome.err.contains(said), "{words:?}: {}", outcome.err);
    }
}
