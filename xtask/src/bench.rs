//! `cargo xtask bench`: this daemon beside its rivals, in one run.

use crate::run::{Failure, Workspace, must, step};

pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    match words.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        Some(("c", rest)) => return crate::bench_c::run(workspace, rest),
        Some(("node", rest)) => return crate::node::bench(workspace, rest),
        Some(("python", rest)) => return crate::python::bench(workspace, rest),
        _ => {}
    }
    workspace.build_daemon("release")?;
    step("side by side");
    let mut command =
        workspace.cargo("run --quiet --profile quick --package lineshaft-benches --bin side-by-side --");
    must(command.arg("--server").arg(workspace.daemon("release")).args(words))
}
