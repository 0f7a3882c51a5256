//! Why jobs do not run: each reason brought about, and its whole sentence.

use std::time::Duration;

use lineshaft::broker::{Input, Note, Reason};

use crate::story::{NOON, Story};

fn text(story: &Story, word: &str) -> String {
    story.broker.explain(word.as_bytes()).to_string()
}

fn code(story: &Story, word: &str) -> &'static str {
    story.broker.explain(word.as_bytes()).reason.code()
}

#[test]
fn handles_that_are_nobodys() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1\nw> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:1 f 1");
    story.run("w> WORK_COMPLETE T:1");
    assert!(
        text(&story, "T:1").starts_with("T:1 is not here any more: it is done, has failed, was cancelled")
    );
    assert!(text(&story, "T:1").contains("numbers up to 1 have been given"));
    assert!(
        text(&story, "T:2").starts_with("T:2 has never been given by this server, whose last number is 1:")
    );
    assert!(
        text(&story, "H:other:2")
            .starts_with("H:other:2 is no handle of this server, whose handles begin with T:")
    );
    assert_eq!(code(&story, "T:1"), "ended");
    assert_eq!(code(&story, "T:2"), "never-given");
    assert_eq!(code(&story, "H:other:2"), "foreign");
    assert_eq!(code(&story, "T:02"), "foreign", "no server writes numbers so");
}

#[test]
fn functions_that_nobody_has_heard_of() {
    let mut story = Story::new();
    assert!(text(&story, "f").starts_with("There is no function f: since the server began"));
    story.run("w> CAN_DO Resize");
    assert_eq!(
        text(&story, "resize"),
        "There is no function resize, but one called Resize: names are told apart by case."
    );
    assert_eq!(text(&story, "Resize"), "No job of Resize waits: 0 run and one worker is registered for it.");
}

#[test]
fn no_worker_and_since_when() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1");
    assert_eq!(
        text(&story, "f"),
        "f waits for a worker: none has registered since the server began. Start one, and look whether it registers by \
         exactly this name. 1 job waits (0 high, 1 normal, 0 low)."
    );
    story.run("w> CAN_DO f\nw close\n+5s\nv> CAN_DO g");
    assert_eq!(
        text(&story, "T:1"),
        "T:1 of f waits for a worker: the last one went away 5 s ago. Start one again."
    );
    story.run("v> CAN_DO f\n+1h\nv> CANT_DO f\n+2h\nv> CAN_DO h");
    assert_eq!(
        story.broker.explain(b"f").reason,
        Reason::NoWorker { since: Some(Duration::from_secs(7200)) }
    );
    story.run("v> CAN_DO f");
    assert_eq!(code(&story, "f"), "silent", "it is there, and does not ask");
}

#[test]
fn all_workers_are_busy() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w> SET_CLIENT_ID anna
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        +12s
        w> WORK_STATUS T:1 3 10
        c> SUBMIT_JOB_LOW_BG f '' 2
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_HIGH_BG f '' 3
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG f '' 4
        c< JOB_CREATED T:4
        c> SUBMIT_JOB_BG f '' 5
        c< JOB_CREATED T:5
        ",
    );
    let busy = "the one worker is busy: worker anna at 127.0.0.1 with T:1 of f for 12 s. Wait, or start more workers.";
    assert_eq!(text(&story, "T:3"), format!("T:3 of f waits: {busy}"));
    let ahead = |word: &str, jobs| {
        let notes = story.broker.explain(word.as_bytes()).notes;
        assert_eq!(notes, [Note::Ahead { jobs }], "{word}");
    };
    ahead("T:4", [1, 0, 0]);
    ahead("T:5", [1, 1, 0]);
    ahead("T:2", [1, 2, 0]);
    assert_eq!(
        text(&story, "T:2"),
        format!("T:2 of f waits: {busy} Before it 3 jobs stand in line (1 high, 2 normal, 0 low).")
    );
    assert_eq!(
        text(&story, "T:1"),
        "T:1 of f runs: worker anna at 127.0.0.1 has had it for 12 s and has reported 3 of 10; there is no limit on its \
         time, so it has it until it ends or goes away."
    );
    for name in ["v", "x", "y"] {
        story.run(&format!("{name}> CAN_DO f"));
    }
    story.run("v> GRAB_JOB\nv< JOB_ASSIGN T:3 f 3\nx> GRAB_JOB\nx< JOB_ASSIGN T:4 f 4\ny> GRAB_JOB\ny< JOB_ASSIGN T:5 f 5");
    assert!(
        text(&story, "f").starts_with("f waits: all 4 workers are busy: worker anna"),
        "{}",
        text(&story, "f")
    );
    assert!(text(&story, "f").contains(", and 1 more. Wait"));
    assert_eq!(code(&story, "f"), "busy");
    // One of them ends its job: who is about to ask for the next one is no idler, unless it takes long over that.
    story.run("c> SUBMIT_JOB_BG f '' 6\nc< JOB_CREATED T:6\nv> WORK_COMPLETE T:3 ok");
    assert_eq!(code(&story, "f"), "busy");
    assert!(text(&story, "f").starts_with("f waits: all 4 workers are busy: worker anna"));
    story.run("+1s\nc> SUBMIT_JOB_BG g '' 7\nc< JOB_CREATED T:7");
    assert_eq!(code(&story, "f"), "silent");
}

/// Everybody else waits while all is looked at.
#[test]
fn with_many_workers_and_functions_each_is_to_be_asked_for_alone() {
    let mut story = Story::with(|config| config.max_listing = 3);
    story.run("v> CAN_DO f\nv> CAN_DO g\nw> CAN_DO f\nw> CAN_DO h");
    story.run("+1s\nc> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1");
    let all = story.broker.explain_all();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].reason, Reason::NotLooked { workers: 2 });
    assert!(all[0].to_string().starts_with(
        "f waits, and 2 workers are registered for it: ask for this function alone to hear what they do."
    ));
    assert_eq!(code(&story, "f"), "silent");
    story.run("v> CANT_DO g");
    assert_eq!(story.broker.explain_all()[0].reason.code(), "silent");
}

#[test]
fn a_limit_on_time_is_told() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1\nw> CAN_DO_TIMEOUT f 60000\nw> GRAB_JOB\nw< JOB_ASSIGN T:1 f 1");
    story.run("+10s\nw> WORK_STATUS T:1 1 0");
    assert_eq!(
        text(&story, "T:1"),
        "T:1 of f runs: the worker at 127.0.0.1 has had it for 10 s; unless it ends in 50 s, it is given to another worker."
    );
    story.run("+50s\nv> CAN_DO g");
    assert!(
        text(&story, "T:1").contains("It has been given back 1 time, by workers that were lost or too slow.")
    );
}

#[test]
fn workers_that_are_woken_and_stay_away() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        w> PRE_SLEEP
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w< NOOP
        ",
    );
    assert!(
        text(&story, "T:1").starts_with("T:1 of f waits: 1 worker has just been told of it"),
        "{}",
        text(&story, "T:1")
    );
    story.run("+90s\nc> ECHO_REQ x\nc< ECHO_RES x");
    assert_eq!(code(&story, "T:1"), "woken-stay-away");
    assert_eq!(
        text(&story, "T:1"),
        "T:1 of f waits: 1 worker has been woken and not come, the first for 90 s (the worker at 127.0.0.1): hung, \
         stopped, or busy with jobs of another server. Look at them, or restart them."
    );
    story.run("w> GRAB_JOB\nw< JOB_ASSIGN T:1 f 1");
    assert_eq!(code(&story, "f"), "nothing-waits");
}

#[test]
fn what_is_not_due_says_when() {
    let mut story = Story::new();
    let due = NOON + 3600;
    story.run(&format!("c> SUBMIT_JOB_EPOCH f '' {due} x\nc< JOB_CREATED T:1\n+2s\nw> CAN_DO f"));
    assert_eq!(
        text(&story, "T:1"),
        "T:1 of f waits for its time, 2026-11-21T13:00:00Z (in 59 min): its client has asked for that."
    );
    assert_eq!(
        text(&story, "f"),
        "f waits for its time, 2026-11-21T13:00:00Z (in 59 min): its client has asked for that."
    );
    story.run("c> SUBMIT_JOB_SCHED f u 30 * * * * x\nc< JOB_CREATED T:2");
    assert!(
        text(&story, "T:2").starts_with(
            "T:2 is a schedule of f: its next job is due 2026-11-21T12:30:00Z (in 29 min). It has made 0"
        ),
        "{}",
        text(&story, "T:2")
    );
}

#[test]
fn a_server_that_is_stopped_hands_nothing_out() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1\nw> CAN_DO f\ndrain");
    assert!(text(&story, "T:1").starts_with("T:1 of f waits because the server is being stopped"));
}

#[test]
fn what_keeps_new_jobs_away_is_noted() {
    let mut story = Story::with(|config| config.max_queue_bytes = 200);
    story.run("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1");
    assert_eq!(story.admin("maxqueue f 1"), r"OK\r\n");
    assert!(text(&story, "f").ends_with("Submissions are refused: 1 job is there, and maxqueue allows 1 high, 1 normal, 1 low (0: any number)."));
    story.run("c> SUBMIT_JOB_BG g '' 2\nc< JOB_CREATED T:2");
    assert!(
        text(&story, "g").ends_with(
            "Submissions are refused: jobs hold 178 of the 200 bytes that max_queue_bytes allows."
        )
    );
    story.apply(Input::Storing { failing: Some("no room"), refusing: true });
    assert!(
        text(&story, "g").ends_with("The store fails, so that background submissions are refused: no room.")
    );
    story.apply(Input::Storing { failing: Some("no room"), refusing: false });
    assert!(text(&story, "T:1").ends_with("background submissions wait for their acknowledgement: no room."));
}

#[test]
fn a_reducer_is_noted() {
    let mut story = Story::new();
    story.run("c> SUBMIT_REDUCE_JOB_BACKGROUND f '' sum x\nc< JOB_CREATED T:1");
    assert!(
        text(&story, "T:1")
            .contains("It has the reducer sum, of which only workers hear that ask with GRAB_JOB_ALL.")
    );
}

#[test]
fn the_text_command_answers_a_list() {
    let mut story = Story::new();
    assert_eq!(story.admin("explain"), r".\n");
    story.run("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1\nc> SUBMIT_JOB_BG g '' 1\nc< JOB_CREATED T:2\nw> CAN_DO g\nw> GRAB_JOB\nw< JOB_ASSIGN T:2 g 1");
    let all = story.admin("explain");
    assert!(all.starts_with(r"f\tno-worker\tf waits for a worker: none has registered"), "{all}");
    assert!(all.ends_with(r"low).\n.\n") && !all.contains("g\\t"), "{all}");
    assert!(
        story
            .admin("EXPLAIN T:2")
            .starts_with(r"T:2\trunning\tT:2 of g runs: the worker at 127.0.0.1 has had it for 0 ms")
    );
    assert_eq!(
        story.admin("explain a b"),
        r"ERR INVALID_ARGUMENTS explain+takes+one+handle,+one+function+or+nothing\r\n"
    );
    story.run("c> SUBMIT_JOB_BG a\tb '' 1\nc< JOB_CREATED T:3");
    assert!(
        story.admin("explain").contains(r"a\\x09b\tno-worker\ta\\x09b waits"),
        "names do not break the columns"
    );
}
