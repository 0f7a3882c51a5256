//! `lineshaft` and its subcommands.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::Stdio;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use rustix::process::{Pid, Signal, kill_process};

use super::{Daemon, Place, Process};

#[test]
fn config_names_every_source() {
    let place = Place::new();
    fs::write(place.path("file"), "--threads 3\n").unwrap();
    let mut command = place.command("lineshaft");
    command.args(["config", "--config-file", "file", "-p", "5", "--json"]).env("LINESHAFT_UNIX", "/x");
    let text = lineshaft_tests::program::run(&mut command, b"").unwrap().success().unwrap();
    let settings: serde_json::Value = serde_json::from_str(&text).unwrap();
    let setting = |name: &str| {
        let row = settings.as_array().unwrap().iter().find(|row| row["setting"] == name).unwrap();
        (row["value"].as_str().unwrap().to_owned(), row["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(setting("port"), ("5".into(), "flag".into()));
    assert_eq!(setting("unix"), ("/x".into(), "environment LINESHAFT_UNIX".into()));
    assert_eq!(setting("threads"), ("3".into(), "file file:1".into()));
    assert_eq!(setting("listen"), ("127.0.0.1".into(), "default".into()));
}

#[test]
fn settings_are_found_in_the_users_folder_and_every_mistake_has_its_line() {
    let place = Place::new();
    fs::create_dir_all(place.path("settings/lineshaft")).unwrap();
    let file = place.path("settings/lineshaft/lineshaft.toml");
    let config = |text: &str, words: &[&str]| {
        fs::write(&file, text).unwrap();
        place.run("lineshaft", &[&["config"], words].concat(), b"")
    };
    let text = "port = 4799\nkeepalive = true\nredis-password = \"secret\"\n";
    let all = config(text, &[]).success().unwrap();
    for (name, value, line) in
        [("port", "4799", 1), ("keepalive", "yes", 2), ("redis-password", "(not shown)", 3)]
    {
        let row = all.lines().find(|row| row.starts_with(name)).unwrap();
        assert!(row.contains(value) && row.ends_with(&format!("file {}:{line}", file.display())), "{row}");
    }
    assert!(!all.contains("secret"));
    let good = config(text, &["--check"]).success().unwrap();
    assert_eq!(good, format!("{}: the settings are good\n", file.display()));
    // It counts even where a flag overrules it.
    let bad = config("\nprot = 1\n", &["--check", "-p", "1"]);
    let why = format!("lineshaft: {}:2: unknown key 'prot'; did you mean 'port'?\n", file.display());
    assert_eq!((bad.status.code(), bad.err), (Some(2), why));
    fs::remove_file(&file).unwrap();
    let mut command = place.command("lineshaft");
    let outcome = command.args(["config", "--check"]).env("LINESHAFT_PROT", "1");
    let outcome = lineshaft_tests::program::run(outcome, b"").unwrap();
    assert!(outcome.status.success());
    assert!(outcome.err.ends_with("; did you mean 'LINESHAFT_PORT'?\n"), "{}", outcome.err);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let mut config = place.command("lineshaft");
    let mut child = config.arg("config").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = child.wait_with_output().unwrap();
    assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome:?}");
}

#[test]
fn every_way_to_fail_has_its_code() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let server = format!("127.0.0.1:{}", daemon.port);
    let elsewhere = Place::new();
    let full = Daemon::start(&elsewhere, &["--max-queue-bytes", "1"]);
    let full_server = format!("127.0.0.1:{}", full.port);
    let nobody = format!("127.0.0.1:{}", free_port().unwrap());
    for (code, words, text) in [
        (0, &["submit", "-b", "-S", &server, "f", "x"][..], ""),
        (2, &["submit"][..], "error: "),
        (2, &["submit", "-S", "a:b", "f", "x"], "lineshaft: address: INVALID_ARGUMENT: `a:b`"),
        (2, &["submit", "-S", &server, "", "x"], "lineshaft: submit: INVALID_FUNCTION_NAME"),
        (2, &["serve", "--threads", "x"], "error: the argument ('x') for option '--threads' is invalid"),
        (2, &["serve", "--ssl"], "lineshaft: --ssl needs --ssl-certificate; `lineshaft tls init FOLDER`"),
        (3, &["submit", "-S", &nobody, "f", "x"], "lineshaft: connect: COULD_NOT_CONNECT: 127.0.0.1:"),
        (4, &["submit", "-S", &server, "-t", "0.1", "f", "x"], "lineshaft: task: TIMEOUT"),
        (
            2,
            &["submit", "-S", &server, "--every", "x x x x x", "f", "x"],
            "lineshaft: submit: INVALID_ARGUMENT",
        ),
        (5, &["submit", "-S", &full_server, "f", "x"], "lineshaft: submit: QUEUE"),
        (6, &["serve", "-L", "192.0.2.1"], "lineshaft: listen: "),
    ] {
        let outcome = place.run("lineshaft", words, b"");
        assert_eq!(outcome.status.code(), Some(code), "{words:?}: {}", outcome.err);
        assert!(outcome.err.starts_with(text), "{words:?}: {}", outcome.err);
        assert!(code == 2 || outcome.err.lines().count() <= 1, "{words:?}: {}", outcome.err);
    }
}

#[test]
fn serve_says_where_it_listens() {
    let place = Place::new();
    let mut child = place
        .command("lineshaft")
        .args(["serve", "-p", "0", "--store", "memory"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim_end().strip_prefix("lineshaft: listening on 127.0.0.1:").expect(&line);
    assert!(TcpStream::connect(("127.0.0.1", port.parse().unwrap())).is_ok());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = poll(PATIENCE, || child.try_wait().unwrap()).expect("the server's end");
    assert!(ended.success());
}

/// `script` gives it a terminal, which goes when `script` is killed.
#[test]
fn serve_ends_with_its_terminal() {
    let place = Place::new();
    let serve = "./lineshaft serve -p 0 -P pid --store memory";
    let mut command = std::process::Command::new("script");
    command.args(["-qec", serve, "/dev/null"]).current_dir(place.folder.path());
    let mut script =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("script, of Debian's bsdutils");
    let server = Process::of(&place);
    // Sent by hand it means the settings, with a terminal as without.
    server.signal(Signal::HUP);
    script.kill().unwrap();
    script.wait().unwrap();
    server.wait_end();
}

#[test]
fn a_closed_standard_error_is_no_reason_to_panic() {
    let place = Place::new();
    for (name, code) in [("gearmand", 1), ("gearman", 1), ("gearadmin", 1), ("lineshaft", 2)] {
        let mut command = place.command(name);
        // Every write to it fails.
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = command.arg("--no-such-option").stdout(Stdio::null()).stderr(full).status().unwrap();
        assert_eq!(ended.code(), Some(code), "{name}");
    }
}
