//! `gearman`, `gearadmin`, `lineshaft work` and `lineshaft submit` against our daemon; with other people's programs they
//! are tested in the package of the whole system.

use std::path::Path;
use std::process::Command;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::program::{Outcome, Program, run};
use lineshaft_tests::server::Maker;
use rustix::process::{Pid, Signal, kill_process};

use super::{Daemon, Place};

/// A daemon and the programs that are to find it.
struct Site {
    place: Place,
    daemon: Daemon,
}

impl Site {
    fn new() -> Self {
        let place = Place::new();
        let daemon = Daemon::start(&place, &[]);
        Self { place, daemon }
    }

    fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = self.place.command(name);
        command.env("GEARMAN_SERVERS", format!("127.0.0.1:{}", self.daemon.port));
        if name == "gearman" {
            command.args(["-h", "127.0.0.1", "-p", &self.daemon.port.to_string()]);
        }
        command.args(words);
        command
    }

    fn run(&self, name: &str, words: &[&str], input: &[u8]) -> Outcome {
        run(&mut self.command(name, words), input).unwrap()
    }

    /// A worker, once it can do `function`.
    fn worker(&self, name: &str, words: &[&str], function: &str) -> Program {
        let worker = Program::start(&mut self.command(name, words), b"").unwrap();
        let mut peer = self.daemon.connect();
        let known = || peer.text("workers\n").unwrap().contains(&format!(": {function}\n")).then_some(());
        poll(PATIENCE, known).expect("a worker");
        worker
    }

    fn status(&self) -> String {
        self.daemon.connect().text("status\n").unwrap()
    }
}

#[test]
fn the_result_of_the_last_job_is_delivered() {
    let site = Site::new();
    let big: Vec<u8> = (0..10 << 20).map(|at: u32| (at % 251) as u8).collect();
    let worker = site.worker("gearman", &["-w", "-f", "cat", "-c", "1", "--", "cat"], "cat");
    let outcome = site.run("gearman", &["-f", "cat"], &big);
    assert!(outcome.out == big && outcome.status.success(), "{}", outcome.err);
    worker.finish().unwrap().success().unwrap();
    let worker = site.worker("lineshaft", &["work", "cat", "-c", "1", "--", "cat"], "cat");
    let outcome = site.run("lineshaft", &["submit", "cat"], &big);
    assert!(outcome.out == big && outcome.status.success(), "{}", outcome.err);
    worker.finish().unwrap().success().unwrap();
}

#[test]
fn a_count_is_kept_to_the_job() {
    let site = Site::new();
    for word in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        site.run("gearman", &["-b", "-f", "log", word], b"").success().unwrap();
    }
    let words = site.run("gearman", &["-w", "-c", "2", "-f", "log"], b"").success().unwrap();
    assert_eq!(words, "12");
    site.run("lineshaft", &["work", "log", "-j", "3", "-c", "5", "--", "cat"], b"").success().unwrap();
    assert_eq!(site.status(), "log\t1\t0\t0\n.\n");
    // Nothing has been handed out in vain: the job that is left has never been given back.
    assert!(site.daemon.connect().text("show jobs\n").unwrap().contains("\t0\t0\t1\n"));
}

#[test]
fn lines_of_a_worker_come_one_by_one() {
    let site = Site::new();
    for (letter, expected) in [("-n", "f: a\nf: b\nf: cf: "), ("-N", "f: af: bf: cf: ")] {
        let _worker =
            site.worker("gearman", &["-w", "-f", "f", "-c", "1", letter, "--", "printf", "a\nb\nc"], "f");
        assert_eq!(site.run("gearman", &["-f", "f", "-P", "-s"], b"").success().unwrap(), expected);
    }
}

#[test]
fn a_failing_command_fails_its_job_everywhere() {
    let site = Site::new();
    let _worker = site.worker("lineshaft", &["work", "bad", "--", "sh", "-c", "echo half; exit 3"], "bad");
    let outcome = site.run("lineshaft", &["submit", "bad", "x"], b"");
    assert_eq!((outcome.status.code(), outcome.text()), (Some(1), "half\n".into()));
    assert_eq!(outcome.err, "lineshaft: exception: the command ended with exit status: 3\n");
    let outcome = site.run("gearman", &["-f", "bad", "x"], b"");
    assert_eq!((outcome.status.code(), outcome.text()), (Some(1), "half\n".into()));
    assert_eq!(outcome.err, "Job failed\n");
    let _worker = site.worker("gearman", &["-w", "-f", "missing", "--", "/nonexistent/command"], "missing");
    let outcome = site.run("gearman", &["-f", "missing", "x"], b"");
    assert_eq!((outcome.status.code(), outcome.err), (Some(1), "Job failed\n".into()));
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_its_job() {
    let site = Site::new();
    // The command says when it runs, and goes on when somebody writes into its pipe.
    let command = "mkfifo go; echo > begun; cat go; cat";
    let mut worker = site.command("lineshaft", &["work", "slow", "--", "sh", "-c", command]);
    let mut worker = worker.spawn().unwrap();
    let client = Program::start(&mut site.command("lineshaft", &["submit", "slow", "x"]), b"").unwrap();
    poll(PATIENCE, || site.place.path("begun").exists().then_some(())).expect("the job to begin");
    kill_process(Pid::from_child(&worker), Signal::TERM).unwrap();
    std::fs::write(site.place.path("go"), "").unwrap();
    assert_eq!(client.finish().unwrap().success().unwrap(), "x");
    let ended = poll(PATIENCE, || worker.try_wait().unwrap()).expect("the worker's end");
    assert!(ended.success());
}

#[test]
fn a_printing_worker_ends_with_its_reader() {
    let site = Site::new();
    let mut worker = site.command("gearman", &["-w", "-f", "log"]);
    let mut worker = worker.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(worker.stdout.take());
    let outcome = site.run("gearman", &["-f", "log", "x"], b"");
    assert_eq!(outcome.status.code(), Some(1));
    let ended = poll(PATIENCE, || worker.try_wait().unwrap()).expect("the worker's end");
    assert!(ended.success());
}

#[test]
fn gearadmin_is_called_wrongly_as_debians_is() {
    let place = Place::new();
    let program = Maker::Debian.program("gearadmin", &place.folder).unwrap();
    for words in [
        &[][..],
        &["stray"],
        &["--foo"],
        &["-x"],
        &["--s"],
        &["--server"],
        &["--st=3"],
        &["--port"],
        &["-h"],
        &["--port="],
        &["--status", "--status"],
        &["-p", "1", "--port", "2", "--status"],
    ] {
        let ours = place.run("gearadmin", words, b"");
        let theirs = run(Command::new(&program).args(words), b"").unwrap();
        let first_line = |outcome: &Outcome, name: &Path| {
            outcome.text().lines().next().unwrap_or_default().replace(name.to_str().unwrap(), "")
        };
        let expected = first_line(&theirs, &program);
        assert_eq!(first_line(&ours, &place.path("gearadmin")), expected, "{words:?}");
        assert_eq!((ours.status.code(), &ours.err), (theirs.status.code(), &theirs.err), "{words:?}");
    }
}

#[test]
fn gearadmin_asks_in_its_own_order_and_ends_with_what_was_refused() {
    let site = Site::new();
    let port = site.daemon.port.to_string();
    let words = [
        "--status",
        "--drop-function",
        "nosuch",
        "--getpid",
        "--create",
        "made",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
    ];
    let outcome = site.run("gearadmin", &words, b"");
    assert_eq!(outcome.text(), format!("{}OK\nmade\t0\t0\t0\n.\n", site.place.read("pid")));
    assert_eq!((outcome.status.code(), outcome.err.as_str()), (Some(1), "Error: function not found\n"));
}

#[test]
fn lists_are_tables_or_json() {
    let site = Site::new();
    site.run("lineshaft", &["submit", "-b", "-p", "high", "f", "x"], b"").success().unwrap();
    let table = site.run("lineshaft", &["status"], b"").success().unwrap();
    assert_eq!(table, "FUNCTION  JOBS  RUNNING  WORKERS\nf            1        0        0\n");
    let json = site.run("lineshaft", &["priority-status", "--json"], b"").success().unwrap();
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        rows,
        serde_json::json!([{ "function": "f", "high": 1, "normal": 0, "low": 0, "workers": 0 }])
    );
    let handle = site.run("lineshaft", &["submit", "--every", "0 0 1 1 *", "f", "x"], b"").success().unwrap();
    let schedules = site.run("lineshaft", &["schedules"], b"").success().unwrap();
    assert!(schedules.contains("0 0 1 1 *") && schedules.contains("-01-01T00:00:00Z"), "{schedules}");
    for words in
        [&["cancel", handle.trim()][..], &["max-queue", "f", "1"], &["ping"], &["create-function", "g"]]
    {
        site.run("lineshaft", words, b"").success().unwrap();
    }
    assert_eq!(site.run("lineshaft", &["submit", "-b", "f", "y"], b"").status.code(), Some(5));
    assert_eq!(site.run("lineshaft", &["cancel", "H:nobody:1"], b"").status.code(), Some(5));
    let pid = site.run("lineshaft", &["pid"], b"").success().unwrap();
    assert_eq!(pid, site.place.read("pid"));
}
