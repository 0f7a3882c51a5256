//! Waking: one job wakes one worker, and a worker that does not come delays nothing for long (protocol.md 3.5, design.md 3).

use std::time::Duration;

use crate::story::{Story, packet};

/// `count` workers, `w0` to `w<count-1>`, asleep on f.
fn asleep(story: &mut Story, count: usize) {
    for name in (0..count).map(|i| format!("w{i}")) {
        story.send(&name, &[packet("CAN_DO f"), packet("PRE_SLEEP")].concat());
    }
    story.nothing_left();
}

#[test]
fn one_job_wakes_one_worker_the_longest_asleep() {
    let mut story = Story::new();
    asleep(&mut story, 3);
    story.run(
        "
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w0< NOOP
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        w1< NOOP
        w0> GRAB_JOB
        w0< JOB_ASSIGN T:1 f 1
        w1> GRAB_JOB
        w1< JOB_ASSIGN T:2 f 2
        w0> WORK_COMPLETE T:1
        w0> GRAB_JOB
        w0< NO_JOB
        w0> PRE_SLEEP
        +1h                            # w2 was not needed
        c> SUBMIT_JOB_BG f '' 3
        c< JOB_CREATED T:3
        w2< NOOP
        ",
    );
    assert_eq!(story.stats().noops, 3);
}

#[test]
fn five_thousand_sleepers_and_one_job_are_one_noop() {
    let mut story = Story::new();
    story.checked = false;
    asleep(&mut story, 5000);
    story.checked = true;
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nw0< NOOP\nw0> GRAB_JOB\nw0< JOB_ASSIGN T:1 f x");
    story.advance(Duration::from_secs(60));
    story.nothing_left();
    assert_eq!(story.stats().noops, 1);
    assert_eq!(story.broker.next_wakeup(), None);
}

#[test]
fn workers_that_sleep_and_never_answer_are_passed_over_doubling() {
    let mut story = Story::new();
    asleep(&mut story, 20);
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nw0< NOOP\n+49ms");
    for woken in [1, 2, 4, 8] {
        story.nothing_left();
        story.advance(Duration::from_millis(1));
        assert_eq!(story.take_noops(), woken);
        story.advance(Duration::from_millis(49));
    }
    story.advance(Duration::from_millis(1));
    assert_eq!(story.take_noops(), 4, "the rest");
    story.run("+1h");
    assert_eq!(story.broker.next_wakeup(), None, "nobody is left to be woken");
    story.run("w17> GRAB_JOB\nw17< JOB_ASSIGN T:1 f x");
}

#[test]
fn the_grace_is_an_option() {
    let mut story = Story::with(|config| config.wake_grace = Duration::from_secs(3));
    asleep(&mut story, 2);
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nw0< NOOP\n+2999ms\nw0 close\nw1< NOOP\n+1h");
}

#[test]
fn a_worker_that_comes_stops_the_chain() {
    let mut story = Story::new();
    asleep(&mut story, 10);
    story.run(
        "
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w0< NOOP
        +50ms
        w1< NOOP
        w0> GRAB_JOB
        w0< JOB_ASSIGN T:1 f x
        +10s
        w1> GRAB_JOB
        w1< NO_JOB
        +10s
        ",
    );
}

#[test]
fn no_more_than_one_noop_for_one_sleep() {
    let mut story = Story::new();
    asleep(&mut story, 1);
    story.run(
        "
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w0< NOOP
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        +10s
        w0> PRE_SLEEP                   # it asks again, and is told again
        w0< NOOP
        w0> PRE_SLEEP
        w0< NOOP
        w0> GRAB_JOB
        w0< JOB_ASSIGN T:1 f 1
        w0> PRE_SLEEP
        w0< NOOP
        ",
    );
}

#[test]
fn awake_workers_are_not_told() {
    Story::new().run(
        "
        w> CAN_DO f
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w> CAN_DO g
        +10s
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        +10s
        ",
    );
}

#[test]
fn who_registers_in_its_sleep_is_woken_by_the_next_job() {
    Story::new().run(
        "
        w> PRE_SLEEP
        w> CAN_DO f
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w< NOOP
        ",
    );
}

/// A woken worker that turns to something else must not leave the job to the grace.
#[test]
fn the_wake_is_handed_on_at_once() {
    let setup = "
        w0> CAN_DO f
        w0> CAN_DO g
        w0> PRE_SLEEP
        w1> CAN_DO f
        w1> PRE_SLEEP
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w0< NOOP
    ";
    // It takes another function's job.
    let mut story = Story::new();
    story.run(setup);
    story.run(
        "c> SUBMIT_JOB_HIGH_BG g '' y\nc< JOB_CREATED T:2\nw0> GRAB_JOB\nw0< JOB_ASSIGN T:2 g y\nw1< NOOP",
    );
    // It is told of another function's job when it sleeps again, instead of asking.
    let mut story = Story::with(|config| config.worker_wakeup = Some(1));
    story.run(setup);
    story.run("c> SUBMIT_JOB_HIGH_BG g '' y\nc< JOB_CREATED T:2\nw0> PRE_SLEEP\nw0< NOOP\nw1< NOOP");
    // Pushed another function's job.
    let mut story = Story::new();
    story.run(setup);
    story.run(
        "
        c> SUBMIT_JOB_HIGH_BG g '' y
        c< JOB_CREATED T:2
        w0> ALL_YOURS
        w0> PRE_SLEEP
        w0< JOB_ASSIGN T:2 g y
        w1< NOOP
        ",
    );
    // It goes, or no longer can.
    for last in ["w0 close", "w0> CANT_DO f", "w0> RESET_ABILITIES"] {
        let mut story = Story::new();
        story.run(setup);
        story.run(&format!("{last}\nw1< NOOP\n+1h"));
    }
    // It comes for nothing: nobody else is disturbed.
    let mut story = Story::new();
    story.run(setup);
    story.run("v> CAN_DO f\nv> GRAB_JOB\nv< JOB_ASSIGN T:1 f x\nw0> GRAB_JOB\nw0< NO_JOB\n+1h");
}

#[test]
fn a_push_that_goes_elsewhere_does_not_use_up_the_wake() {
    // `a` sleeps on f and g. A job of g waits for `z`, who has been woken for it and is silent; then one of f comes, and `a`,
    // pushed to, takes the one of g, which is first in its order. `b` is to be woken for f without delay.
    Story::with(|config| config.wake_grace = Duration::from_secs(5)).run(
        "
        z> CAN_DO g
        z> PRE_SLEEP
        a> CAN_DO f
        a> CAN_DO g
        a> ALL_YOURS
        a> PRE_SLEEP
        b> CAN_DO f
        b> PRE_SLEEP
        c> SUBMIT_JOB_HIGH_BG g '' 1
        c< JOB_CREATED T:1
        z< NOOP
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        a< JOB_ASSIGN T:1 g 1
        b< NOOP
        ",
    );
}

#[test]
fn jobs_given_back_wake_as_new_ones_do() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG f '' 2
        c< JOB_CREATED T:2
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 1
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f 2
        ",
    );
    for i in 0..3 {
        story.run(&format!("v{i}> CAN_DO f\nv{i}> PRE_SLEEP"));
    }
    story.run("w close\nv0< NOOP\nv1< NOOP\n+49ms");
}

#[test]
fn worker_wakeup_says_how_many() {
    for (setting, woken) in [(0, 10), (1, 1), (3, 3), (300, 10)] {
        let mut story = Story::with(|config| config.worker_wakeup = Some(setting));
        asleep(&mut story, 10);
        story.play("c> SUBMIT_JOB_BG f '' 1\nc< JOB_CREATED T:1");
        assert_eq!(story.take_noops(), woken);
        story.run("+1h");
        assert_eq!(story.broker.next_wakeup(), None, "the setting knows no grace");
    }
}

#[test]
fn a_worker_that_took_the_job_unasked_ends_the_chain() {
    let mut story = Story::new();
    asleep(&mut story, 5);
    story.run(
        "
        v> CAN_DO f
        c> SUBMIT_JOB_BG f '' 1
        c< JOB_CREATED T:1
        w0< NOOP
        v> GRAB_JOB
        v< JOB_ASSIGN T:1 f 1
        +1h
        ",
    );
    assert_eq!(story.stats().noops, 1);
}

#[test]
fn a_busy_function_is_not_taken_for_a_stuck_one() {
    // The head moves within each grace: one more is woken each time, not twice as many.
    let mut story = Story::new();
    asleep(&mut story, 20);
    story.run("v> CAN_DO f");
    for i in 1..=8 {
        story.play(&format!("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:{i}"));
    }
    assert_eq!(story.take_noops(), 8);
    for i in 1..=5 {
        story.run(&format!("v> GRAB_JOB\nv< JOB_ASSIGN T:{i} f x"));
        story.advance(Duration::from_millis(50));
        assert_eq!(story.take_noops(), 1);
    }
}
