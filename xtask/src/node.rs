//! The Node.js package: built, packed, installed from its tarballs, and tested as it is published.

use std::process::Command;

use crate::run::{Failure, Workspace, must, step, works};
use crate::tally::Tally;

/// The smallest version of Node.js that the package supports.
const NODE: u32 = 20;

/// The suite, against the packed package.
pub(crate) fn test(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    node_is_there(workspace)?;
    step("the Node.js package");
    tally.count(&mut script(workspace, "scripts/test.cjs"))
}

/// The package beside its rivals.
pub(crate) fn bench(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    node_is_there(workspace)?;
    if !works(workspace.command("redis-server").arg("--version")) {
        return Err(Failure::new(
            "BullMQ needs Redis, which is not installed:\n  sudo apt-get install redis-server",
        ));
    }
    must(&mut script(workspace, "scripts/build.cjs"))?;
    step("the Node.js package beside its rivals");
    must(script(workspace, "bench/bench.mjs").args(words))
}

fn script(workspace: &Workspace, path: &str) -> Command {
    let mut command = workspace.command("node");
    command.arg(workspace.root.join("bindings-node").join(path));
    command
}

fn node_is_there(workspace: &Workspace) -> Result<(), Failure> {
    let check = format!("process.exit(parseInt(process.versions.node) >= {NODE} ? 0 : 1)");
    let node = works(workspace.command("node").args(["--eval", &check]));
    if node && works(workspace.command("npm").arg("--version")) {
        return Ok(());
    }
    Err(Failure::new(format!("the Node.js package needs node {NODE} or later, and npm")))
}
