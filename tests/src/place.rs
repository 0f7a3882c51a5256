//! Where things are that tests need.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// The root of the tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A script in tests/peers.
pub fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// The project's reference, which lies beside the clone where the project is developed.
pub fn reference(name: &str) -> PathBuf {
    root().join("../shared/reference").join(name)
}

/// Cargo's target folder: test programs lie in target/<profile>/deps.
fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("own path")?;
    let target = exe.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(target.with_context(|| format!("{} is not inside a target folder", exe.display()))?.to_owned())
}

/// Our program: daemon, client, worker and admin tool in one.
///
/// # Errors
/// When it has not been built.
pub fn lineshaft() -> Result<PathBuf> {
    let path = target()?.join("release/lineshaft");
    ensure!(path.exists(), "{} is missing: run `cargo build --release -p lineshaft-cli`", path.display());
    Ok(path)
}

/// The Python interpreter that has the peers.
///
/// # Errors
/// When it has not been set up.
pub fn python() -> Result<PathBuf> {
    let path = target()?.join("test-env/bin/python");
    ensure!(path.exists(), "{} is missing: run `cargo xtask test` once, which sets it up", path.display());
    Ok(path)
}
