//! Brokers that take over from others.

use lineshaft::store::{Change, StoredJob};
use lineshaft::types::{Data, Priority};

use crate::story::Story;

#[test]
fn jobs_come_back_with_their_handles_in_their_order() {
    let mut story = Story::new();
    story.run(
        "c> SUBMIT_JOB_LOW_BG f '' low
         c< JOB_CREATED T:1
         c> SUBMIT_JOB_BG f u normal
         c< JOB_CREATED T:2
         c> SUBMIT_JOB f '' foreground
         c< JOB_CREATED T:3
         c> SUBMIT_JOB_HIGH_BG f '' high
         c< JOB_CREATED T:4
         c> SUBMIT_JOB_BG f - same
         c< JOB_CREATED T:5",
    );
    let mut story = story.restarted();
    story.run(
        "c> GET_STATUS T:2
         c< STATUS_RES T:2 1 0 0 0
         c> GET_STATUS T:3
         c< STATUS_RES T:3 0 0 0 0
         c> SUBMIT_JOB_BG f - same
         c< JOB_CREATED T:5
         c> SUBMIT_JOB f u normal
         c< JOB_CREATED T:2
         w> CAN_DO f
         w> GRAB_JOB
         w< JOB_ASSIGN T:4 f high
         w> WORK_COMPLETE T:4
         w> GRAB_JOB
         w< JOB_ASSIGN T:2 f normal
         w> WORK_COMPLETE T:2 done
         c< WORK_COMPLETE T:2 done
         w> GRAB_JOB
         w< JOB_ASSIGN T:5 f same
         w> GRAB_JOB
         w< JOB_ASSIGN T:1 f low",
    );
    // What a worker had when the broker ended is queued again.
    let mut story = story.restarted();
    story.run(
        "w> CAN_DO f
         w> GRAB_JOB
         w< JOB_ASSIGN T:5 f same
         w> WORK_FAIL T:5
         w> GRAB_JOB
         w< JOB_ASSIGN T:1 f low
         w> WORK_COMPLETE T:1
         w> GRAB_JOB
         w< NO_JOB",
    );
}

#[test]
fn a_foreground_job_that_somebody_wants_in_the_background_survives() {
    let mut story = Story::new();
    story.run(
        "c> SUBMIT_JOB f u x
         c< JOB_CREATED T:1
         d> SUBMIT_JOB_BG f u x
         d< JOB_CREATED T:1",
    );
    let mut story = story.restarted();
    story.run("c> GET_STATUS T:1\n c< STATUS_RES T:1 1 0 0 0");
}

#[test]
fn returns_count_across_restarts() {
    let mut story = Story::with(|config| config.job_retries = Some(2));
    story.run(
        "c> SUBMIT_JOB_BG f '' x
         c< JOB_CREATED T:1
         w> CAN_DO f
         w> GRAB_JOB
         w< JOB_ASSIGN T:1 f x
         w close",
    );
    let mut story = story.restarted();
    story.run(
        "w> CAN_DO f
         w> GRAB_JOB
         w< JOB_ASSIGN T:1 f x
         w close
         c> GET_STATUS T:1
         c< STATUS_RES T:1 0 0 0 0",
    );
}

#[test]
fn times_and_schedules_go_on() {
    let mut story = Story::new();
    let schedules = "show schedules";
    story.run(
        "c> SUBMIT_JOB_EPOCH f u 1795262410 later
         c< JOB_CREATED T:1
         c> SUBMIT_JOB_SCHED g s 1 '' '' '' '' tick
         c< JOB_CREATED T:2",
    );
    let before = story.admin(schedules);
    let mut story = story.restarted();
    assert_eq!(story.admin(schedules), before);
    story.run(
        "w> CAN_DO f
         w> CAN_DO g
         w> PRE_SLEEP
         +10s
         w< NOOP
         w> GRAB_JOB
         w< JOB_ASSIGN T:1 f later
         w> WORK_COMPLETE T:1
         w> PRE_SLEEP
         +60s
         w< NOOP",
    );
    // The schedule's job is queued; a restart neither loses it nor makes another.
    let mut story = story.restarted();
    let made = "T:1048578";
    assert!(story.admin("show jobs").contains(made), "the number behind those set aside");
    story.run(&format!(
        "w> CAN_DO g
         w> GRAB_JOB
         w< JOB_ASSIGN {made} g tick
         w> GRAB_JOB
         w< NO_JOB
         w> WORK_COMPLETE {made}"
    ));
    // It has ended: after a restart that reads of its beginning and its end, the next one is made.
    let mut story = story.restarted_from_history();
    story.run(
        "w> CAN_DO g
         w> PRE_SLEEP
         +3600s
         w< NOOP",
    );
    assert_eq!(story.admin("cancel job T:2"), "OK\\r\\n");
    let mut story = story.restarted();
    assert_eq!(story.admin(schedules), ".\\n");
}

#[test]
fn a_schedule_that_cannot_be_read_is_said_and_not_used() {
    let mut story = Story::new();
    let schedule = StoredJob { cron: Some(b"every\0full\0moon\0\0"), ..StoredJob::new(3, b"f", Data::EMPTY) };
    let why = story.broker.restore(&Change::Add(schedule)).unwrap_err();
    assert!(why.starts_with("the schedule 'every full moon  ' (number 3) is not used: "), "{why}");
}

#[test]
fn the_servers_end_is_no_attempt_that_counts() {
    let mut story = Story::with(|config| config.job_retries = Some(1));
    story.run(
        "c> SUBMIT_JOB_BG f '' x
         c< JOB_CREATED T:1
         w> CAN_DO f
         w> GRAB_JOB
         w< JOB_ASSIGN T:1 f x
         v> CAN_DO f
         v> ALL_YOURS
         v> PRE_SLEEP
         end
         w close",
    );
    let mut story = story.restarted();
    story.run("w> CAN_DO f\n w> GRAB_JOB\n w< JOB_ASSIGN T:1 f x");
}

#[test]
fn an_urgent_job_with_a_time_is_as_any_other_with_a_time() {
    let mut story = Story::new();
    let job =
        StoredJob { priority: Priority::High, due: crate::story::NOON + 10, ..StoredJob::new(3, b"f", b"x") };
    story.broker.advance_to(story.now);
    story.broker.restore(&Change::Add(job)).unwrap();
    story.broker.restored(&mut crate::story::Sent::default());
    story.broker.check();
    story.checked = false;
    story.run("w> CAN_DO f\n w> PRE_SLEEP\n +10s\n w< NOOP\n w> GRAB_JOB\n w< JOB_ASSIGN T:3 f x");
    story.broker.check();
}

#[test]
fn numbers_of_foreground_jobs_are_set_aside_too() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB f '' x\n c< JOB_CREATED T:1\n c close");
    let mut story = story.restarted();
    story.run("c> SUBMIT_JOB f '' x\n c< JOB_CREATED T:1048578");
}

#[test]
fn numbers_that_cannot_be_are_not_believed() {
    let mut story = Story::new();
    assert!(story.broker.restore(&Change::Counter { number: u64::MAX }).unwrap_err().contains("cannot be"));
}
