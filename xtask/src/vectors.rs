//! `cargo xtask vectors`: the wire vectors, by our own runner and by the reference one, against the built daemon.

use crate::run::{Failure, Workspace};
use crate::tally::Tally;

pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    workspace.build_daemon("release")?;
    let mut tally = Tally::default();
    let mut command = workspace.cargo("test --package lineshaft-tests --test vectors --");
    tally.count(command.args(words))?;
    tally.close()
}
