//! The power fails at every operation.

use std::io::ErrorKind;

use super::memory::{Fault, How, Luck, Memory};
use super::model::{Jobs, Server, add, apply, batch, reopen};
use crate::store::Change;

/// Tells a story in which the power fails at operation `at`, and goes on with what is left; false where it has fewer operations.
fn tell(at: u64, how: How, seed: u64) -> bool {
    let mut memory = Memory::default();
    memory.fail(Some(Fault { at, for_good: true, how, kind: ErrorKind::Other }));
    let mut server = Server::new(seed);
    let mut jobs = Jobs::new();
    let mut luck = Luck(at * 8 + seed);
    let mut crashed = false;
    let mut turn = 0;
    while turn < 60 {
        // What may be there and what may not: the batch that was being written.
        let mut maybe = None;
        'running: {
            let (mut engine, found, _) = match reopen(&memory) {
                Ok(opened) => opened,
                Err(error) => {
                    assert!(!crashed, "{error}");
                    break 'running;
                }
            };
            assert_eq!(found, jobs, "operation {at} ({how:?}, {seed}), turn {turn}");
            assert!(engine.findings.iter().all(|finding| !finding.is_damage()), "{:?}", engine.findings);
            for _ in 0..15 {
                turn += 1;
                let batch = server.batch(&jobs);
                let after = Server::after(&jobs, &batch);
                if engine.commit(&batch).is_err() {
                    maybe = Some(after);
                    break 'running;
                }
                jobs = after;
                for _ in 0..turn % 4 {
                    if engine.tidy().is_err() {
                        break 'running;
                    }
                }
            }
            if turn % 2 == 0 {
                engine.close();
            }
        }
        if crashed || memory.operations() < at {
            continue;
        }
        crashed = true;
        memory = memory.crash(&mut luck);
        let (_, found, _) = reopen(&memory).expect("the disk is well again");
        if let Some(after) = maybe.filter(|after| *after == found) {
            jobs = after;
        }
        assert_eq!(found, jobs, "the power has failed at operation {at} ({how:?}, {seed})");
        // Once more, before anything was written.
        memory = memory.crash(&mut luck);
    }
    crashed
}

#[test]
fn whenever_the_power_fails_batches_are_there_whole_or_not_at_all() {
    for (how, seed) in [(How::Nothing, 1), (How::Half, 2), (How::All, 3), (How::All, 4)] {
        let last = (1..).find(|at| !tell(*at, how, seed)).expect("it has an end");
        assert!(last > 300, "{last} operations are no story");
    }
}

#[test]
fn many_small_segments_become_one_wherever_the_power_fails() {
    let memory = Memory::default();
    let mut jobs = Jobs::new();
    for turn in 0..10_u64 {
        let (mut engine, ..) = reopen(&memory).expect("the disk is well");
        // Each has a job that ends in the next one.
        let changes =
            [add(2 * turn + 1, b"x"), add(2 * turn + 2, b"y"), Change::End { number: (2 * turn).max(1) - 1 }];
        engine.commit(&batch(&changes)).expect("the disk is well");
        changes.iter().for_each(|change| apply(&mut jobs, change));
        engine.close();
    }
    let files = memory.names().len();
    let mut last = 0;
    for at in 1.. {
        let memory = memory.copy();
        memory.fail(Some(Fault { at, for_good: true, how: How::All, kind: ErrorKind::Other }));
        if let Ok((mut engine, ..)) = reopen(&memory) {
            while engine.tidy() == Ok(true) {}
        }
        for seed in 0..16 {
            let crashed = memory.crash(&mut Luck(at * 16 + seed));
            let (mut engine, found, _) = reopen(&crashed).expect("the disk is well again");
            assert_eq!(found, jobs, "the power has failed at operation {at}");
            while engine.tidy().expect("the disk is well") {}
            drop(engine);
            let (.., found, _) = reopen(&crashed).expect("it was well");
            assert_eq!(found, jobs, "the power has failed at operation {at}, then it was tidied");
        }
        if memory.operations() < at {
            assert!(memory.names().len() <= files - 6, "{:?}", memory.names());
            break;
        }
        last = at;
    }
    assert!(last > 60, "{last} operations are no story");
}

mod random {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Commit,
        Tidy(u8),
        Close,
        Kill,
        Crash,
        Fail { after: u64, how: How },
    }

    fn step() -> impl Strategy<Value = Step> {
        let how = prop::sample::select(&[How::Nothing, How::Half, How::All][..]);
        prop_oneof![
            20 => Just(Step::Commit),
            8 => (1..20_u8).prop_map(Step::Tidy),
            1 => Just(Step::Close),
            1 => Just(Step::Kill),
            1 => Just(Step::Crash),
            3 => (0..40_u64, how).prop_map(|(after, how)| Step::Fail { after, how }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn stories_of_all_kinds(steps in prop::collection::vec(step(), 1..150), seed: u64) {
            let mut memory = Memory::default();
            let mut server = Server::new(seed);
            let mut luck = Luck(!seed);
            let mut jobs = Jobs::new();
            let mut engine = None;
            for step in steps.into_iter().chain([Step::Crash, Step::Commit, Step::Tidy(200), Step::Crash, Step::Commit]) {
                if engine.is_none() {
                    let opened = reopen(&memory).or_else(|_| reopen(&memory));
                    let (opened, found, _) = opened.expect("only one operation fails");
                    prop_assert_eq!(&found, &jobs);
                    engine = Some(opened);
                }
                let open = engine.as_mut().expect("it is open");
                match step {
                    Step::Commit => {
                        let mut batch = server.batch(&jobs);
                        let mut tries = 0;
                        while open.commit(&batch).is_err() {
                            tries += 1;
                            prop_assert!(tries < 3);
                            batch = server.again(batch);
                        }
                        jobs = Server::after(&jobs, &batch);
                    }
                    Step::Tidy(times) => (0..times).for_each(|_| drop(open.tidy())),
                    Step::Close => {
                        open.close();
                        engine = None;
                    }
                    Step::Kill => engine = None,
                    Step::Crash => {
                        engine = None;
                        memory = memory.crash(&mut luck);
                    }
                    Step::Fail { after, how } => {
                        let at = memory.operations() + after;
                        memory.fail(Some(Fault { at, for_good: false, how, kind: ErrorKind::Other }));
                    }
                }
            }
        }
    }
}
