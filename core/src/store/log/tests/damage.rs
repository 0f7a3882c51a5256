//! Bytes that change on the disk.

use std::collections::BTreeMap;

use super::super::engine::{Engine, Stopped};
use super::super::format;
use super::memory::Memory;
use super::model::{Jobs, add, apply, batch, reopen};
use crate::store::Change;

/// A log of several segments, closed; its jobs, and the changes of each batch.
fn log() -> (Memory, Jobs, Vec<Vec<u64>>) {
    let memory = Memory::default();
    let mut jobs = Jobs::new();
    let mut batches = Vec::new();
    let (mut engine, ..) = reopen(&memory).expect("an empty disk");
    let mut number = 0;
    for turn in 0..12 {
        let workload = vec![turn as u8; 150];
        let mut changes: Vec<_> = (1..=3).map(|more| add(number + more, &workload)).collect();
        number += 3;
        if turn > 2 {
            changes.push(Change::End { number: number - 8 });
            changes.push(Change::Returned { number: number - 7, returns: turn });
        }
        let batch = batch(&changes);
        engine.commit(&batch).expect("the disk is well");
        changes.iter().for_each(|change| apply(&mut jobs, change));
        batches.push(changes.iter().map(Change::number).collect());
    }
    engine.close();
    (memory, jobs, batches)
}

fn settle(engine: &mut Engine<Memory>) {
    for _ in 0..1000 {
        if !engine.tidy().expect("the disk is well") {
            return;
        }
    }
    panic!("there is always more to tidy");
}

/// What differs: jobs of one batch only, as no more than one was hit.
fn loss(found: &Jobs, jobs: &Jobs, batches: &[Vec<u64>]) -> bool {
    let numbers: Vec<u64> = found.keys().chain(jobs.keys()).copied().collect();
    let differ: Vec<u64> =
        numbers.into_iter().filter(|number| found.get(number) != jobs.get(number)).collect();
    let one = |batch: &Vec<u64>| differ.iter().all(|number| batch.contains(number));
    assert!(batches.iter().any(one), "more than one batch is hit: {differ:?}");
    !differ.is_empty()
}

#[test]
fn whatever_byte_changes_is_told_and_hits_one_batch_at_most() {
    let (memory, jobs, batches) = log();
    let segments: Vec<String> =
        memory.names().into_iter().filter(|name| format::sequence(name).is_some()).collect();
    assert!(segments.len() >= 3, "{segments:?}");
    let mut told = BTreeMap::new();
    for name in &segments {
        let bytes = memory.read(name);
        for at in 0..bytes.len() {
            // Each bit of heads and tables would be much; one of each byte is all of them in turn.
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let disk = memory.copy();
            disk.write(name, damaged.clone());
            let (mut engine, found, _) = reopen(&disk).expect("damage is no obstacle");
            let lost = loss(&found, &jobs, &batches);
            assert!(!engine.findings.is_empty(), "nobody is told of byte {at} of {name}, lost: {lost}");
            *told.entry(lost).or_insert(0) += 1;
            if at % 16 != 0 {
                continue;
            }
            // It goes on, keeps what it has, and the damaged file.
            let is_damage = engine.findings.iter().any(|finding| finding.is_damage());
            engine.commit(&batch(&[add(1000, b"more")])).expect("the disk is well");
            settle(&mut engine);
            engine.close();
            let aside: Vec<String> = disk.names().into_iter().filter(|it| it.contains(".damaged")).collect();
            assert_eq!(aside.len(), usize::from(is_damage), "byte {at} of {name}");
            assert!(aside.iter().all(|aside| disk.read(aside) == damaged), "byte {at} of {name}");
            let (engine, mut again, _) = reopen(&disk).expect("it was well");
            assert!(engine.findings.is_empty(), "byte {at} of {name} is told again: {:?}", engine.findings);
            again.remove(&1000).expect("it was added");
            assert_eq!(again, found, "byte {at} of {name}");
        }
    }
    assert!(told[&true] > 500 && told[&false] > 300, "{told:?}");
}

#[test]
fn whatever_is_cut_off_or_missing_is_told() {
    let (memory, jobs, _) = log();
    let segments: Vec<String> =
        memory.names().into_iter().filter(|name| format::sequence(name).is_some()).collect();
    for name in &segments {
        let bytes = memory.read(name);
        for at in (1..bytes.len()).step_by(5) {
            for zeros in [0, bytes.len() - at] {
                let disk = memory.copy();
                let mut cut = bytes[..at].to_vec();
                cut.resize(at + zeros, 0);
                if cut == bytes {
                    continue;
                }
                disk.write(name, cut);
                let (engine, found, _) = reopen(&disk).expect("damage is no obstacle");
                // A cut between two batches of the last segment looks as if the second had never been.
                let last = Some(name) == segments.last();
                assert!(last || !engine.findings.is_empty(), "nobody is told that {name} ends at {at}");
                assert!(found == jobs || last || !engine.findings.is_empty());
            }
        }
    }
}

#[test]
fn a_workload_that_looks_like_a_batch_is_none() {
    let memory = Memory::default();
    let (mut engine, ..) = reopen(&memory).expect("an empty disk");
    // A whole segment of another log, in a workload, which differs in its mark.
    let (other, ..) = log();
    let forged =
        other.names().iter().find(|name| format::sequence(name).is_some()).map(|name| other.read(name));
    let mut forged = forged.expect("a segment");
    let mark = engine.mark.to_le_bytes();
    let places: Vec<usize> = (0..forged.len() - 8).filter(|at| forged[*at..*at + 8] == mark).collect();
    places.iter().for_each(|at| forged[*at] ^= 0x10);
    assert!(places.len() > 2);
    engine.commit(&batch(&[add(500, &forged)])).expect("the disk is well");
    engine.commit(&batch(&[add(501, b"behind")])).expect("the disk is well");
    engine.close();
    let name = memory.names().into_iter().find(|name| format::sequence(name).is_some()).expect("a segment");
    let mut bytes = memory.read(&name);
    // The head of the batch that has it.
    bytes[format::HEADER + 9] ^= 1;
    bytes[format::HEADER + 20] ^= 1;
    memory.write(&name, bytes);
    let (engine, found, _) = reopen(&memory).expect("damage is no obstacle");
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [501]);
    assert_eq!(engine.findings.len(), 1);
}

/// A log that is open, its jobs, and the name of its first segment, of which little is needed.
fn open_log() -> (Memory, Engine<Memory>, Jobs, String) {
    let memory = Memory::default();
    let (mut engine, mut jobs, _) = reopen(&memory).expect("an empty disk");
    // Until it is told otherwise it clears nothing away.
    engine.stopped = Stopped::Resting;
    let mut commit = |changes: &[Change<'_>]| {
        engine.commit(&batch(changes)).expect("the disk is well");
        changes.iter().for_each(|change| apply(&mut jobs, change));
    };
    (1..=30).for_each(|number| commit(&[add(number, &[number as u8; 150])]));
    let ends: Vec<_> =
        (1..=30).filter(|number| number % 4 != 0).map(|number| Change::End { number }).collect();
    commit(&ends);
    commit(&[add(31, &[31; 1500])]);
    commit(&[add(32, &[32; 1500])]);
    engine.stopped = Stopped::No;
    // Segments are cut before anything is cleared away.
    while !engine.chores.is_empty() {
        engine.tidy().expect("the disk is well");
    }
    let first = format::name(engine.places.list[0].sequence);
    (memory, engine, jobs, first)
}

#[test]
fn damage_that_comes_while_it_is_open_is_told_and_costs_no_more() {
    let (whole, engine, jobs, name) = open_log();
    drop(engine);
    let len = whole.read(&name).len();
    let mut told = 0;
    for at in (format::HEADER..len).step_by(3) {
        for cut in [false, true] {
            let (memory, mut engine, ..) = open_log();
            let mut bytes = memory.read(&name);
            match cut {
                true => bytes.truncate(at),
                false => bytes[at] ^= 1 << (at % 8),
            }
            memory.write(&name, bytes.clone());
            let (_, expected, _) = reopen(&memory.copy()).expect("damage is no obstacle");
            let mut errors = 0;
            for _ in 0..2000 {
                // It rests after each error.
                engine.stopped =
                    if engine.stopped == Stopped::Resting { Stopped::No } else { engine.stopped };
                errors += usize::from(engine.tidy().is_err());
            }
            let kept =
                memory.names().into_iter().any(|it| it.starts_with(&name) && memory.read(&it) == bytes);
            let is_well = expected == jobs && reopen(&memory.copy()).expect("it is open").1 == jobs;
            assert!(kept && errors > 0 || is_well, "byte {at} of {name}, {errors} errors");
            told += usize::from(errors > 0);
            engine.close();
            drop(engine);
            let (engine, found, _) = reopen(&memory).expect("damage is no obstacle");
            assert_eq!(found, expected, "byte {at} of {name}");
            assert!(found == jobs || !engine.findings.is_empty(), "byte {at} of {name}");
        }
    }
    assert!(told > 200, "{told}");
}

#[test]
fn a_segment_whose_next_one_has_gone_is_damaged_and_not_torn() {
    let memory = Memory::default();
    let (mut engine, mut jobs, _) = reopen(&memory).expect("an empty disk");
    let mut commit = |changes: &[Change<'_>]| {
        engine.commit(&batch(changes)).expect("the disk is well");
        changes.iter().for_each(|change| apply(&mut jobs, change));
    };
    (1..=2).for_each(|number| commit(&[add(number, &[number as u8; 700])]));
    (3..=4).for_each(|number| commit(&[add(number, &[number as u8; 700])]));
    (5..=6).for_each(|number| commit(&[add(number, &[number as u8; 600])]));
    commit(&[Change::End { number: 3 }, Change::End { number: 4 }]);
    settle(&mut engine);
    let sequences: Vec<u64> = engine.places.list.iter().map(|place| place.sequence).collect();
    assert_eq!(sequences, [1, 3]);
    engine.close();
    let first = format::name(1);
    assert_eq!(reopen(&memory.copy()).expect("it was well").1, jobs);
    let mut bytes = memory.read(&first);
    *bytes.last_mut().expect("it has a batch") ^= 4;
    memory.write(&first, bytes.clone());
    let (mut engine, found, _) = reopen(&memory).expect("damage is no obstacle");
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 5, 6]);
    assert!(engine.findings.len() == 1 && engine.findings[0].is_damage(), "{:?}", engine.findings);
    engine.commit(&batch(&[add(7, b"more")])).expect("the disk is well");
    settle(&mut engine);
    assert_eq!(memory.read(&format!("{first}.damaged")), bytes);
}

#[test]
fn a_segment_that_cannot_be_read_does_not_hold_up_the_others() {
    let (memory, mut engine, mut jobs, first) = open_log();
    memory.hide(&first);
    let ends: Vec<_> = (1..=31)
        .map(|number| Change::End { number })
        .filter(|end| jobs.contains_key(&end.number()))
        .collect();
    engine.commit(&batch(&ends[1..])).expect("the disk is well");
    ends[1..].iter().for_each(|change| apply(&mut jobs, change));
    let mut errors = Vec::new();
    for _ in 0..2000 {
        engine.stopped = if engine.stopped == Stopped::Resting { Stopped::No } else { engine.stopped };
        errors.extend(engine.tidy().err());
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].to_string().starts_with(&format!("cannot read {first}")), "{}", errors[0]);
    let left = engine.places.list.iter().filter(|place| !place.stuck && place.jobs.live() == 0).count();
    assert!(left <= 1, "{left} segments of which nothing is needed");
    memory.hide("");
    drop(engine);
    assert_eq!(reopen(&memory).expect("it can be read again").1, jobs);
}

#[test]
fn what_says_nothing_is_set_aside_before_anything_is_committed() {
    let (memory, jobs, _) = log();
    let last = memory.names().iter().filter_map(|name| format::sequence(name)).max().expect("a segment");
    let name = format::name(last + 1);
    for turn in ["", ".2", ".3"] {
        memory.write(&name, vec![0xff; 600]);
        let (_, found, _) = reopen(&memory).expect("damage is no obstacle");
        assert_eq!(found, jobs);
        let aside = format!("{name}.damaged{turn}");
        assert!(
            memory.names().contains(&aside) && memory.read(&aside) == [0xff; 600],
            "{:?}",
            memory.names()
        );
    }
}
