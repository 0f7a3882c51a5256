//! The one body of tests over every store, and over stores that do wrong, which it must find.

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use lineshaft_tests::servers;
use lineshaft_tests::stores::{CASES, FAULTS, Fault, Faulty, SUBJECTS};

fn main() -> Result<()> {
    let mut trials = Vec::new();
    for (subject, make) in SUBJECTS {
        for (case, run) in CASES {
            trials.push(Trial::test(format!("{subject}::{case}"), move || {
                failed(make().and_then(|it| run(&*it)))
            }));
        }
    }
    for fault in FAULTS {
        trials.push(Trial::test(format!("found::{fault:?}"), move || failed(is_found(*fault))));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    servers::release();
    conclusion.exit()
}

/// With its causes.
fn failed(outcome: Result<()>) -> Result<(), Failed> {
    outcome.map_err(|error| format!("{error:#}").into())
}

fn is_found(fault: Fault) -> Result<()> {
    let found: Vec<_> = CASES.iter().filter(|(_, run)| run(&Faulty::new(fault)).is_err()).collect();
    ensure!(!found.is_empty(), "no story finds it");
    Ok(())
}
