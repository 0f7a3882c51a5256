//! ALL_YOURS: jobs are pushed to a worker that has no other server.

use crate::story::{NOON, Story};

#[test]
fn a_job_is_pushed_to_a_sleeper_without_noop_and_grab() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        w> ALL_YOURS
        w> GRAB_JOB_UNIQ
        w< NO_JOB
        w> PRE_SLEEP
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        w< JOB_ASSIGN_UNIQ T:1 f u x
        c> SUBMIT_JOB f v y              # not asleep any more
        c< JOB_CREATED T:2
        w> WORK_COMPLETE T:1 r
        c< WORK_COMPLETE T:1 r
        w> PRE_SLEEP                     # pushed at once
        w< JOB_ASSIGN_UNIQ T:2 f v y
        w> PRE_SLEEP                     # it has room for two
        c> SUBMIT_JOB f '' z
        c< JOB_CREATED T:3
        w< JOB_ASSIGN_UNIQ T:3 f '' z
        w> PRE_SLEEP
        w> PRE_SLEEP
        +1h
        ",
    );
    assert_eq!(story.stats().noops, 0);
}

#[test]
fn jobs_are_pushed_the_way_they_were_last_grabbed() {
    Story::new().run(
        "
        w> CAN_DO f
        w> ALL_YOURS
        w> PRE_SLEEP
        c> SUBMIT_REDUCE_JOB_BACKGROUND f u red '' 1
        c< JOB_CREATED T:1
        w< JOB_ASSIGN T:1 f 1             # it has never grabbed
        w> GRAB_JOB_ALL
        w< NO_JOB
        w> PRE_SLEEP
        c> SUBMIT_REDUCE_JOB_BACKGROUND f u2 red '' 2
        c< JOB_CREATED T:2
        w< JOB_ASSIGN_ALL T:2 f u2 red 2
        ",
    );
}

#[test]
fn what_is_given_back_is_pushed_to_the_next() {
    Story::new().run(
        "
        w> CAN_DO_TIMEOUT f 1000
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        v> CAN_DO f
        v> ALL_YOURS
        v> PRE_SLEEP
        +1s
        v< JOB_ASSIGN T:1 f x
        v> WORK_COMPLETE T:1
        ",
    );
}

#[test]
fn due_jobs_are_pushed() {
    let due = NOON + 5;
    Story::new().run(&format!(
        "
        w> CAN_DO f
        w> ALL_YOURS
        w> PRE_SLEEP
        c> SUBMIT_JOB_EPOCH f '' {due} x
        c< JOB_CREATED T:1
        +4999ms
        w> PRE_SLEEP
        +1ms
        w< JOB_ASSIGN T:1 f x
        "
    ));
}

#[test]
fn a_worker_that_already_sleeps_can_be_all_yours() {
    Story::new().run(
        "
        w> CAN_DO f
        w> PRE_SLEEP
        w> ALL_YOURS
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w< JOB_ASSIGN T:1 f x
        ",
    );
}

#[test]
fn nothing_is_pushed_while_draining() {
    Story::new().run(
        "
        w> CAN_DO f
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        v> CAN_DO f
        v> ALL_YOURS
        v> PRE_SLEEP
        drain
        w close
        v> PRE_SLEEP
        +1h
        v> GRAB_JOB
        v< NO_JOB
        ",
    );
}

#[test]
fn one_job_for_two_sleepers_is_pushed_once() {
    let mut story = Story::with(|config| config.worker_wakeup = Some(0));
    story.run(
        "
        v> CAN_DO f
        v> ALL_YOURS
        v> PRE_SLEEP
        w> CAN_DO f
        w> ALL_YOURS
        w> PRE_SLEEP
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        v< JOB_ASSIGN T:1 f x
        c> SUBMIT_JOB_BG f '' y
        c< JOB_CREATED T:2
        w< JOB_ASSIGN T:2 f y
        ",
    );
}
