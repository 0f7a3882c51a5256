//! SUBMIT_JOB_SCHED: jobs that repeat.

use crate::story::{NOON, Story};

#[test]
fn a_schedule_fires_and_wakes() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        w> PRE_SLEEP
        c> SUBMIT_JOB_SCHED f nightly */5 * * * * x
        c< JOB_CREATED T:1
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 0 0 0
        t> \"status\"
        t< \"f\\t0\\t0\\t1\\n.\\n\"
        +299999ms
        w> GRAB_JOB
        w< NO_JOB
        w> PRE_SLEEP
        +1ms
        w< NOOP
        w> GRAB_JOB_UNIQ
        w< JOB_ASSIGN_UNIQ T:2 f nightly x
        w> WORK_COMPLETE T:2 r
        w> PRE_SLEEP
        +5000ms
        +295s
        w< NOOP
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f x
        ",
    );
}

#[test]
fn it_is_passed_over_while_the_last_job_lives() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_SCHED f '' * * * * * x\nc< JOB_CREATED T:1\n+1h");
    assert_eq!((story.broker.jobs(), story.stats().schedules_skipped), (1, 59));
    assert_eq!(story.admin("show schedules"), format!(r"T:1\tf\t\t* * * * *\t{}\t1\t59\n.\n", NOON + 3660));
    // The job goes through hands and comes back: still the same one.
    story.run("w> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:2 f x\n+1h\nw close\n+1h\nw> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:2 f x");
    story.run("w> WORK_EXCEPTION T:2\n+60s\nw> GRAB_JOB\nw< JOB_ASSIGN T:3 f x");
}

#[test]
fn cancelling_ends_it_and_leaves_its_job() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB_SCHED f u 0 13 * * * x
        c< JOB_CREATED T:1
        +1h
        t> \"cancel job T:1\"
        t< \"OK\\r\\n\"
        t> \"cancel job T:1\"
        t< \"ERR UNKNOWN_JOB\\r\\n\"
        t> \"show schedules\"
        t< \".\\n\"
        c> GET_STATUS T:1
        c< STATUS_RES T:1 0 0 0 0
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f x
        w> WORK_COMPLETE T:2
        +30d
        w> GRAB_JOB
        w< NO_JOB
        c> SUBMIT_JOB_SCHED f u 0 14 * * * x
        c< JOB_CREATED T:3
        ",
    );
}

#[test]
fn cancelling_its_job_leaves_the_schedule() {
    Story::new().run(
        "
        c> SUBMIT_JOB_SCHED f u * * * * * x
        c< JOB_CREATED T:1
        +60s
        t> \"cancel job T:2\"
        t< \"OK\\r\\n\"
        +60s
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f x
        ",
    );
}

#[test]
fn the_same_unique_is_the_same_schedule() {
    Story::new().run(
        "
        c> SUBMIT_JOB_SCHED f u * * * * * x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_SCHED f u 5 * * * * y
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_SCHED g u * * * * * x
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_SCHED f '' * * * * * x
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_SCHED f '' * * * * * x
        c< JOB_CREATED T:4
        c> SUBMIT_JOB_SCHED f - * * * * * x
        c< JOB_CREATED T:5
        c> SUBMIT_JOB_SCHED f - * * * * * x   # a dash compares workloads here as well
        c< JOB_CREATED T:5
        c> SUBMIT_JOB_SCHED f - * * * * * other
        c< JOB_CREATED T:6
        c> SUBMIT_JOB_SCHED f - * * * * *
        c< JOB_CREATED T:7
        c> SUBMIT_JOB_SCHED f - * * * * *
        c< JOB_CREATED T:8
        t> \"cancel job T:5\"
        t< \"OK\\r\\n\"
        c> SUBMIT_JOB_SCHED f - * * * * * other
        c< JOB_CREATED T:6
        c> SUBMIT_JOB_SCHED f - * * * * * x
        c< JOB_CREATED T:9
        ",
    );
}

#[test]
fn a_job_with_its_unique_makes_it_wait() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB_SCHED f u * * * * * x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f u by-hand
        c< JOB_CREATED T:2
        +3h
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f by-hand
        w> WORK_COMPLETE T:2
        c< WORK_COMPLETE T:2
        +60s
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f x
        ",
    );
    assert_eq!(story.stats().schedules_skipped, 180);
}

#[test]
fn the_week_begins_on_monday() {
    // NOON is on a Saturday, which is 5.
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_SCHED f '' 0 0 * * 0 x\nc< JOB_CREATED T:1");
    assert!(story.admin("show schedules").contains(&format!("\\t{}\\t", NOON + 43_200 + 86_400)));
}

#[test]
fn a_missed_time_counts_once() {
    let mut story = Story::new();
    story.run(
        "
        c> SUBMIT_JOB_SCHED f '' 0 * * * * x
        c< JOB_CREATED T:1
        wall +30d
        +1s
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f x
        w> WORK_COMPLETE T:2
        w> GRAB_JOB
        w< NO_JOB
        +1h
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f x
        ",
    );
}

#[test]
fn a_clock_that_was_wrong_does_not_stop_it() {
    Story::new().run(
        "
        wall +300d
        c> SUBMIT_JOB_SCHED f '' 0 * * * * x
        c< JOB_CREATED T:1
        wall -300d                      # set right
        +1h
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f x
        ",
    );
}

#[test]
fn a_small_step_back_does_not_fire_twice() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_SCHED f '' 0 * * * * x\nc< JOB_CREATED T:1\n+1h");
    story.run("w> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:2 f x\nw> WORK_COMPLETE T:2");
    story.run("wall -5s\n+10s\nw> GRAB_JOB\nw< NO_JOB");
}

#[test]
fn lines_that_mean_nothing_are_refused() {
    let mut story = Story::new();
    for fields in [
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "x * * * *",
        "1-0 * * * *",
        "0 0 31 2,4,6,9,11 *",
    ] {
        story.send("c", &crate::story::packet(&format!("SUBMIT_JOB_SCHED f '' {fields} x")));
        let answer = story.next("c").expect("an answer");
        assert!(answer.starts_with("ERROR INVALID_ARGUMENT "), "{fields}: {answer}");
    }
    // Blanks inside a field must not make six of them.
    let fields = b"f\0\x000 0\x001\x001\0*\0*\0x";
    story.send("c", &[&b"\0REQ\0\0\0\x23\0\0\0"[..], &[fields.len() as u8], fields].concat());
    assert!(story.next("c").is_some_and(|answer| answer.starts_with("ERROR INVALID_ARGUMENT ")));
    assert_eq!(story.admin("show schedules"), r".\n");
}

#[test]
fn schedules_are_limited() {
    let mut story = Story::with(|config| config.max_schedules = 1);
    story.play(
        "c> SUBMIT_JOB_SCHED f '' * * * * * x\nc< JOB_CREATED T:1\nc> SUBMIT_JOB_SCHED f '' * * * * * x",
    );
    assert!(story.next("c").is_some_and(|answer| answer.contains("max_schedules")));
    // A full queue is passed over.
    story.run("t> \"maxqueue f 1\"\nt< \"OK\\r\\n\"\nc> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:2\n+1h");
    assert_eq!((story.broker.jobs(), story.stats().schedules_skipped), (1, 60));
}

#[test]
fn dropping_the_function_ends_its_schedules() {
    Story::new().run(
        "
        c> SUBMIT_JOB_SCHED f u * * * * * x
        c< JOB_CREATED T:1
        t> \"drop function f\"
        t< \"OK\\r\\n\"
        +1h
        t> \"status\"
        t< \".\\n\"
        t> \"show schedules\"
        t< \".\\n\"
        ",
    );
}

#[test]
fn nothing_fires_while_draining() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_SCHED f u * * * * * x\nc< JOB_CREATED T:1\ndrain\n+1h");
    assert_eq!(story.broker.jobs(), 0);
}
