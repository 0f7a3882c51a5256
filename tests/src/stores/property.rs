//! Stories that nobody has thought of, against the model.

use anyhow::Result;
use lineshaft::store::Change;
use lineshaft::types::Priority;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::cell::RefCell;

use super::{Job, Opened, Subject};

/// A step of a story. Jobs are named by their places among those that there ever were.
#[derive(Clone, Debug)]
enum Step {
    /// A job that gets its number when the story is told.
    Add(Job),
    End(prop::sample::Index),
    Returned(prop::sample::Index, u16),
    Counter(u64),
    Commit {
        times: usize,
    },
    Tidy,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_index = any::<prop::sample::Index>;
    let step = prop_oneof![
        8 => draft().prop_map(Step::Add),
        5 => any_index().prop_map(Step::End),
        2 => (any_index(), any::<u16>()).prop_map(|(job, returns)| Step::Returned(job, returns)),
        1 => (0..1_u64 << 40).prop_map(Step::Counter),
        4 => (1..=2_usize).prop_map(|times| Step::Commit { times }),
        1 => Just(Step::Tidy),
        1 => Just(Step::Reopen),
    ];
    vec(step, 0..60)
}

fn draft() -> impl Strategy<Value = Job> {
    // No NULs in names: no packet can carry them.
    let name = |len| vec(1..=255_u8, len);
    let due = prop_oneof![Just(0), Just(1_700_000_000), 0..=i64::MAX as u64];
    let workload = prop_oneof![vec(any::<u8>(), 0..40), (10_000..40_000_usize).prop_map(|len| vec![7; len])];
    let cron = vec(any::<u8>(), 0..12);
    let priority = prop::sample::select(&Priority::ALL[..]);
    let names = (name(1..20), name(0..64), prop::option::weighted(0.2, name(0..20)));
    (names, priority, due, prop::option::weighted(0.2, cron), workload).prop_map(
        |((function, unique, reducer), priority, due, cron, workload)| Job {
            number: 0,
            function,
            unique,
            reducer,
            priority,
            due,
            returns: 0,
            schedule: 0,
            cron,
            workload,
        },
    )
}

/// Every story begins where the one before has ended, with all jobs gone: making a place may take long.
pub(super) fn stories_of_all_kinds(subject: &dyn Subject) -> Result<()> {
    let opened = RefCell::new((Opened::new(subject)?, 0));
    // A failure leaves a store that is not as it should be: no shorter story can be told in it.
    let config = Config {
        cases: subject.stories(),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let told = TestRunner::new(config).run(&steps(), |steps| {
        let (opened, number) = &mut *opened.borrow_mut();
        let told = tell(opened, number, steps).and_then(|()| forget(opened));
        told.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    told.map_err(|error| match error {
        TestError::Fail(reason, steps) => anyhow::anyhow!(
            "{reason}\nin the story\n{}",
            steps.iter().map(|step| format!("  {step:?}\n")).collect::<String>()
        ),
        abort @ TestError::Abort(_) => anyhow::anyhow!("{abort}"),
    })
}

fn tell(opened: &mut Opened<'_>, number: &mut u64, steps: Vec<Step>) -> Result<()> {
    let first = *number + 1;
    // One of those that there were, or a number that there never is.
    let picked = |index: prop::sample::Index, number: u64| {
        let picked = first + index.index((number + 2 - first) as usize) as u64;
        if picked > number { i64::MAX as u64 } else { picked }
    };
    for step in steps {
        match step {
            Step::Add(draft) => {
                *number += 1;
                let most = opened.store()?.max_job().saturating_sub(200);
                let workload = draft.workload[..draft.workload.len().min(most)].to_vec();
                opened.add(&Job { number: *number, workload, ..draft });
            }
            Step::End(index) => opened.end(picked(index, *number)),
            Step::Returned(index, returns) => {
                opened.push(&Change::Returned { number: picked(index, *number), returns });
            }
            Step::Counter(above) => opened.push(&Change::Counter { number: *number + above }),
            Step::Commit { times } => opened.commit_times(times)?,
            Step::Tidy => {
                opened.store()?.tidy()?;
            }
            Step::Reopen => {
                opened.reopen()?;
            }
        }
    }
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}

/// Ends all.
fn forget(opened: &mut Opened<'_>) -> Result<()> {
    let numbers: Vec<u64> = opened.model.jobs.keys().copied().collect();
    numbers.into_iter().for_each(|number| opened.end(number));
    opened.commit()?;
    opened.reopen()?;
    Ok(())
}
