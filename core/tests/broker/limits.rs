//! What peers may make the broker keep, and settings that cannot be used.

use lineshaft::broker::{Broker, Config, ConfigError, Input};
use lineshaft::protocol::{Data, Frame, Limits, Request, Submit, Work};
use lineshaft::types::ConnId;

use crate::story::Story;

#[test]
fn the_bytes_of_all_jobs_are_limited() {
    let mut story = Story::with(|config| config.max_queue_bytes = 10_000);
    let mut made = 0;
    loop {
        story.send("c", &crate::story::packet(&format!("SUBMIT_JOB_BG f '' {}", "x".repeat(900))));
        let answer = story.next("c").expect("an answer");
        if answer.starts_with("ERROR") {
            assert!(
                answer.starts_with("ERROR QUEUE_ERROR ") && answer.contains("max_queue_bytes"),
                "{answer}"
            );
            break;
        }
        made += 1;
    }
    // A job costs its workload and a little more.
    assert!((8..=11).contains(&made), "{made}");
    story.play("w> CAN_DO f\nw> GRAB_JOB");
    assert!(story.next("w").is_some());
    story.play("w> WORK_COMPLETE T:1\nc> SUBMIT_JOB_BG f '' small");
    assert!(story.next("c").is_some_and(|answer| answer.starts_with("JOB_CREATED")), "there is room again");
}

#[test]
fn the_bytes_of_one_function_are_limited() {
    let mut story = Story::with(|config| config.max_function_bytes = 1000);
    let big = "x".repeat(800);
    story.run(&format!(
        "
        c> SUBMIT_JOB_BG f '' {big}
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_BG g '' {big}
        c< JOB_CREATED T:2
        "
    ));
    story.send("c", &crate::story::packet(&format!("SUBMIT_JOB_BG f '' {big}")));
    assert!(story.next("c").is_some_and(|answer| answer.contains("max_function_bytes")));
}

#[test]
fn the_number_of_jobs_is_limited() {
    let mut story = Story::with(|config| (config.max_jobs, config.max_function_jobs) = (3, 2));
    let full = "ERROR QUEUE_ERROR Job queue is full: ";
    story.run(&format!(
        "
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_BG f '' x
        c< {full}2 jobs are there, the limit (max_function_jobs) is 2 jobs
        c> SUBMIT_JOB_EPOCH g '' 4000000000 x
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG g '' x
        c< {full}3 jobs are there, the limit (max_jobs) is 3 jobs
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:2
        w> WORK_COMPLETE T:1
        c> SUBMIT_JOB_BG f '' x
        c< JOB_CREATED T:4
        "
    ));
}

#[test]
fn functions_are_limited() {
    let mut story = Story::with(|config| config.max_functions = 2);
    story.run("w> CAN_DO f\nc> SUBMIT_JOB_BG g '' x\nc< JOB_CREATED T:1");
    for line in ["CAN_DO h", "CAN_DO_TIMEOUT h 1", "SUBMIT_JOB h '' x"] {
        story.send("w", &crate::story::packet(line));
        let answer = story.next("w").expect("an answer");
        assert!(answer.starts_with("ERROR QUEUE_ERROR ") && answer.contains("max_functions"), "{answer}");
    }
    assert!(story.admin("create function h").starts_with("ERR QUEUE_ERROR "));
    story.run("w> CAN_DO f\nc> SUBMIT_JOB_BG g '' x\nc< JOB_CREATED T:2");
    story.play("w> RESET_ABILITIES\nt> \"drop function f\"\nt< \"OK\\r\\n\"\nw> CAN_DO h\nt> \"status\"");
    assert_eq!(story.next("t").as_deref(), Some(r#""h\t0\t0\t1\ng\t2\t0\t0\n.\n""#));
}

#[test]
fn abilities_are_limited() {
    let mut story = Story::with(|config| config.max_abilities = 2);
    story.play("w> CAN_DO f\nv> CAN_DO f\nv> CAN_DO f\nv> CAN_DO g");
    assert!(story.next("v").is_some_and(|answer| answer.contains("max_abilities")));
    story.run("w close\nv> CAN_DO g\nv> CAN_DO f");
}

#[test]
fn waiting_submissions_are_limited() {
    let mut story = Story::with(|config| config.max_waiting = 2);
    story.play("c> SUBMIT_JOB f u x\nc< JOB_CREATED T:1\nc> SUBMIT_JOB f u x\nc< JOB_CREATED T:1\nc> SUBMIT_JOB f u x");
    assert!(story.next("c").is_some_and(|answer| answer.contains("max_waiting")));
    story.run("c> SUBMIT_JOB_BG f u x\nc< JOB_CREATED T:1\nw> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:1 f x");
    story.run("w> WORK_COMPLETE T:1\nc< WORK_COMPLETE T:1\nc< WORK_COMPLETE T:1\nc> SUBMIT_JOB f u x\nc< JOB_CREATED T:2");
}

#[test]
fn a_name_repeated_for_ever_costs_nothing() {
    let mut story = Story::new();
    let again = crate::story::packet("CAN_DO f").repeat(1000);
    for _ in 0..100 {
        story.send("w", &again);
    }
    assert!(story.admin("workers").len() < 10_000);
    story.run("w> CANT_DO f\nt> \"status\"\nt< \"f\\t0\\t0\\t0\\n.\\n\"");
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let with = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        Broker::new(config, Limits::default()).err()
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|config| config.handle_prefix = "x".repeat(42)), None);
    for prefix in ["", "a b", "a\nb", "a\0", &"x".repeat(43)] {
        let config = Config { handle_prefix: prefix.to_owned(), ..Config::default() };
        let error = Broker::new(config, Limits::default()).err();
        assert_eq!(error, Some(ConfigError::HandlePrefix(prefix.to_owned())));
    }
    assert_eq!(with(|config| config.wake_grace = std::time::Duration::ZERO), Some(ConfigError::WakeGrace));
    // Never is a long time, but no overflow.
    let mut story = Story::with(|config| config.wake_grace = std::time::Duration::MAX);
    story.run("v> CAN_DO f\nv> PRE_SLEEP\nw> CAN_DO f\nw> PRE_SLEEP\nc> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nv< NOOP\n+1d");
}

#[test]
fn limits_change_while_the_broker_runs() {
    let mut story = Story::new();
    story.run("w> CAN_DO f\nc> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1");
    let change = |story: &mut Story, change: fn(&mut Config)| {
        let mut config = story.broker.config().clone();
        change(&mut config);
        story.broker.reconfigure(&config, Limits::default())
    };
    change(&mut story, |config| config.max_queue_bytes = 1).unwrap();
    story.play("c> SUBMIT_JOB_BG f '' x");
    assert!(story.next("c").is_some_and(|answer| answer.contains("max_queue_bytes) is 1 byte")));
    // What is there stays.
    story.run("w> GRAB_JOB\nw< JOB_ASSIGN T:1 f x\nw> WORK_COMPLETE T:1");
    // A setting that cannot be used changes nothing, and some are decided once.
    assert_eq!(
        change(&mut story, |config| (config.max_queue_bytes, config.wake_grace) = (9, Default::default())),
        Err(ConfigError::WakeGrace)
    );
    assert_eq!(story.broker.config().max_queue_bytes, 1);
    change(&mut story, |config| (config.max_queue_bytes, config.handle_prefix) = (1 << 20, "U".into()))
        .unwrap();
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:2");
}

#[test]
fn a_shorter_grace_holds_for_workers_that_are_being_waited_for() {
    let mut story = Story::with(|config| config.wake_grace = std::time::Duration::from_secs(60));
    story.run(
        "v> CAN_DO f\nv> PRE_SLEEP\nw> CAN_DO f\nw> PRE_SLEEP\nc> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nv< NOOP",
    );
    story.run("+1s");
    let config = Config { wake_grace: std::time::Duration::from_millis(10), ..story.broker.config().clone() };
    story.broker.reconfigure(&config, Limits::default()).unwrap();
    story.run("+11ms\nw< NOOP");
}

#[test]
fn a_large_workload_arrives_whole() {
    let mut story = Story::new();
    let large = "x".repeat(200_000);
    story.run(&format!(
        "
        c> SUBMIT_JOB f u {large}
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB_UNIQ
        w< JOB_ASSIGN_UNIQ T:1 f u {large}
        w> WORK_COMPLETE T:1 {large}
        c< WORK_COMPLETE T:1 {large}
        "
    ));
}

#[test]
fn uniques_may_be_long_where_the_limits_say_so() {
    let limits = Limits { max_unique: 100_000, max_argument: 100_000, ..Limits::default() };
    let mut story = Story::with_limits(limits, |_| {});
    let unique = "u".repeat(70_000);
    story.run(&format!(
        "
        c> SUBMIT_JOB f {unique} x
        c< JOB_CREATED T:1
        w> CAN_DO f
        w> GRAB_JOB_UNIQ
        w< JOB_ASSIGN_UNIQ T:1 f {unique} x
        "
    ));
}

/// A caller in the same process has passed no decoder.
#[test]
fn what_no_packet_could_carry_is_refused() {
    let mut story = Story::new();
    let submit = |function, unique, reducer| {
        let plain = Submit::new(function, unique, Data::EMPTY);
        Request::Submit(Submit { reducer, ..plain })
    };
    let long = [b'x'; 9000];
    for request in [
        submit(&b"f\0g"[..], b"", None),
        submit(&long, b"", None),
        submit(b"f", b"u\0v", None),
        submit(b"f", &long, None),
        submit(b"f", b"", Some(&b"r\0"[..])),
        submit(b"f", b"", Some(&long)),
    ] {
        story.request("c", &request);
        let answer = story.next("c").expect("an answer");
        assert!(
            answer.starts_with("ERROR ARGUMENT_TOO_LARGE ") || answer.starts_with("ERROR INVALID_ARGUMENT ")
        );
    }
    assert_eq!(story.broker.jobs(), 0);
    story.run("w> CAN_DO f\nc> SUBMIT_JOB f '' x\nc< JOB_CREATED T:1\nw> GRAB_JOB\nw< JOB_ASSIGN T:1 f x");
    let work = Work::Status { numerator: b"1\x002", denominator: b"3" };
    story.request("w", &Request::Work { handle: b"T:1", work });
    assert!(story.next("w").is_some_and(|answer| answer.starts_with("ERROR INVALID_ARGUMENT ")));
    story.nothing_left();
}

#[test]
fn inputs_of_connections_that_are_gone_are_ignored() {
    let mut story = Story::new();
    let conn = story.conn("c");
    story.run("c close");
    story.apply(Input::Received { conn, frame: &Frame::Request(Request::PreSleep) });
    story.apply(Input::Closed { conn });
    story.apply(Input::Closed { conn: ConnId::new(77, 1) });
    // Its place has been taken by another one.
    story.run("d> CAN_DO f\nd> PRE_SLEEP");
    story.apply(Input::Closed { conn });
    story.apply(Input::Received { conn, frame: &Frame::Text(b"status") });
    story.apply(Input::Requested { conn, request: &Request::PreSleep });
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nd< NOOP");
}
