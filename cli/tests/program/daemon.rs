//! The daemon as a process.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::{Program, run};
use rustix::process::{Signal, geteuid};

use super::{Daemon, Place, Process};

const SUBMIT_JOB_BG: u32 = 18;

#[test]
fn it_listens_when_the_first_process_ends() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    assert_eq!(daemon.connect().text("getpid\n").unwrap(), format!("OK {}", place.read("pid")));
    // Its own session, and nothing of ours as standard input, output or error.
    let session =
        daemon.process.fact("stat").rsplit(") ").next().unwrap().split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, place.read("pid").trim());
    for fd in 0..3 {
        let link = fs::read_link(format!("/proc/{session}/fd/{fd}")).unwrap();
        assert_eq!(link.to_str(), Some("/dev/null"));
    }
    daemon.process.signal(Signal::TERM);
    daemon.process.wait_end();
    assert!(!place.path("pid").exists());
}

#[test]
fn a_port_that_cannot_be_had_fails_the_first_process() {
    let place = Place::new();
    // An address that is reserved for documentation: no machine has it.
    let outcome = place.run("gearmand", &["-d", "-L", "192.0.2.1", "-P", "pid", "-l", "none"], b"");
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.err.contains("192.0.2.1:4730"), "{}", outcome.err);
    assert!(!place.path("pid").exists());
}

#[test]
fn hup_opens_the_log_anew() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &["--verbose", "INFO"]);
    fs::rename(place.path("log"), place.path("old")).unwrap();
    daemon.process.signal(Signal::HUP);
    poll(PATIENCE, || place.path("log").exists().then_some(())).expect("a new log file");
    daemon.connect().submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    let line = poll(PATIENCE, || {
        let log = place.read("log");
        log.lines().find(|line| line.contains("accepted,f,u,0")).map(str::to_owned)
    });
    assert!(line.expect("a line for the job").starts_with(" NOTICE "));
    let old = place.read("old");
    assert!(old.ends_with("\n NOTICE SIGHUP, reopening log file\n"), "{old}");
    assert!(old.lines().next().unwrap().starts_with("   INFO "), "{old}");
}

#[test]
fn usr1_serves_on_until_no_job_is_left() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let mut client = daemon.connect();
    client.submit(SUBMIT_JOB_BG, "f", "u1", b"w").unwrap();
    daemon.process.signal(Signal::USR1);
    poll(PATIENCE, || TcpStream::connect(("127.0.0.1", daemon.port)).is_err().then_some(()))
        .expect("a closed port");
    // Who is connected is served on, new jobs included.
    let handle = client.submit(SUBMIT_JOB_BG, "f", "u2", b"w").unwrap();
    assert!(!daemon.process.fact("stat").is_empty());
    let first = handle.replace(":2", ":1");
    for handle in [first, handle] {
        assert_eq!(client.text(&format!("cancel job {handle}\n")).unwrap(), "OK\r\n");
    }
    daemon.process.wait_end();
    assert!(!place.path("pid").exists());
}

#[test]
fn term_ends_the_waiting_of_usr1() {
    let place = Place::new();
    let socket = place.path("socket");
    let daemon = Daemon::start(&place, &["--unix", socket.to_str().unwrap()]);
    daemon.connect().submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    daemon.process.signal(Signal::USR1);
    poll(PATIENCE, || TcpStream::connect(("127.0.0.1", daemon.port)).is_err().then_some(()))
        .expect("a closed port");
    daemon.process.signal(Signal::TERM);
    daemon.process.wait_end();
    assert!(!socket.exists() && !place.path("pid").exists());
}

#[test]
fn the_drain_deadline_ends_it_too() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &["--drain-deadline", "1"]);
    daemon.connect().submit(SUBMIT_JOB_BG, "f", "u", b"w").unwrap();
    daemon.process.signal(Signal::USR1);
    daemon.process.wait_end();
}

#[test]
fn a_unix_socket_alone_is_enough() {
    let place = Place::new();
    let socket = place.path("socket");
    let listen = format!("unix:{}", socket.display());
    let mut command = place.command("gearmand");
    let _server = Program::start(command.args(["-L", &listen, "-l", "none", "-P", "pid"]), b"").unwrap();
    let process = Process::of(&place);
    poll(PATIENCE, || UnixStream::connect(&socket).ok()).expect("a socket");
    let port = format!("/proc/{}/net/tcp", place.read("pid").trim());
    assert!(fs::metadata(port).is_ok());
    process.signal(Signal::INT);
    poll(PATIENCE, || (!socket.exists()).then_some(())).expect("the socket to go");
}

#[test]
fn the_port_may_come_from_the_environment_or_the_file() {
    for by_file in [false, true] {
        let place = Place::new();
        let port = free_port().unwrap();
        let mut command = place.command("gearmand");
        command.args(["-d", "-L", "127.0.0.1", "-P", "pid", "-l", "none", "--config-file", "file"]);
        if by_file {
            fs::write(place.path("file"), format!("--port {port}\n")).unwrap();
            command.env("GEARMAND_PORT", "1");
        } else {
            fs::write(place.path("file"), "").unwrap();
            command.env("GEARMAND_PORT", port.to_string());
        }
        run(&mut command, b"").unwrap().success().unwrap();
        let _daemon = Process::of(&place);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}

#[test]
fn descriptors_and_user_are_set() {
    let place = Place::new();
    let words = ["-f", "99", "-u", "nobody", "-d", "-L", "127.0.0.1", "-P", "pid", "-l", "none", "-p", "0"];
    if geteuid().is_root() {
        // Whoever the daemon becomes has to be able to write its pid file.
        fs::set_permissions(place.folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
        place.run("gearmand", &words, b"").success().unwrap();
        let daemon = Process::of(&place);
        let status = daemon.fact("status");
        assert!(!status.contains("\nUid:\t0") && !status.contains("\nGid:\t0"), "{status}");
        assert!(status.contains("\nGroups:\t \n"), "{status}");
        let limits = daemon.fact("limits");
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(files.split_whitespace().nth(3), Some("99"));
    } else {
        let outcome = place.run("gearmand", &words, b"");
        assert!(outcome.err.ends_with("gearmand: Must be root to switch users.\n"), "{}", outcome.err);
        assert_eq!(outcome.status.code(), Some(1));
    }
}

#[test]
fn a_pid_file_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let outcome =
        place.run("gearmand", &["-P", "/nonexistent/pid", "-L", "127.0.0.1", "-p", "0", "-l", "none"], b"");
    assert_eq!(outcome.status.code(), Some(1));
    let why = "No such file or directory";
    let expected = format!("Could not open pid file for writing: /nonexistent/pid({why}) ({why})\n");
    assert!(outcome.err.ends_with(&expected), "{}", outcome.err);
}
