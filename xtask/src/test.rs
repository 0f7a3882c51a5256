//! `cargo xtask test`, `fuzz` and `soak`: what runs the tree.

use crate::run::{Failure, Workspace, must, step};
use crate::tally::Tally;
use crate::{install_c, node, package, peers, python};

/// Everything, or the whole-system tests that `words` choose.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    if words == ["c"] {
        let mut tally = Tally::default();
        peers::install(workspace)?;
        workspace.build_daemon("release")?;
        workspace.build_libgearman()?;
        tally.count(&mut workspace.cargo("test --package lineshaft-ffi --no-fail-fast"))?;
        // Debian's tool, php-gearman and a program in C, all on our library.
        tally.count(&mut workspace.cargo("test --package lineshaft-tests --test interop -- on_ours"))?;
        if let Err(failure) = install_c::test(workspace) {
            tally.trouble(failure);
        }
        return tally.close();
    }
    if words == ["node"] {
        let mut tally = Tally::default();
        node::test(workspace, &mut tally)?;
        return tally.close();
    }
    if words == ["package"] {
        let mut tally = Tally::default();
        peers::install(workspace)?;
        workspace.build_libgearman()?;
        package::test(workspace, &mut tally)?;
        return tally.close();
    }
    if words == ["python"] {
        let mut tally = Tally::default();
        python::test(workspace, &mut tally)?;
        return tally.close();
    }
    peers::install(workspace)?;
    workspace.build_daemon("release")?;
    workspace.build_libgearman()?;
    let mut tally = Tally::default();
    if words.is_empty() {
        step("every suite");
        let mut command = workspace.cargo("test --workspace --no-fail-fast");
        // The same bytes in every run; `fuzz` tries new ones.
        tally.count(command.env("BOLERO_RANDOM_SEED", "1"))?;
        if let Err(failure) = install_c::test(workspace) {
            tally.trouble(failure);
        }
        if let Err(failure) = package::test(workspace, &mut tally) {
            tally.trouble(failure);
        }
        node::test(workspace, &mut tally)?;
        if let Err(failure) = python::test(workspace, &mut tally) {
            // What the other suites have said still counts.
            tally.trouble(failure);
        }
    } else {
        tally.count(workspace.cargo("test --package lineshaft-tests").args(words))?;
    }
    tally.close()
}

/// Every fuzz target for `seconds`.
pub(crate) fn fuzz(workspace: &Workspace, seconds: u64) -> Result<(), Failure> {
    let mut tally = Tally::default();
    step(&format!("every fuzz target for {seconds} s"));
    let mut command = workspace.cargo("test --profile fuzz --package lineshaft-fuzz --no-fail-fast");
    tally.count(command.env("BOLERO_RANDOM_TEST_TIME_MS", (seconds * 1000).to_string()))?;
    tally.close()
}

/// A mixed load for `seconds`.
pub(crate) fn soak(workspace: &Workspace, seconds: u64) -> Result<(), Failure> {
    workspace.build_daemon("release")?;
    step(&format!("soak for {seconds} s"));
    must(workspace.cargo("run --quiet --package lineshaft-tests --bin soak --").arg(seconds.to_string()))
}
