//! `lineshaft queue`.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::program::{Outcome, Program, run};
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::takeover::{Abilities, jobs, submit};
use rustix::process::{Signal, geteuid};

use super::{Daemon, Place};

const LINES: &str = r#"{"number":3,"function":"resize","unique":"u1","workload":"a"}
{"number":5,"function":"resize","priority":"high","due":4000000000,"returns":2,"schedule":4,"reducer":"sum","workload":{"base64":"AP8="}}
{"number":9,"function":"mail","unique":"-","cron":"0\u00001\u0000\u0000\u0000","workload":""}
{"counter":20}
"#;

impl Place {
    fn queue_command(&self, words: &[&str]) -> Command {
        let mut command = self.command("lineshaft");
        command.arg("queue").args(words).env("XDG_STATE_HOME", self.path("state"));
        command
    }

    fn queue(&self, words: &[&str], input: &[u8]) -> Outcome {
        run(&mut self.queue_command(words), input).unwrap()
    }

    fn ok(&self, words: &[&str], input: &str) -> String {
        self.queue(words, input.as_bytes()).success().unwrap()
    }

    /// What the command says on its standard error.
    fn said(&self, words: &[&str]) -> String {
        let outcome = self.queue(words, b"");
        assert!(outcome.status.success(), "{words:?}: {}", outcome.err);
        outcome.err
    }

    fn refused(&self, words: &[&str], input: &str, code: i32, text: &str) {
        let outcome = self.queue(words, input.as_bytes());
        assert!(outcome.err.contains(text), "{words:?}: {}", outcome.err);
        assert_eq!(outcome.status.code(), Some(code), "{words:?}: {}", outcome.err);
    }
}

#[test]
fn lines_go_into_a_store_and_come_back() {
    let place = Place::new();
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    assert_eq!(place.ok(&["export", "sqlite:q.db"], ""), LINES);
    let said = place.said(&["export", "sqlite:q.db", "jsonl:out"]);
    assert!(
        said.starts_with("lineshaft: copied 2 jobs and 1 schedule of 2 functions, 3 bytes of workload"),
        "{said}"
    );
    assert_eq!(place.read("out"), LINES);
    place.ok(&["import", "jsonl:out", "sqlite:other.db"], "");
    assert_eq!(place.ok(&["export", "sqlite:other.db"], ""), LINES);
    let verified = place.ok(&["verify", "sqlite:q.db"], "");
    assert!(
        verified.ends_with(" 2 jobs and 1 schedule of 2 functions, 3 bytes of workload, numbers up to 20\n")
    );
    let listed = place.ok(&["list", "sqlite:q.db"], "");
    let rows: Vec<&str> = listed.lines().collect();
    assert_eq!(rows[0].split_whitespace().next_back(), Some("BYTES"));
    assert!(
        rows[2].contains("resize") && rows[2].contains("high") && rows[2].contains("2096-10-02T07:06:40Z")
    );
    let listed = place.ok(&["list", "--json", "-n", "1", "-f", "mail", "sqlite:q.db"], "");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["number"]), (1, &9.into()));
    assert_eq!(listed[0]["cron"], "0 1   ");
}

#[test]
fn numbers_are_shifted_behind_those_of_the_target() {
    let place = Place::new();
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    place
        .ok(&["import", "-", "sqlite:other.db"], "{\"function\":\"f\"}\n{\"number\":7,\"function\":\"f\"}\n");
    place.ok(&["import", "-f", "resize", "sqlite:q.db", "sqlite:other.db"], "");
    let found = place.ok(&["export", "sqlite:other.db"], "");
    let numbers: Vec<&str> = found.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(
        numbers,
        ["{\"number\":7", "{\"number\":8", "{\"number\":11", "{\"number\":13", "{\"counter\":28}"]
    );
    assert!(found.contains("\"schedule\":12"), "{found}");
    // What is there is not copied once more, unless somebody says so.
    let again = place.said(&["import", "-f", "resize", "sqlite:q.db", "sqlite:other.db"]);
    assert!(again.starts_with("lineshaft: an earlier run has copied 2 jobs"), "{again}");
    assert_eq!(place.ok(&["export", "sqlite:other.db"], ""), found);
    place.ok(&["import", "--again", "-f", "resize", "sqlite:q.db", "sqlite:other.db"], "");
    assert_eq!(place.ok(&["export", "sqlite:other.db"], "").lines().count(), 7);
    // A target that has been made anew gets all.
    fs::remove_file(place.path("other.db")).unwrap();
    place.ok(&["import", "-f", "resize", "sqlite:q.db", "sqlite:other.db"], "");
    assert_eq!(place.ok(&["export", "sqlite:other.db"], "").lines().count(), 3);
}

#[test]
fn a_move_deletes_what_it_has_copied() {
    let place = Place::new();
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    let dry = place.said(&["import", "--move", "--dry-run", "sqlite:q.db", "sqlite:other.db"]);
    assert!(dry.starts_with("lineshaft: would copy 2 jobs and 1 schedule"), "{dry}");
    assert!(!place.path("other.db").exists());
    let moved = place.said(&["import", "--move", "-f", "resize", "sqlite:q.db", "sqlite:other.db"]);
    assert!(moved.starts_with("lineshaft: moved 2 jobs"), "{moved}");
    assert_eq!(place.ok(&["export", "sqlite:q.db"], "").lines().count(), 2);
    assert_eq!(place.ok(&["export", "sqlite:other.db"], "").lines().count(), 3);
    place.said(&["export", "--move", "sqlite:other.db", "jsonl:out"]);
    assert_eq!(place.read("out").lines().count(), 3);
    assert_eq!(place.ok(&["export", "sqlite:other.db"], ""), "{\"counter\":20}\n");
}

/// Killed while it copies, and again while it deletes in the source.
#[test]
fn a_second_run_finishes_what_the_first_one_began() {
    const JOBS: usize = 30_000;
    let place = Place::new();
    let mut lines = String::new();
    for number in 1..=JOBS {
        writeln!(lines, "{{\"number\":{number},\"function\":\"f\",\"workload\":\"{number}\"}}").unwrap();
    }
    writeln!(lines, "{{\"counter\":{JOBS}}}").unwrap();
    fs::write(place.path("in"), &lines).unwrap();
    let remembers = |is_there: &dyn Fn(&str) -> bool| {
        let files = fs::read_dir(place.path("state/lineshaft/imports")).ok()?;
        let has = |path| fs::read_to_string(path).is_ok_and(|found| is_there(&found));
        files.flatten().any(|file| has(file.path())).then_some(())
    };
    let interrupted = |words: &[&str], is_there: &dyn Fn(&str) -> bool| {
        let program = Program::start(&mut place.queue_command(words), b"").unwrap();
        poll(PATIENCE, || remembers(is_there)).expect("the import to come so far");
        // It may have ended in the meantime: then the second run has nothing to do.
        let _ = program.kill();
    };
    interrupted(&["import", "jsonl:in", "sqlite:q.db"], &|state| {
        state.contains("\"copied\":") && !state.contains("\"copied\":0,")
    });
    place.ok(&["import", "jsonl:in", "sqlite:q.db"], "");
    assert!(place.ok(&["export", "sqlite:q.db"], "") == lines, "jobs are missing, or come twice");
    fs::remove_dir_all(place.path("state")).unwrap();
    interrupted(&["import", "--move", "sqlite:q.db", "sqlite:other.db"], &|state| {
        state.contains("\"taking\"") || state.contains("\"done\"")
    });
    place.ok(&["import", "--move", "sqlite:q.db", "sqlite:other.db"], "");
    assert!(place.ok(&["export", "sqlite:other.db"], "") == lines, "jobs are missing, or come twice");
    assert_eq!(place.ok(&["export", "sqlite:q.db"], "").lines().count(), 1);
}

#[test]
fn a_source_that_has_changed_is_not_gone_on_with() {
    let place = Place::new();
    let many = |last: usize| -> String {
        (1..=last).map(|number| format!("{{\"number\":{number},\"function\":\"f\"}}\n")).collect()
    };
    fs::write(place.path("in"), many(30_000)).unwrap();
    place.ok(&["import", "jsonl:in", "sqlite:q.db"], "");
    let file = fs::read_dir(place.path("state/lineshaft/imports")).unwrap().next().unwrap().unwrap();
    // As if it had been killed after the first batch.
    let state = fs::read_to_string(file.path()).unwrap();
    assert!(state.contains("\"copied\":30000,") && state.contains("\"done\""), "{state}");
    let cut = state.replace("\"copied\":30000,", "\"copied\":1000,").replace("\"done\"", "\"copying\"");
    fs::write(file.path(), &cut).unwrap();
    fs::write(place.path("in"), many(30_001)).unwrap();
    let words = ["import", "jsonl:in", "sqlite:q.db"];
    place.refused(&words, "", 2, "has changed since: put it back as it was; or give --again");
    fs::write(place.path("in"), many(30_000)).unwrap();
    place.ok(&words, "");
    assert_eq!(place.ok(&["export", "sqlite:q.db"], "").lines().count(), 30_001);
    // Another job where one of ours should be.
    fs::write(file.path(), &cut).unwrap();
    place.ok(&["purge", "--yes", "sqlite:q.db"], "");
    place.refused(&words, "", 2, "nothing of that is in sqlite ");
    place.ok(&["import", "-", "sqlite:q2.db"], "{\"number\":2000,\"function\":\"g\"}\n{\"counter\":40000}\n");
    fs::rename(place.path("q2.db"), place.path("q.db")).unwrap();
    place.refused(&words, "", 2, "has another job with the number 2000 by now");
}

#[test]
fn a_queue_of_gearmands_is_read_and_moved() {
    let place = Place::new();
    let file = place.path("gearmand.db").display().to_string();
    let mut server = Server::start(Maker::Debian, &["-q", "libsqlite3", "--libsqlite3-db", &file]).unwrap();
    let expected = jobs(Abilities { times: true, bytes: true, blanks: true });
    submit(&server, &expected).unwrap();
    server.stop(Signal::TERM).unwrap();
    let before = fs::read(place.path("gearmand.db")).unwrap();
    let exported = place.ok(&["export", "sqlite:gearmand.db"], "");
    assert_eq!(exported.lines().count(), expected.len() + 1);
    place.ok(&["import", "sqlite:gearmand.db", "sqlite:copy.db"], "");
    assert!(fs::read(place.path("gearmand.db")).unwrap() == before, "a copy has changed its source");
    assert_eq!(place.ok(&["export", "sqlite:copy.db"], ""), exported);
    place.ok(&["import", "--move", "sqlite:gearmand.db", "sqlite:moved.db"], "");
    assert_eq!(place.ok(&["export", "sqlite:moved.db"], ""), exported);
    assert_eq!(place.ok(&["list", "sqlite:gearmand.db", "--json"], "").trim(), "[]");
}

#[test]
fn a_store_that_is_served_from_is_left_alone() {
    let place = Place::new();
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    let file = place.path("q.db").display().to_string();
    let daemon = Daemon::start(&place, &["-q", "libsqlite3", "--libsqlite3-db", &file]);
    for words in [
        &["list", "sqlite:q.db"][..],
        &["verify", "sqlite:q.db"],
        &["export", "sqlite:q.db"],
        &["purge", "--yes", "sqlite:q.db"],
        &["import", "sqlite:q.db", "sqlite:other.db"],
        &["import", "-", "sqlite:q.db"],
    ] {
        place.refused(words, LINES, 6, "q.db is in use by another process: stop that one");
    }
    let jobs = daemon.connect().text("status\n").unwrap();
    assert!(jobs.contains("resize\t2\t"), "{jobs}");
}

#[test]
fn a_purge_asks() {
    let place = Place::new();
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    place.refused(&["purge", "sqlite:q.db"], "y\n", 2, "Nobody is there to ask: give --yes");
    assert!(
        place.said(&["purge", "--dry-run", "sqlite:q.db"]).contains("would delete 2 jobs and 1 schedule")
    );
    assert_eq!(place.ok(&["export", "sqlite:q.db"], ""), LINES);
    assert!(
        place.said(&["purge", "-y", "-f", "resize", "sqlite:q.db"]).contains("deleted 2 jobs of 1 function")
    );
    assert_eq!(place.ok(&["export", "sqlite:q.db"], "").lines().count(), 2);
    place.said(&["purge", "--yes", "sqlite:q.db"]);
    assert_eq!(place.ok(&["export", "sqlite:q.db"], ""), "{\"counter\":20}\n");
    // Nothing to delete is nothing to ask about.
    place.said(&["purge", "sqlite:q.db"]);
}

#[test]
fn what_cannot_be_done_says_why() {
    let place = Place::new();
    fs::write(place.path("text"), "x".repeat(5000)).unwrap();
    fs::write(place.path("lines"), "{\"function\":\"f\"}\n{\"f\":1}\n").unwrap();
    for (words, code, text) in [
        (&["list", "sqlite:none.db"][..], 6, "there is no "),
        (&["list", "log:none"], 6, "there is no "),
        (&["list", "jsonl:none"], 6, "cannot read "),
        (&["list", "none"], 2, "the address of a store is its kind, a colon and its place"),
        (&["list", "mongodb://me:secret@host"], 2, "`mongodb` is no kind of store"),
        (&["verify", "sqlite:text"], 6, "is not an SQLite database"),
        (&["import", "sqlite:text", "sqlite:text"], 2, "source and target are the same"),
        (&["import", "sqlite:text", "-"], 2, "import has a store as its target"),
        (&["export", "jsonl:lines"], 2, "export has a store as its source"),
        (&["import", "jsonl:lines", "sqlite:q.db"], 2, "/lines, line 2: a job has no field \"f\""),
        (&["import", "--move", "jsonl:lines", "sqlite:q.db"], 2, "--move deletes jobs in a store"),
        (&["export", "--move", "sqlite:q.db"], 2, "--move needs a target that keeps the jobs"),
        (&["purge", "--yes", "jsonl:lines"], 2, "JSON lines are no store"),
    ] {
        place.refused(words, "", code, text);
    }
    assert!(!place.path("q.db").exists());
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    place.refused(&["export", "sqlite:q.db", "jsonl:lines"], "", 2, "/lines is there already");
    assert_eq!(place.read("text").len(), 5000);
}

#[test]
fn a_damaged_log_is_told_and_read_around() {
    let place = Place::new();
    place.ok(&["import", "-", "log:q"], LINES);
    place.ok(&["import", "--again", "-", "log:q"], LINES);
    assert_eq!(place.said(&["verify", "log:q"]), "");
    let segment = place.path("q/0000000000000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    // In the first record of the first batch: the others of it have been saved.
    let at = bytes.windows(6).position(|word| word == b"resize").unwrap();
    bytes[at] = b'R';
    fs::write(&segment, &bytes).unwrap();
    let outcome = place.queue(&["verify", "log:q"], b"");
    assert!(
        outcome.err.contains("are damaged; ") && outcome.err.contains("0000000000000001.log"),
        "{}",
        outcome.err
    );
    assert_eq!(outcome.status.code(), Some(6));
    assert!(place.said(&["list", "log:q"]).contains("are damaged; "));
    assert_eq!(fs::read(&segment).unwrap(), bytes, "reading has changed it");
}

/// Without the rights of root, who may do all.
#[test]
fn what_may_not_be_written_says_so_and_stays() {
    let place = Place::new();
    place.ok(&["import", "-", "sqlite:q.db"], LINES);
    place.ok(&["import", "-", "sqlite:other.db"], LINES);
    let program = place.path("copy");
    fs::copy(env!("CARGO_BIN_EXE_lineshaft"), &program).unwrap();
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap()
    };
    mode("q.db", 0o444);
    mode("other.db", 0o666);
    mode("", 0o555);
    let before = fs::read(place.path("q.db")).unwrap();
    let refused = |words: &[&str], text: &str| {
        let mut command = Command::new(&program);
        command.arg("queue").args(words).current_dir(place.folder.path()).env("XDG_STATE_HOME", "/nowhere");
        if geteuid().is_root() {
            const NOBODY: u32 = 65_534;
            command.uid(NOBODY).gid(NOBODY);
        }
        let outcome = run(&mut command, b"").unwrap();
        assert_eq!(outcome.status.code(), Some(6), "{words:?}: {}", outcome.err);
        assert!(outcome.err.contains(text), "{words:?}: {}", outcome.err);
    };
    refused(&["purge", "--yes", "sqlite:q.db"], "q.db may only be read: this user must have the right");
    refused(
        &["purge", "--yes", "sqlite:other.db"],
        "other.db may only be read: this user must have the right",
    );
    assert!(fs::read(place.path("q.db")).unwrap() == before);
    mode("", 0o755);
    for file in ["q.db", "other.db"] {
        mode(file, 0o644);
        assert_eq!(place.ok(&["export", &format!("sqlite:{file}")], ""), LINES);
    }
}
