//! A long soak of the built daemon: `cargo xtask soak SECONDS`.

use anyhow::{Context, Result};
use lineshaft_tests::{clock, soak};
use std::time::Duration;

fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).context("usage: soak SECONDS")?.parse()?;
    // A soak is no use twice the same.
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let start = clock::now();
    let report = soak::run(Duration::from_secs(seconds), seed)?;
    println!("{report:?} in {:?}", start.elapsed());
    Ok(())
}
