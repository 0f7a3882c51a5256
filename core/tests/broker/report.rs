//! What the broker says of itself: functions and their counters, connections, jobs, schedules, page by page.

use std::time::Duration;

use lineshaft::broker::report::{Activity, FunctionReport, JobFilter, JobState, JobStateName};
use lineshaft::broker::{Broker, Histogram};

use crate::story::{NOON, Story};

fn function(story: &Story, name: &str) -> FunctionReport {
    story.broker.function_named(name.as_bytes(), story.now).expect("the function is known")
}

/// The range of a histogram that the only duration in it stands in.
fn only(histogram: &Histogram) -> Option<Duration> {
    assert_eq!(histogram.count(), 1);
    let range = histogram.counts().iter().position(|count| *count > 0).expect("one is counted");
    Histogram::BOUNDS.get(range).copied()
}

#[test]
fn jobs_are_counted_from_their_beginning_to_their_end() {
    let mut story = Story::with(|config| config.job_retries = Some(2));
    story.run(
        "
        c> OPTION_REQ exceptions
        c< OPTION_RES exceptions
        w> CAN_DO f
        w> CAN_DO_TIMEOUT g 1000
        c> SUBMIT_JOB f '' a
        c< JOB_CREATED T:1
        +400ms
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f a
        +40s
        w> WORK_COMPLETE T:1
        c< WORK_COMPLETE T:1
        c> SUBMIT_JOB f '' b
        c< JOB_CREATED T:2
        w> GRAB_JOB
        w< JOB_ASSIGN T:2 f b
        w> WORK_FAIL T:2
        c< WORK_FAIL T:2
        c> SUBMIT_JOB f '' c
        c< JOB_CREATED T:3
        w> GRAB_JOB
        w< JOB_ASSIGN T:3 f c
        w> WORK_EXCEPTION T:3 e
        c< WORK_EXCEPTION T:3 e
        c> SUBMIT_JOB_BG f '' d
        c< JOB_CREATED T:4
        t> \"cancel job T:4\"
        t< \"OK\\r\\n\"
        a> SUBMIT_JOB f '' e
        a< JOB_CREATED T:5
        a close
        c> SUBMIT_JOB g '' x
        c< JOB_CREATED T:6
        w> GRAB_JOB
        w< JOB_ASSIGN T:6 g x
        +1s
        w> GRAB_JOB
        w< JOB_ASSIGN T:6 g x
        +1s
        c< WORK_FAIL T:6
        ",
    );
    let f = function(&story, "f").counters;
    assert_eq!((f.added, f.done, f.failed, f.exceptions), (5, 1, 1, 1));
    assert_eq!((f.cancelled, f.abandoned, f.retried), (1, 1, 0));
    assert_eq!((f.wait.count(), f.run.count()), (3, 3));
    assert_eq!(f.wait.sum(), Duration::from_millis(400));
    assert_eq!(f.run.sum(), Duration::from_secs(40));
    let g = function(&story, "g").counters;
    assert_eq!((g.added, g.retried, g.timed_out, g.dropped), (1, 1, 2, 1));
    assert_eq!((g.wait.count(), g.run.count()), (2, 0), "what was given back has not been run");
}

#[test]
fn waiting_counts_from_when_a_job_can_run() {
    let mut story = Story::new();
    story.run(&format!(
        "
        c> SUBMIT_JOB_EPOCH f '' {} x
        c< JOB_CREATED T:1
        +100s
        ",
        NOON + 60
    ));
    let f = function(&story, "f");
    assert_eq!((f.queued, f.delayed), ([0, 1, 0], 0));
    assert_eq!(f.oldest, Some(Duration::from_secs(40)), "its time came 40 s ago");
    story.run("w> CAN_DO f\nw> GRAB_JOB\nw< JOB_ASSIGN T:1 f x\n+500s\nw close\n+50s\n");
    let f = function(&story, "f");
    assert_eq!(f.oldest, Some(Duration::from_secs(50)), "it was given back 50 s ago");
    assert_eq!(only(&f.counters.wait), Some(Duration::from_secs(60)));
    assert_eq!((f.counters.retried, f.counters.run.count()), (1, 0));
}

#[test]
fn a_function_tells_what_it_has() {
    let mut story = Story::new();
    story.run(&format!(
        "
        w> CAN_DO f
        w> CAN_DO f
        v> CAN_DO f
        c> SUBMIT_JOB_HIGH_BG f '' 12
        c< JOB_CREATED T:1
        c> SUBMIT_JOB_LOW_BG f '' 3
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_EPOCH f '' {} 4
        c< JOB_CREATED T:3
        +9s
        c> SUBMIT_JOB_BG f '' 5
        c< JOB_CREATED T:4
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f 12
        +1s
        t> \"maxqueue f 9\"
        t< \"OK\\r\\n\"
        ",
        NOON + 1000
    ));
    let f = function(&story, "f");
    assert_eq!((f.queued, f.delayed, f.running), ([0, 1, 1], 1, 1));
    assert_eq!((f.workers, f.registrations), (2, 3));
    assert_eq!((f.oldest, f.max_queue), (Some(Duration::from_secs(10)), [9; 3]));
    let all = story.broker.summary();
    assert_eq!((all.queued, all.delayed, all.running, all.functions), (2, 1, 1, 1));
    assert_eq!((all.workers, all.busy_workers, all.abilities), (2, 1, 2));
    assert_eq!(all.queue_bytes, f.bytes);
    let mut staff = Vec::new();
    story.broker.registrations(0, 100, &mut |conn, place, busy| staff.push((conn.slot(), place, busy)));
    assert_eq!(staff, [(0, f.place, true), (1, f.place, false)]);
}

#[test]
fn lists_come_in_parts_and_none_is_left_out() {
    let mut story = Story::new();
    for number in 1..=7 {
        story.run(&format!(
            "
            w{number}> CAN_DO f{number}
            c> SUBMIT_JOB_BG f{number} '' x
            c< JOB_CREATED T:{number}
            "
        ));
    }
    for most in [1, 2, 3, 7, 100] {
        let mut names = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            let mut told = 0;
            from = story.broker.functions(place, most, story.now, &mut |one| {
                told += 1;
                names.push(String::from_utf8_lossy(&one.name).into_owned());
            });
            assert!(told <= most);
        }
        assert_eq!(names, ["f1", "f2", "f3", "f4", "f5", "f6", "f7"]);

        let mut handles = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            from = story.broker.jobs_from(place, most, JobFilter::default(), story.now, &mut |one| {
                handles.push(one.handle);
                true
            });
        }
        assert_eq!(handles, ["T:1", "T:2", "T:3", "T:4", "T:5", "T:6", "T:7"]);

        let (mut workers, mut all) = (0, 0);
        for (workers_only, count) in [(true, &mut workers), (false, &mut all)] {
            let mut from = Some(0);
            while let Some(slot) = from {
                from = story.broker.connections(slot, most, 9, workers_only, story.now, &mut |_| *count += 1);
            }
        }
        assert_eq!((workers, all), (7, 8));
    }
}

#[test]
fn whoever_has_enough_goes_on_behind_it() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:1\nc> SUBMIT_JOB_BG f '' x\nc< JOB_CREATED T:2\n");
    let (mut handles, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        from = story.broker.jobs_from(place, 100, JobFilter::default(), story.now, &mut |one| {
            handles.push(one.handle);
            false
        });
    }
    assert_eq!(handles, ["T:1", "T:2"]);
}

fn handles(
    broker: &Broker,
    story: &Story,
    function: Option<&str>,
    state: Option<JobStateName>,
) -> Vec<String> {
    let mut handles = Vec::new();
    let filter = JobFilter { function: function.map(str::as_bytes), state };
    let end = broker.jobs_from(0, 100, filter, story.now, &mut |one| {
        handles.push(one.handle);
        true
    });
    assert_eq!(end, None);
    handles
}

#[test]
fn jobs_are_found_by_function_and_state() {
    let mut story = Story::new();
    story.run(&format!(
        "
        w> SET_CLIENT_ID me
        w> CAN_DO f
        c> SUBMIT_JOB f u x
        c< JOB_CREATED T:1
        c> SUBMIT_JOB f '' yy
        c< JOB_CREATED T:2
        c> SUBMIT_JOB_EPOCH f '' {} z
        c< JOB_CREATED T:3
        c> SUBMIT_JOB_BG g '' z
        c< JOB_CREATED T:4
        +3s
        w> GRAB_JOB
        w< JOB_ASSIGN T:1 f x
        w> WORK_STATUS T:1 3 4
        c< WORK_STATUS T:1 3 4
        +5s
        ",
        NOON + 1000
    ));
    let find = |function, state| handles(&story.broker, &story, function, state);
    assert_eq!(find(None, None), ["T:1", "T:2", "T:3", "T:4"]);
    assert_eq!(find(Some("g"), None), ["T:4"]);
    assert_eq!(find(Some("unknown"), None), Vec::<String>::new());
    assert_eq!(find(Some("f"), Some(JobStateName::Running)), ["T:1"]);
    assert_eq!(find(Some("f"), Some(JobStateName::Queued)), ["T:2"]);
    assert_eq!(find(None, Some(JobStateName::Delayed)), ["T:3"]);

    let named = |handle: &str| story.broker.job_named(handle.as_bytes(), story.now).expect(handle);
    let first = named("T:1");
    assert_eq!((&*first.function, &*first.unique), (&b"f"[..], &b"u"[..]));
    assert_eq!((first.clients, first.background, first.workload_len), (1, false, 1));
    let JobState::Running { since, progress, .. } = first.state else { panic!("{:?}", first.state) };
    assert_eq!((since, progress.numerator, progress.denominator), (Duration::from_secs(5), 3, 4));
    assert_eq!(named("T:2").state, JobState::Queued { since: Duration::from_secs(8) });
    assert_eq!(named("T:3").state, JobState::Delayed { due: NOON + 1000 });
    assert_eq!(story.broker.workload_of(b"T:2").as_deref(), Some(&b"yy"[..]));
    assert!(story.broker.job_named(b"T:9", story.now).is_none());

    let mut workers = Vec::new();
    story.broker.connections(0, 100, 5, true, story.now, &mut |one| workers.push(one));
    let [worker] = &workers[..] else { panic!("{workers:?}") };
    assert_eq!(worker.identifier.as_deref(), Some(&b"me"[..]));
    assert_eq!((worker.all_abilities, &*worker.abilities[0]), (1, &b"f"[..]));
    assert_eq!((worker.running.len(), worker.more_running), (1, false));
    assert_eq!((&*worker.running[0].handle, worker.activity), ("T:1", Activity::Awake));
}

#[test]
fn a_worker_that_does_not_come_is_seen() {
    let mut story = Story::new();
    story.run(
        "
        w> CAN_DO f
        w> PRE_SLEEP
        c> SUBMIT_JOB f '' x
        c< JOB_CREATED T:1
        w< NOOP
        +7s
        ",
    );
    story.broker.connections(0, 100, 5, true, story.now, &mut |one| {
        assert_eq!((one.activity, one.woken), (Activity::Woken, Some(Duration::from_secs(7))));
    });
}

#[test]
fn schedules_are_told_with_their_lines() {
    let mut story = Story::new();
    story.run("c> SUBMIT_JOB_SCHED f u '' 13 '' '' 0 x\nc< JOB_CREATED T:1\n");
    let mut schedules = Vec::new();
    assert_eq!(story.broker.schedules(0, 100, &mut |one| schedules.push(one)), None);
    let [one] = &schedules[..] else { panic!("{schedules:?}") };
    assert_eq!((&*one.handle, &*one.line, one.fired), ("T:1", "* 13 * * 0", 0));
    assert_eq!(one.next, NOON + 2 * 86_400 + 3600, "Monday at one");
}
