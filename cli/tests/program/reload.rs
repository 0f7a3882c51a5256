//! What changes while the daemon runs: settings by SIGHUP, levels of the log by `verbose`.

use std::fs;
use std::os::unix::net::UnixDatagram;

use lineshaft_tests::clock::{PATIENCE, poll};
use rustix::process::Signal;

use super::{Daemon, Place};

const SUBMIT_JOB_BG: u32 = 18;

/// The text of the line in the log that has `words` in it.
fn line(place: &Place, words: &str) -> String {
    let line =
        poll(PATIENCE, || place.read("log").lines().find(|line| line.contains(words)).map(str::to_owned));
    line.unwrap_or_else(|| panic!("no line with {words:?} in: {}", place.read("log")))
}

#[test]
fn hup_applies_what_can_change_and_names_what_cannot() {
    let place = Place::new();
    let settings = |text: &str| fs::write(place.path("settings.toml"), text).unwrap();
    settings("max-queue-bytes = 100000\n");
    let daemon = Daemon::start(&place, &["--config-file", "settings.toml"]);
    let mut peer = daemon.connect();
    peer.submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();

    settings("max-queue-bytes = 1\nthreads = 7\nverbose = \"NOTICE\"\nlog-levels = \"net=info\"\n");
    daemon.process.signal(Signal::HUP);
    let applied = line(&place, "SIGHUP has changed");
    assert!(
        applied.contains(" verbose to NOTICE, log-levels to net=info, max-queue-bytes to 1"),
        "{applied}"
    );
    let left = line(&place, "SIGHUP cannot change");
    assert!(left.contains(" threads: restart the server"), "{left}");
    assert_eq!(peer.text("verbose\n").unwrap(), "OK NOTICE\n");
    let refused = peer.submit(SUBMIT_JOB_BG, "f", "v", b"w").unwrap_err().to_string();
    assert!(refused.contains("the limit (max_queue_bytes) is 1 bytes"), "{refused}");
    let _other = daemon.connect();
    line(&place, "Accepted connection from 127.0.0.1");

    // Nothing of a file with a mistake counts.
    settings("max-queue-bytes = 100000\nmax-packets = 1\n");
    daemon.process.signal(Signal::HUP);
    let why =
        "SIGHUP changes no setting: settings.toml:2: unknown key 'max-packets'; did you mean 'max-packet'?";
    line(&place, why);
    assert!(peer.submit(SUBMIT_JOB_BG, "f", "v", b"w").is_err());

    // Nor does one that is not there lift all limits and rights.
    fs::rename(place.path("settings.toml"), place.path("away.toml")).unwrap();
    daemon.process.signal(Signal::HUP);
    let refused = || place.read("log").matches("SIGHUP changes no setting: ").count() == 2;
    poll(PATIENCE, || refused().then_some(())).expect("a file that has gone changes nothing");
    assert!(peer.submit(SUBMIT_JOB_BG, "f", "v", b"w").is_err());

    settings("max-queue-bytes = 100000\n");
    daemon.process.signal(Signal::HUP);
    line(&place, " verbose to ERROR, log-levels to nothing, max-queue-bytes to 100000");
    peer.submit(SUBMIT_JOB_BG, "f", "v", b"w").unwrap();
    assert_eq!(place.read("log").matches("NOTICE SIGHUP, reopening log file\n").count(), 4);
}

#[test]
fn verbose_changes_what_is_logged_and_stays_when_the_settings_do() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("syslog")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let daemon = Daemon::start(&place, &["--syslog", "--syslog-socket", "syslog", "--log-format", "json"]);
    let mut peer = daemon.connect();
    peer.submit(SUBMIT_JOB_BG, "f", "before", b"w").unwrap();
    assert_eq!(peer.text("verbose notice broker\n").unwrap(), "OK NOTICE\n");
    peer.submit(SUBMIT_JOB_BG, "f", "after", b"w").unwrap();
    assert_eq!(peer.text("verbose\n").unwrap(), "OK ERROR\n");
    let wrong = peer.text("verbose loud\n").unwrap();
    assert!(wrong.starts_with("ERR INVALID_ARGUMENTS loud+is+not+one+of+FATAL,"), "{wrong}");
    let object: serde_json::Value = serde_json::from_str(&line(&place, "accepted,f,after,0")).unwrap();
    assert_eq!((&object["level"], &object["target"]), (&"NOTICE".into(), &"lineshaft::broker".into()));
    assert!(!place.read("log").contains("before"));
    let mut bytes = [0; 2048];
    let length = socket.recv(&mut bytes).expect("a line for syslog");
    let text = String::from_utf8_lossy(&bytes[..length]);
    let end = format!(" gearmand[{}]: NOTICE accepted,f,after,0", place.read("pid").trim());
    assert!(text.starts_with("<13>") && text.ends_with(&end), "{text}");

    // The same from the command line.
    let server = format!("127.0.0.1:{}", daemon.port);
    place.run("lineshaft", &["verbose", "-S", &server, "info", "net"], b"").success().unwrap();
    let level = place.run("lineshaft", &["verbose", "-S", &server], b"").success().unwrap();
    assert_eq!(level, "ERROR\n");
    line(&place, "Accepted connection from");
    let wrong = place.run("lineshaft", &["verbose", "-S", &server, "info", "nets"], b"");
    assert!(wrong.err.contains("one of broker, net, store, http, tls, daemon"), "{}", wrong.err);

    daemon.process.signal(Signal::HUP);
    line(&place, "SIGHUP, reopening log file");
    peer.submit(SUBMIT_JOB_BG, "f", "later", b"w").unwrap();
    line(&place, "accepted,f,later,0");
}

#[test]
fn refused_submissions_are_counted_instead_of_logged() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &["--verbose", "WARNING", "--max-queue-bytes", "1"]);
    let mut peer = daemon.connect();
    for _ in 0..500 {
        peer.submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap_err();
    }
    daemon.process.signal(Signal::TERM);
    daemon.process.wait_end();
    let log = place.read("log");
    let lines: Vec<_> =
        log.lines().filter(|line| line.contains("GEARMAN_QUEUE_ERROR:Job queue is full")).collect();
    let counted: usize = lines
        .iter()
        .filter_map(|line| line.split(" (").last()?.split(" more like it)").next()?.parse::<usize>().ok())
        .sum();
    let written = lines.iter().filter(|line| !line.contains("more like it")).count();
    assert_eq!(written + counted, 500, "{log}");
    assert!(lines.len() < 100, "{} lines: nothing was counted", lines.len());
}
