//! The Nth operation fails, for every N; the server goes on.

use std::io::ErrorKind;

use super::super::engine::Stopped;
use super::memory::{Fault, How, Luck, Memory};
use super::model::{Jobs, SEGMENT, Server, add, apply, batch, open, reopen};
use crate::store::Change;

/// How many batches a story has.
const BATCHES: usize = 40;

/// Tells a story in which operation `at` fails; false where it has fewer operations.
fn tell(at: u64, how: How, kind: ErrorKind) -> bool {
    let memory = Memory::default();
    memory.fail(Some(Fault { at, for_good: false, how, kind }));
    let mut server = Server::new(7);
    let mut jobs = Jobs::new();
    let mut engine = None;
    let mut failures = 0;
    for turn in 0..BATCHES {
        if turn % 13 == 12 {
            // Killed, or closed.
            match engine.take() {
                Some(mut engine) if turn % 26 == 12 => super::super::engine::Engine::close(&mut engine),
                _ => {}
            }
        }
        if engine.is_none() {
            let found = reopen(&memory).or_else(|_| {
                failures += 1;
                reopen(&memory)
            });
            let (opened, found, _) = found.expect("only one operation fails");
            assert_eq!(found, jobs, "operation {at} ({how:?}) has failed, turn {turn}");
            engine = Some(opened);
        }
        let engine = engine.as_mut().expect("it is open");
        let mut batch = server.batch(&jobs);
        while engine.commit(&batch).is_err() {
            failures += 1;
            assert!(failures < 3, "only one operation fails");
            batch = server.again(batch);
        }
        jobs = Server::after(&jobs, &batch);
        for _ in 0..turn % 3 {
            failures += usize::from(engine.tidy().is_err());
        }
    }
    let hit = memory.operations() >= at;
    memory.fail(None);
    // A power failure changes nothing.
    for seed in 0..2 {
        let crashed = memory.crash(&mut Luck(at * 2 + seed));
        let (mut engine, found, counter) = reopen(&crashed).expect("the disk is well again");
        assert_eq!(found, jobs, "operation {at} ({how:?}) has failed, then the power");
        assert!(counter >= server.number);
        assert!(engine.findings.iter().all(|finding| !finding.is_damage()), "{:?}", engine.findings);
        settle(&mut engine);
        drop(engine);
        let (_, found, _) = reopen(&crashed.crash(&mut Luck(seed))).expect("it was well");
        assert_eq!(found, jobs, "operation {at} ({how:?}) has failed, then the power, then it was tidied");
    }
    hit
}

/// Tidies until there is nothing left.
fn settle(engine: &mut super::super::engine::Engine<Memory>) {
    for _ in 0..10_000 {
        if !engine.tidy().expect("the disk is well") {
            return;
        }
    }
    panic!("there is always more to tidy");
}

#[test]
fn whatever_fails_nothing_acknowledged_is_lost_and_nothing_given_up_comes_back() {
    for how in [How::Nothing, How::Half, How::All] {
        let last = (1..).find(|at| !tell(*at, how, ErrorKind::Other)).expect("it has an end");
        assert!(last > 300, "{last} operations are no story");
    }
}

#[test]
fn a_full_disk_is_told_and_clears_up() {
    let memory = Memory::default();
    let (mut engine, mut jobs, _) = reopen(&memory).expect("an empty disk");
    let mut server = Server::new(3);
    for _ in 0..30 {
        let batch = server.batch(&jobs);
        engine.commit(&batch).expect("the disk is well");
        jobs = Server::after(&jobs, &batch);
    }
    let full = Fault { at: 0, for_good: true, how: How::Nothing, kind: ErrorKind::StorageFull };
    memory.fail(Some(full));
    let batch = server.batch(&jobs);
    for _ in 0..3 {
        let text = engine.commit(&batch).expect_err("the disk is full").to_string();
        assert!(text.contains("memory") && text.contains("The disk is full: make room on it"), "{text}");
    }
    memory.fail(None);
    engine.commit(&batch).expect("there is room again");
    jobs = Server::after(&jobs, &batch);
    drop(engine);
    assert_eq!(reopen(&memory).expect("the disk is well").1, jobs);
}

#[test]
fn every_trouble_has_a_sentence_of_its_own() {
    let memory = Memory::default();
    let cases = [
        (ErrorKind::ReadOnlyFilesystem, "The file system is read-only"),
        (ErrorKind::PermissionDenied, "Let the user that the server runs as own the directory"),
        (ErrorKind::NotFound, "It has gone"),
        (ErrorKind::NotADirectory, "A file is in its way"),
        (ErrorKind::Other, "See the kernel's log about the disk"),
    ];
    for (kind, words) in cases {
        memory.fail(Some(Fault { at: 0, for_good: true, how: How::Nothing, kind }));
        let text = open(&memory).map(|_| ()).expect_err("it fails").to_string();
        assert!(
            text.starts_with("cannot list the files in the log memory: ") && text.contains(words),
            "{text}"
        );
    }
}

/// A log of ten small segments, each with a job that ends in the next one.
fn small_segments() -> (Memory, Jobs) {
    let memory = Memory::default();
    let mut jobs = Jobs::new();
    for turn in 0..10_u64 {
        let (mut engine, ..) = reopen(&memory).expect("the disk is well");
        let changes =
            [add(2 * turn + 1, b"x"), add(2 * turn + 2, b"y"), Change::End { number: (2 * turn).max(1) - 1 }];
        engine.commit(&batch(&changes)).expect("the disk is well");
        changes.iter().for_each(|change| apply(&mut jobs, change));
        engine.close();
    }
    (memory, jobs)
}

#[test]
fn small_segments_become_one_whatever_fails() {
    let (memory, jobs) = small_segments();
    let files = memory.names().len();
    for how in [How::Nothing, How::All] {
        for at in 1.. {
            let memory = memory.copy();
            memory.fail(Some(Fault { at, for_good: false, how, kind: ErrorKind::Other }));
            let opened = reopen(&memory).or_else(|_| reopen(&memory));
            let (mut engine, found, _) = opened.expect("only one operation fails");
            assert_eq!(found, jobs, "operation {at} ({how:?}) has failed");
            let mut jobs = jobs.clone();
            for number in 100..400 {
                let changes = [add(number, &[1; 100]), Change::End { number: number.max(101) - 1 }];
                let batch = batch(&changes);
                while engine.commit(&batch).is_err() {}
                changes.iter().for_each(|change| apply(&mut jobs, change));
                (0..3).for_each(|_| drop(engine.tidy()));
            }
            drop(engine);
            assert_eq!(
                reopen(&memory).expect("the disk is well").1,
                jobs,
                "operation {at} ({how:?}) has failed"
            );
            if memory.operations() < at || at > 200 {
                assert!(memory.names().len() < files, "{:?}", memory.names());
                break;
            }
        }
    }
}

#[test]
fn attempts_that_fail_leave_no_files_behind() {
    let memory = Memory::default();
    let (mut engine, ..) = reopen(&memory).expect("an empty disk");
    engine.commit(&batch(&[add(1, b"x")])).expect("the disk is well");
    // The sync of a batch; behind the first attempt each makes a segment of its own before.
    memory.fail(Some(Fault {
        at: memory.operations() + 2,
        for_good: false,
        how: How::Nothing,
        kind: ErrorKind::Other,
    }));
    engine.commit(&batch(&[add(2, b"x")])).expect_err("it was not synced");
    let files = memory.names().len();
    for _ in 0..20 {
        let at = memory.operations() + if engine.spare.is_some() { 2 } else { 8 };
        memory.fail(Some(Fault { at, for_good: false, how: How::Nothing, kind: ErrorKind::Other }));
        let text = engine.commit(&batch(&[add(2, b"x")])).expect_err("it was not synced").to_string();
        assert!(text.starts_with("cannot write a batch"), "{text}");
        assert!(memory.names().len() <= files, "{:?}", memory.names());
    }
    memory.fail(None);
    engine.commit(&batch(&[add(2, b"x")])).expect("the disk is well");
    drop(engine);
    assert_eq!(reopen(&memory).expect("the disk is well").1.len(), 2);
}

#[test]
fn what_has_ended_makes_room_on_a_full_disk() {
    let memory = Memory::default();
    let (mut engine, mut jobs, _) = reopen(&memory).expect("an empty disk");
    memory.limit(12 * SEGMENT);
    let workload = vec![1; SEGMENT as usize / 4];
    // Three jobs at a time: all segments but the last two are dead, and nothing is cleared away before the disk is full.
    for number in 1..=200 {
        engine.stopped = Stopped::Resting;
        let batch = batch(&[add(number, &workload), Change::End { number: number.saturating_sub(3) }]);
        engine.commit(&batch).expect("there is room for all that is needed");
        batch.changes().for_each(|change| apply(&mut jobs, &change));
    }
    // More than there is room for is refused, and what there was stays.
    let refused = (201..300).find_map(|number| engine.commit(&batch(&[add(number, &workload)])).err());
    assert!(refused.is_some_and(|error| error.to_string().contains("The disk is full")));
    drop(engine);
    let (_, found, _) = reopen(&memory).expect("it is only full");
    assert!(jobs.iter().all(|(number, job)| found.get(number) == Some(job)), "{:?}", found.keys());
}

#[test]
fn an_alarm_is_given_again_and_again() {
    let memory = Memory::default();
    let (mut engine, ..) = reopen(&memory).expect("an empty disk");
    engine.commit(&batch(&[add(1, b"x")])).expect("the disk is well");
    while engine.tidy().expect("the disk is well") {}
    engine.stopped = Stopped::Forever;
    let alarms: Vec<_> = (0..50_000).filter_map(|_| engine.tidy().err()).collect();
    assert_eq!(alarms.len(), 3);
    assert!(alarms[0].to_string().contains("clears nothing away"), "{}", alarms[0]);
}
