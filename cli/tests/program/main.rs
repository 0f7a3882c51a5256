//! The program as it is called: its names, messages, exit codes, files and signals.

mod daemon;
mod doctor;
mod documents;
mod http;
mod limits;
mod manager;
mod messages;
mod own;
mod queue;
mod reload;
mod stores;
mod tls;
mod tools;
mod top;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::{Outcome, run};
use lineshaft_tests::wire::Peer;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A folder with links to the program, and whatever a test puts there.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["lineshaft", "gearmand", "gearman", "gearadmin"] {
            symlink(env!("CARGO_BIN_EXE_lineshaft"), folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program by one of its names, in this folder and without the variables that it reads.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        // Nor does it find the settings of whoever runs the test.
        command.current_dir(self.folder.path()).env("XDG_CONFIG_HOME", self.path("settings"));
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            if text.starts_with("GEARMAN") || text.starts_with("LINESHAFT") {
                command.env_remove(&variable);
            }
        }
        command
    }

    fn run(&self, name: &str, words: &[&str], input: &[u8]) -> Outcome {
        run(self.command(name).args(words), input).unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// A process that is known by its id alone: killed at the end of the test if it still runs.
struct Process(Pid);

impl Process {
    /// The one that has written the pid file `pid` in `place`.
    fn of(place: &Place) -> Self {
        let id = poll(PATIENCE, || place.read("pid").trim().parse().ok()).expect("a pid file");
        Self(Pid::from_raw(id).expect("a process id"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    /// What /proc tells of it.
    fn fact(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.as_raw_nonzero())).unwrap_or_default()
    }

    /// A daemon that has ended has nobody left to wait for it but the system.
    fn wait_end(&self) {
        let gone = || {
            let state = self.fact("stat");
            if state.is_empty() || state.contains(") Z ") { Some(()) } else { None }
        };
        poll(PATIENCE, gone).expect("the end of the daemon");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = kill_process(self.0, Signal::KILL);
    }
}

/// A daemon in the background, with its port.
struct Daemon {
    process: Process,
    port: u16,
}

impl Daemon {
    /// `gearmand -d` on a free port with further options; the pid file is `pid`, the log file `log`.
    fn start(place: &Place, words: &[&str]) -> Self {
        let port = free_port().unwrap();
        let text = port.to_string();
        let fixed = ["-d", "-L", "127.0.0.1", "-P", "pid", "-l", "log", "-p", &text];
        let outcome = place.run("gearmand", &[&fixed, words].concat(), b"");
        assert!(outcome.status.success(), "{}", outcome.err);
        Self { process: Process::of(place), port }
    }

    fn connect(&self) -> Peer {
        Peer::connect(([127, 0, 0, 1], self.port).into()).unwrap()
    }
}
