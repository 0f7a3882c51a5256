//! A long soak of the built daemon, and a thousand crashes of it: `cargo xtask soak SECONDS`.

use anyhow::{Context, Result};
use lineshaft_tests::{clock, crash, soak};
use std::time::Duration;

fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).context("usage: soak SECONDS")?.parse()?;
    // A soak is no use twice the same.
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let start = clock::now();
    let report = soak::run(Duration::from_secs(seconds), seed)?;
    println!("{report:?} in {:?}", start.elapsed());
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let report = crash::run(&format!("log:{}/queue", folder.path().display()), 1000, seed)?;
    println!("{report:?} in {:?}", start.elapsed());
    Ok(())
}
