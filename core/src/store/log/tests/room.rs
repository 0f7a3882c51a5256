//! How much room a log takes.

use super::memory::{Luck, Memory};
use super::model::{Jobs, SEGMENT, Server, add, apply, batch, reopen};
use crate::store::{Batch, Change};

/// Bytes that these jobs have as records.
fn live_bytes(jobs: &Jobs) -> u64 {
    jobs.values().map(|(_, workload)| workload.len() as u64 + 50).sum()
}

/// At most three times what is needed, and the segment that is written to, the spare one and one that is being written anew.
fn check(memory: &Memory, jobs: &Jobs, when: &str) {
    let (bytes, live) = (memory.bytes(), live_bytes(jobs));
    let most = 3 * live + 8 * SEGMENT;
    assert!(bytes <= most, "{when}: {bytes} bytes for {live} of {} jobs, at most {most}", jobs.len());
    let files = memory.names().len() as u64;
    assert!(files <= 20 + 8 * live / SEGMENT, "{when}: {files} files for {live} bytes");
}

/// Commits without a pause; `tidy` is never called.
fn run(turns: usize, mut next: impl FnMut(usize, &Jobs) -> Batch) -> (Memory, Jobs) {
    let memory = Memory::default();
    let mut jobs = Jobs::new();
    let (mut engine, ..) = reopen(&memory).expect("an empty disk");
    for turn in 0..turns {
        let batch = next(turn, &jobs);
        engine.commit(&batch).expect("the disk is well");
        batch.changes().for_each(|change| apply(&mut jobs, &change));
        if turn % 50 == 49 {
            check(&memory, &jobs, &format!("turn {turn}"));
        }
    }
    assert_eq!(engine.trouble, None);
    drop(engine);
    assert_eq!(reopen(&memory).expect("it was well").1, jobs);
    (memory, jobs)
}

#[test]
fn a_queue_that_moves_on_takes_no_more_and_more_room() {
    let workload = [7; 100];
    let (memory, _) = run(3000, |turn, _| {
        let mut changes = vec![add(turn as u64 + 1, &workload)];
        changes.extend((turn >= 40).then(|| Change::End { number: turn as u64 - 39 }));
        batch(&changes)
    });
    assert!(memory.operations() < 30_000, "{} operations", memory.operations());
}

#[test]
fn nor_does_one_whose_jobs_end_in_any_order_or_stay_for_ever() {
    let mut luck = Luck(5);
    let workload = [7; 100];
    run(4000, |turn, jobs| {
        let number = turn as u64 + 1;
        let mut changes = vec![add(number, &workload)];
        // One in fifty stays.
        let others: Vec<u64> = jobs.keys().copied().filter(|number| number % 50 != 0).collect();
        if others.len() > 60 {
            let number = others[luck.below(others.len() as u64) as usize];
            changes.push(Change::End { number });
        }
        batch(&changes)
    });
}

#[test]
fn nor_one_whose_jobs_are_given_back_again_and_again() {
    let workload = [7; 100];
    run(3000, |turn, _| {
        if turn < 20 {
            return batch(&[add(turn as u64 + 1, &workload)]);
        }
        batch(&[Change::Returned { number: turn as u64 % 20 + 1, returns: turn as u16 }])
    });
}

#[test]
fn nor_one_that_is_filled_and_emptied() {
    let mut server = Server::new(11);
    run(2000, |turn, jobs| {
        if turn / 300 % 2 == 0 {
            return server.batch(jobs);
        }
        let ends: Vec<_> = jobs.keys().take(8).map(|number| Change::End { number: *number }).collect();
        batch(if ends.is_empty() { &[Change::Counter { number: 1 << 40 }] } else { &ends })
    });
}

#[test]
fn every_start_and_stop_leaves_no_file() {
    let memory = Memory::default();
    let mut jobs = Jobs::new();
    for turn in 0..200_u64 {
        let (mut engine, found, _) = reopen(&memory).expect("the disk is well");
        assert_eq!(found, jobs);
        let batch = batch(&[add(turn + 1, b"x"), Change::End { number: turn.saturating_sub(3) }]);
        engine.commit(&batch).expect("the disk is well");
        batch.changes().for_each(|change| apply(&mut jobs, &change));
        while engine.tidy().expect("the disk is well") {}
        engine.close();
        assert!(memory.names().len() < 16, "turn {turn}: {:?}", memory.names());
    }
}
