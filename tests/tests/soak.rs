//! A short soak; `cargo xtask soak 600` runs a long one.

use anyhow::{Result, ensure};
use lineshaft_tests::soak;
use std::time::Duration;

#[test]
fn a_mixed_load_loses_nothing() -> Result<()> {
    let report = soak::run(Duration::from_secs(5), 1)?;
    ensure!(
        report.background > 100 && report.foreground > 100 && report.abandoned > 0,
        "too little: {report:?}"
    );
    ensure!(report.peak_memory < 64 << 20, "the daemon has had {} bytes in use", report.peak_memory);
    Ok(())
}
