//! A hundred crashes of the daemon; `cargo xtask soak` makes a thousand.

use anyhow::{Context, Result, ensure};
use lineshaft_tests::crash;

#[test]
fn a_hundred_kills_lose_nothing_and_bring_nothing_back() -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let report = crash::run(&format!("log:{}/queue", folder.path().display()), 100, 7)?;
    ensure!(
        report.acknowledged > 1000 && report.ended > 100 && report.repeated > 10,
        "too little: {report:?}"
    );
    Ok(())
}

#[test]
fn neither_do_kills_on_sqlite() -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let report = crash::run(&format!("sqlite:{}/queue.db", folder.path().display()), 20, 8)?;
    ensure!(report.acknowledged > 100 && report.ended > 10 && report.repeated > 1, "too little: {report:?}");
    Ok(())
}
