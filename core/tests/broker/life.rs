//! A job from its submission to its end: reports, exceptions, give-back, retries, reducers, status (protocol.md 2.3, 3.6-3.13).

use lineshaft::broker::Input;

use crate::story::Story;

const CREATED: &str = "
    w> CAN_DO f
    c> SUBMIT_JOB f u x
    c< JOB_CREATED T:1
    w> GRAB_JOB
    w< JOB_ASSIGN T:1 f x
";

#[test]
fn reports_travel_byte_for_byte() {
    let mut story = Story::new();
    story.run(CREATED);
    story.run(
        "
        w> WORK_STATUS T:1 abc def
        c< WORK_STATUS T:1 abc def
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 1 0 0
        w> WORK_STATUS T:1 007 1.5
        c< WORK_STATUS T:1 007 1.5
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 1 7 1
        w> WORK_STATUS T:1 -1 12345678901234567890
        c< WORK_STATUS T:1 -1 12345678901234567890
        c> GET_STATUS_UNIQUE u
        c< STATUS_RES_UNIQUE u 1 1 4294967295 1234567890 1
        w> WORK_WARNING T:1 careful
        c< WORK_WARNING T:1 careful
        w> WORK_FAIL T:1
        c< WORK_FAIL T:1
        c> GET_STATUS T:1
        c< STATUS_RES T:1 0 0 0 0
        ",
    );
}

#[test]
fn only_the_holder_may_report() {
    let mut story = Story::new();
    story.run(CREATED);
    let lost = "JOB_NOT_FOUND Job given in work result not found";
    let absent = "JOB_NOT_FOUND Job does not exist on server";
    let thrown = "JOB_NOT_FOUND An exception was received for a job that does not exist";
    // The submitter, somebody else, an unknown handle, a queued job.
    for (who, handle) in [("c", "T:1"), ("v", "T:1"), ("w", "T:9"), ("w", "H:1"), ("w", "T:01"), ("w", "T:")]
    {
        story.run(&format!(
            "
            {who}> WORK_COMPLETE {handle} r
            {who}< ERROR {lost}
            {who}> WORK_FAIL {handle}
            {who}< ERROR {lost}
            {who}> WORK_STATUS {handle} 1 2
            {who}< ERROR {lost}
            {who}> WORK_DATA {handle} d
            {who}< ERROR {absent}
            {who}> WORK_WARNING {handle} d
            {who}< ERROR {absent}
            {who}> WORK_EXCEPTION {handle} d
            {who}< ERROR {thrown}
            "
        ));
    }
    assert_eq!(story.stats().late_results, 36);
    story.run("w> WORK_COMPLETE T:1 r\nc< WORK_COMPLETE T:1 r");
}

#[test]
fn exceptions_go_to_those_who_asked_for_them() {
    let mut story = Story::new();
    story.run(
        "
        e> OPTION_REQ eXceptions
        e< OPTION_RES eXceptions
        e> OPTION_REQ colours
        e< ERROR UNKNOWN_OPTION Server does not recognize given option
        w> CAN_DO f
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        e> SUBMIT_JOB f u x
        e< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> WORK_EXCEPTION T:1 boom
        c< WORK_FAIL T:1              # the bare handle, without a NUL behind it
        e< WORK_EXCEPTION T:1 boom
        w> WORK_FAIL T:1              # Perl's worker sends both: swallowed, once
        w> WORK_FAIL T:1
        w< ERROR JOB_NOT_FOUND Job given in work result not found
        v> WORK_FAIL T:1
        v< ERROR JOB_NOT_FOUND Job given in work result not found
        c> GET_STATUS T:1
        c< STATUS_RES T:1 0 0 0 0
        ",
    );
    // A trailing NUL, and what is behind it, is ignored and repeated.
    story.send("c", b"\0REQ\0\0\0\x1a\0\0\0\x0dexceptions\0ab");
    assert_eq!(story.next("c").as_deref(), Some("OPTION_RES exceptions\\x00ab"));
}

#[test]
fn exceptions_can_be_on_for_everybody() {
    let mut story = Story::with(|config| config.exceptions = true);
    story.run(CREATED);
    story.run("w> WORK_EXCEPTION T:1 boom\nc< WORK_EXCEPTION T:1 boom");
}

#[test]
fn jobs_of_a_lost_worker_come_back_newest_first_to_the_tail() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        c> SUBMIT_JOB f '' 3
        c< JOB_CREATED T:3
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f 2
        w> WORK_STATUS T:2 1 2
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f 3
        c> SUBMIT_JOB_BG f '' 4
        c< JOB_CREATED T:4
        w close
        c> GET_STATUS T:2              # its progress is forgotten
        c< STATUS_RES T:2 1 0 0 0
        t> \"show jobs\"
        t< \"T:1\\t1\\t0\\t1\\nT:2\\t1\\t0\\t1\\nT:3\\t1\\t0\\t0\\nT:4\\t0\\t0\\t1\\n.\\n\"
        v> CAN_DO f
        v> GRAB_JOB
        v< JOB_ASSIGN T:4 f 4
        v> GRAB_JOB
        v< JOB_ASSIGN T:3 f 3
        v> GRAB_JOB
        v< JOB_ASSIGN T:2 f 2
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f 1
        v> WORK_COMPLETE T:3 r
        c< WORK_COMPLETE T:3 r
        ",
    );
}

#[test]
fn a_peer_that_sends_no_more_does_no_jobs_but_is_still_answered() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        v> CAN_DO f
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> SUBMIT_JOB g '' y
        w< JOB_CREATED T:2
        v> PRE_SLEEP
        ",
    );
    let conn = story.conn("w");
    story.apply(Input::Ended { conn });
    story.run("v< NOOP\nv> GRAB_JOB\nv< JOB_ASSIGN T:1 f x\nt> \"status\"\nt< \"f\\t1\\t1\\t1\\ng\\t1\\t0\\t0\\n.\\n\"");
    story.run("u> CAN_DO g\nu> GRAB_JOB\nu< JOB_ASSIGN T:2 g y\nu> WORK_COMPLETE T:2 z\nw< WORK_COMPLETE T:2 z\nw close");
    story.apply(Input::Ended { conn });
}

#[test]
fn cant_do_and_reset_abilities_give_jobs_back() {
    Story::new().run(
        "
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG g '' 2
        c< JOB_CREATED T:2
        w> CAN_DO g
        w> CAN_DO f
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 g 2
        v> CAN_DO f
        v> CAN_DO g
        v> PRE_SLEEP
        w> CANT_DO nobody
        w> CANT_DO f                   # all registrations of f, and its job
        v< NOOP
        w> WORK_COMPLETE T:1 late
        w< ERROR JOB_NOT_FOUND Job given in work result not found
        t> \"status\"
        t< \"f\\t1\\t0\\t1\\ng\\t1\\t1\\t2\\n.\\n\"
        w> RESET_ABILITIES
        v> GRAB_JOB
        v< JOB_ASSIGN T:2 g 2
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f 1
        w> GRAB_JOB
        w< NO_JOB
        ",
    );
}

#[test]
fn retries_count_attempts() {
    // None is without limit, 0 and 1 are one attempt.
    for (allowed, attempts) in [(None, 40), (Some(0), 1), (Some(1), 1), (Some(2), 2), (Some(5), 5)] {
        let mut story = Story::with(|config| config.job_retries = allowed);
        story.run("c> SUBMIT_JOB f u x\nc< JOB_CREATED T:1");
        for attempt in 1..=attempts {
            story.play("w> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:1 f x\nw close");
            if attempt < attempts || allowed.is_none() {
                story.run("c> GET_STATUS T:1\nc< STATUS_RES T:1 1 0 0 0");
            }
        }
        if allowed.is_some() {
            story.run("c< WORK_FAIL T:1\nc> GET_STATUS T:1\nc< STATUS_RES T:1 0 0 0 0");
            assert_eq!((story.stats().dropped, story.broker.jobs()), (1, 0));
        }
    }
}

#[test]
fn reducers_show_to_those_who_ask_for_all() {
    Story::new().run(
        "
        c> SUBMIT_REDUCE_JOB map u red '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_REDUCE_JOB_BACKGROUND map '' red ignored 2
        c< JOB_CREATED T:2
        c> SUBMIT_REDUCE_JOB map '' red '' 3
        c< JOB_CREATED T:3
        c> SUBMIT_JOB map v 4
        c< JOB_CREATED T:4
        w> CAN_DO map
        w> GRAB_JOB_ALL
        w< JOB_ASSIGN_ALL T:1 map u red 1
        w> GRAB_JOB_UNIQ
        w< JOB_ASSIGN_UNIQ T:2 map '' 2
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 map 3
        w> GRAB_JOB_ALL
        w< JOB_ASSIGN_UNIQ T:4 map v 4
        w> WORK_COMPLETE T:1 r
        c< WORK_COMPLETE T:1 r
        w> WORK_COMPLETE T:2 r
        ",
    );
}

#[test]
fn a_long_reducer_is_refused() {
    let mut story = Story::new();
    story.run(&format!("c> SUBMIT_REDUCE_JOB f u {} '' x\nc< JOB_CREATED T:1", "r".repeat(64)));
    story.send("c", &crate::story::packet(&format!("SUBMIT_REDUCE_JOB f v {} '' x", "r".repeat(65))));
    assert!(story.next("c").is_some_and(|answer| answer.starts_with("ERROR ARGUMENT_TOO_LARGE ")));
}

#[test]
fn status_by_unique_finds_the_newest_of_all_functions() {
    Story::new().run(
        "
        c> SUBMIT_JOB_BG f u 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB g u 2
        c< JOB_CREATED T:2
        d> SUBMIT_JOB g u 2
        d< JOB_CREATED T:2
        c> GET_STATUS_UNIQUE u
        c< STATUS_RES_UNIQUE u 1 0 0 0 2
        w> CAN_DO g
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 g 2
        w> WORK_STATUS T:2 3 4
        c< WORK_STATUS T:2 3 4
        d< WORK_STATUS T:2 3 4
        c> GET_STATUS_UNIQUE u
        c< STATUS_RES_UNIQUE u 1 1 3 4 2
        w> WORK_COMPLETE T:2
        c< WORK_COMPLETE T:2
        d< WORK_COMPLETE T:2
        c> GET_STATUS_UNIQUE u
        c< STATUS_RES_UNIQUE u 1 0 0 0 0
        c> GET_STATUS_UNIQUE nobody
        c< STATUS_RES_UNIQUE nobody 0 0 0 0 0
        c> GET_STATUS_UNIQUE ''
        c< STATUS_RES_UNIQUE '' 0 0 0 0 0
        ",
    );
}

#[test]
fn unknown_handles_are_zeros_and_long_ones_an_error() {
    let (fits, long) = ("h".repeat(63), "h".repeat(64));
    Story::new().run(&format!(
        "
        c> GET_STATUS H:nowhere:1
        c< STATUS_RES H:nowhere:1 0 0 0 0
        c> GET_STATUS T:99999999999999999999999
        c< STATUS_RES T:99999999999999999999999 0 0 0 0
        c> GET_STATUS {fits}
        c< STATUS_RES {fits} 0 0 0 0
        c> GET_STATUS {long}
        c< ERROR ARGUMENT_TOO_LARGE Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf
        c> WORK_FAIL {long}
        c< ERROR ARGUMENT_TOO_LARGE Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf
        c> ECHO_REQ
        c< ECHO_RES
        c> ECHO_REQ still-here
        c< ECHO_RES still-here
        ",
    ));
}

#[test]
fn several_jobs_at_once_end_in_any_order() {
    Story::new().run(
        "
        c> SUBMIT_JOB f '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f '' 2
        c< JOB_CREATED T:2
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f 2
        w> GRAB_JOB
        w< NO_JOB
        w> WORK_COMPLETE T:2 b
        c< WORK_COMPLETE T:2 b
        w> WORK_COMPLETE T:1 a
        c< WORK_COMPLETE T:1 a
        w> WORK_COMPLETE T:1 a
        w< ERROR JOB_NOT_FOUND Job given in work result not found
        ",
    );
}

#[test]
fn one_connection_may_be_client_and_worker() {
    Story::new().run(
        "
        x> CAN_DO f
        x> PRE_SLEEP
        x> SUBMIT_JOB f '' 1
        x< JOB_CREATED T:1
        x< NOOP
        x> GRAB_JOB
        x< JOB_ASSIGN T:1 f 1
        x> WORK_COMPLETE T:1 r
        x< WORK_COMPLETE T:1 r
        x> SUBMIT_JOB f '' 2
        x< JOB_CREATED T:2
        x> GRAB_JOB
        x< JOB_ASSIGN T:2 f 2
        x close                      # its own job has nobody left
        t> \"status\"
        t< \"f\\t0\\t0\\t0\\n.\\n\"
        ",
    );
}

#[test]
fn draining_lets_what_runs_finish_and_takes_no_more() {
    let mut story = Story::new();
    story.run(CREATED);
    story.run(
        "
        c> SUBMIT_JOB f '' 2
        c< JOB_CREATED T:2
        drain
        c> SUBMIT_JOB f '' 3
        c< ERROR SHUTDOWN The server is being stopped and takes no new jobs
        w> GRAB_JOB
        w< NO_JOB
        w> PRE_SLEEP
        w> WORK_COMPLETE T:1 r
        c< WORK_COMPLETE T:1 r
        +10s
        ",
    );
    assert_eq!((story.broker.running(), story.broker.jobs()), (0, 1));
}
