//! CAN_DO_TIMEOUT and epoch jobs (protocol.md 3.8, 3.12).

use crate::story::{NOON, Story};

#[test]
fn a_job_that_takes_too_long_goes_to_somebody_else() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO_TIMEOUT f 10            # less than a second counts as a second
        v> CAN_DO f
        v> PRE_SLEEP
        c> SUBMIT_JOB f '' x
        c< JOB_CREATED T:1
        v< NOOP
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        v> GRAB_JOB
        v< NO_JOB
        v> PRE_SLEEP
        +999ms
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 1 0 0
        +1ms
        v< NOOP
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 0 0 0
        w> WORK_DATA T:1 late
        w< ERROR JOB_NOT_FOUND Job does not exist on server
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f x
        w> WORK_COMPLETE T:1 late
        w< ERROR JOB_NOT_FOUND Job given in work result not found
        v> WORK_COMPLETE T:1 r
        c< WORK_COMPLETE T:1 r
        +1d
        ",
    );
    let stats = story.stats();
    assert_eq!((stats.timed_out, stats.given_back, stats.late_results), (1, 1, 2));
    assert_eq!(story.broker.next_wakeup(), None);
}

#[test]
fn no_limit_and_long_limits() {
    for number in ["0", "-5", "''", "none", "9223372036854775807"] {
        let mut story = Story::new();
        story.run(&format!(
            "
            w> CAN_DO_TIMEOUT f {number}
            c> SUBMIT_JOB_BG f '' x
            c< JOB_CREATED T:1
            w> GRAB_JOB
            w< JOB_ASSIGN T:1 f x
            +30d
            w> WORK_COMPLETE T:1
            "
        ));
        assert_eq!(story.stats().timed_out, 0, "{number}");
    }
    Story::new().run(
        "
        w> CAN_DO_TIMEOUT f 9223372036854775808
        w< ERROR ARGUMENT_TOO_LARGE Timeout is not a number of milliseconds
        w> CAN_DO_TIMEOUT f 000000000000000001000
        w< ERROR ARGUMENT_TOO_LARGE Timeout is not a number of milliseconds
        ",
    );
}

#[test]
fn a_job_that_is_done_has_no_timer() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO_TIMEOUT f 2000
        c> SUBMIT_JOB f '' 1
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        w> WORK_COMPLETE T:1
        c< WORK_COMPLETE T:1
        +1500ms
        c> SUBMIT_JOB f '' 2            # another job has a time of its own
        c< JOB_CREATED T:2
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f 2
        +1999ms
        c> GET_STATUS T:2
        c< STATUS_RES T:2 1 1 0 0
        w> WORK_COMPLETE T:2
        c< WORK_COMPLETE T:2
        +1h
        t> \"status\"
        t< \"f\\t0\\t0\\t1\\n.\\n\"
        ",
    );
    assert_eq!(story.stats().timed_out, 0);
}

#[test]
fn jobs_held_together_are_timed_each() {
    Story::new().run(
        "
        w> CAN_DO_TIMEOUT f 2000
        w> CAN_DO_TIMEOUT g 5000
        w> CAN_DO h
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_BG g '' 3
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG h '' 4
        c< JOB_CREATED T:4
        w> GRAB_JOB
        w< JOB_ASSIGN T:4 h 4
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 g 3
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        +1s
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f 2
        w> PRE_SLEEP                    # sleeping does not stop the timers either
        +1s
        w< NOOP
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 0 0 0
        c> GET_STATUS T:2
        c< STATUS_RES T:2 1 1 0 0
        w> WORK_STATUS T:2 1 2          # a report does not buy time
        +1s
        c> GET_STATUS T:2
        c< STATUS_RES T:2 1 0 0 0
        c> GET_STATUS T:3
        c< STATUS_RES T:3 1 1 0 0
        +2s
        c> GET_STATUS T:3
        c< STATUS_RES T:3 1 0 0 0
        +1d
        c> GET_STATUS T:4
        c< STATUS_RES T:4 1 1 0 0
        ",
    );
}

#[test]
fn the_last_timeout_of_limited_attempts_is_a_failure() {
    let mut story = Story::with(|config| config.job_retries = Some(2));
    story.run(
        "
        w> CAN_DO_TIMEOUT f 1000
        c> SUBMIT_JOB f '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        +1s
        w> GRAB_JOB                     # the slow worker may have it again
        w< JOB_ASSIGN T:1 f x
        +1s
        c< WORK_FAIL T:1
        w> WORK_COMPLETE T:1 late
        w< ERROR JOB_NOT_FOUND Job given in work result not found
        ",
    );
    assert_eq!((story.stats().timed_out, story.stats().dropped), (2, 1));
}

#[test]
fn a_timeout_of_an_abandoned_job_ends_it() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO_TIMEOUT f 1000
        c> SUBMIT_JOB f '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        c close
        +1s
        ",
    );
    assert_eq!(story.broker.jobs(), 0);
}

#[test]
fn an_epoch_job_runs_from_its_second_on_and_wakes_a_sleeper() {
    let due = NOON + 100;
    let mut story = Story::new();
    story.run(&format!(
        "
        w> CAN_DO f
        w> PRE_SLEEP
        +300ms
        c> SUBMIT_JOB_EPOCH f u {due} x
        c< JOB_CREATED T:1
        c> GET_STATUS T:1
        c< STATUS_RES T:1 1 0 0 0
        t> \"status\"
        t< \"f\\t1\\t0\\t1\\n.\\n\"
        t> \"prioritystatus\"
        t< \"f\\t0\\t1\\t0\\t1\\n.\\n\"
        +99699ms                       # one millisecond before
        w> GRAB_JOB
        w< NO_JOB
        w> PRE_SLEEP
        +1ms
        w< NOOP
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> WORK_COMPLETE T:1
        "
    ));
    assert_eq!(story.broker.next_wakeup(), None);
}

#[test]
fn a_time_that_has_passed_or_is_no_number_is_now() {
    let now = NOON;
    Story::new().run(&format!(
        "
        w> CAN_DO f
        c> SUBMIT_JOB_EPOCH f '' 1 x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_EPOCH f '' soon x
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_EPOCH f '' -77 x
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_EPOCH f '' {now} x
        c< JOB_CREATED T:4
        c> SUBMIT_JOB_EPOCH f '' 99999999999999999999 x
        c< ERROR ARGUMENT_TOO_LARGE Epoch is outside the range of 64 bits
        c> SUBMIT_JOB_EPOCH f '' 9223372036854775807 x
        c< JOB_CREATED T:5
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f x
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f x
        w> GRAB_JOB
        w< JOB_ASSIGN T:4 f x
        w> GRAB_JOB
        w< NO_JOB
        "
    ));
}

#[test]
fn due_jobs_keep_the_place_of_their_submission() {
    let (first, second) = (NOON + 20, NOON + 10);
    Story::new().run(&format!(
        "
        w> CAN_DO f
        c> SUBMIT_JOB_BG f '' before
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_EPOCH f '' {first} a
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_EPOCH f '' {second} b
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG f '' after
        c< JOB_CREATED T:4
        +20s
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f before
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f a
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f b
        w> GRAB_JOB
        w< JOB_ASSIGN T:4 f after
        "
    ));
}

#[test]
fn due_jobs_that_are_pushed_go_in_the_order_of_their_submission() {
    let (first, second) = (NOON + 20, NOON + 10);
    let mut story = Story::new();
    for worker in ["v", "w"] {
        story.run(&format!("{worker}> CAN_DO f\n{worker}> ALL_YOURS\n{worker}> PRE_SLEEP"));
    }
    story.run(&format!(
        "
        c> SUBMIT_JOB_EPOCH f '' {first} a
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_EPOCH f '' {second} b
        c< JOB_CREATED T:2
        wall +1h                       # both at one tick
        +1s
        v< JOB_ASSIGN T:1 f a
        w< JOB_ASSIGN T:2 f b
        "
    ));
}

#[test]
fn a_job_given_back_stands_behind_due_jobs_that_were_there_before() {
    let due = NOON + 10;
    Story::new().run(&format!(
        "
        w> CAN_DO f
        v> CAN_DO f
        c> SUBMIT_JOB_BG f '' first
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f first
        c> SUBMIT_JOB_EPOCH f '' {due} timed
        c< JOB_CREATED T:2
        w close                        # to the tail, behind T:2
        c> SUBMIT_JOB_EPOCH f '' {due} last
        c< JOB_CREATED T:3
        +10s
        v> GRAB_JOB
        v< JOB_ASSIGN T:2 f timed
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f first
        v> GRAB_JOB
        v< JOB_ASSIGN T:3 f last
        "
    ));
}

#[test]
fn an_epoch_job_given_back_keeps_its_time() {
    let due = NOON + 10;
    Story::new().run(&format!(
        "
        w> CAN_DO f
        v> CAN_DO f
        c> SUBMIT_JOB_EPOCH f '' {due} timed
        c< JOB_CREATED T:1
        +10s
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f timed
        wall -1h
        w close                        # the clock says that it is not yet time
        v> GRAB_JOB
        v< NO_JOB
        v> PRE_SLEEP
        +1h
        v< NOOP
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f timed
        "
    ));
}

/// Defect of 1.1.20: the head of the normal list hid the low one, and PRE_SLEEP and GRAB contradicted each other.
#[test]
fn a_job_of_the_future_hides_nothing() {
    let due = NOON + 3600;
    Story::new().run(&format!(
        "
        c> SUBMIT_JOB_EPOCH f '' {due} later
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> PRE_SLEEP
        c> SUBMIT_JOB_LOW_BG f '' low
        c< JOB_CREATED T:2
        w< NOOP
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f low
        w> GRAB_JOB
        w< NO_JOB
        w> PRE_SLEEP
        "
    ));
}

#[test]
fn jumps_of_the_wall_clock_are_noticed_within_a_second() {
    let due = NOON + 7200;
    Story::new().run(&format!(
        "
        w> CAN_DO f
        w> PRE_SLEEP
        c> SUBMIT_JOB_EPOCH f '' {due} x
        c< JOB_CREATED T:1
        +1h
        wall +2h
        +1s
        w< NOOP
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> WORK_COMPLETE T:1
        w> PRE_SLEEP
        wall -10h
        c> SUBMIT_JOB_EPOCH f '' {due} y
        c< JOB_CREATED T:2
        +8h
        wall -1h
        +1h
        w> GRAB_JOB
        w< NO_JOB
        w> PRE_SLEEP
        +1h
        w< NOOP
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f y
        "
    ));
}

#[test]
fn a_waiting_job_can_be_cancelled_and_found() {
    let due = NOON + 3600;
    let mut story = Story::new();
    story.run(&format!(
        "
        c> SUBMIT_JOB_EPOCH f u {due} x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f u x             # joins it, and waits until then
        c< JOB_CREATED T:1
        c> GET_STATUS_UNIQUE u
        c< STATUS_RES_UNIQUE u 1 0 0 0 1
        t> \"cancel job T:1\"
        t< \"OK\\r\\n\"
        c< WORK_FAIL T:1
        +2h
        w> CAN_DO f
        w> GRAB_JOB
        w< NO_JOB
        "
    ));
    assert_eq!(story.broker.next_wakeup(), None);
}
