//! `cargo xtask check`: what can be said of the tree without running it.

use crate::generate;
use crate::run::{Failure, Workspace, must, read, step};

/// Packages that the pure rooms must never pull in.
const IMPURE: [&str; 3] = ["tokio", "mio", "rustls"];

pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    step("format");
    must(&mut workspace.cargo("fmt --all --check"))?;
    step("the pure rooms alone");
    must(&mut workspace.cargo("check --quiet --package lineshaft --no-default-features"))?;
    pure_tree(workspace)?;
    step("lints");
    must(&mut workspace.cargo("clippy --quiet --workspace --all-targets -- -D warnings"))?;
    step("documentation");
    must(workspace.cargo("doc --quiet --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))?;
    step("generated files");
    generate::check(workspace)?;
    step("layers");
    must(&mut workspace.cargo("test --quiet --package lineshaft-tests --test layering"))?;
    step("checked");
    Ok(())
}

/// The dependency tree of the library without its features holds no I/O.
fn pure_tree(workspace: &Workspace) -> Result<(), Failure> {
    let words = "tree --package lineshaft --no-default-features --edges normal --prefix none --format {p}";
    let tree = read(&mut workspace.cargo(words))?;
    let impure =
        tree.lines().filter(|line| line.split(' ').next().is_some_and(|name| IMPURE.contains(&name)));
    match impure.collect::<Vec<_>>()[..] {
        [] => Ok(()),
        ref found => Err(Failure::new(format!(
            "the pure rooms depend on {}; a dependency of core that does I/O must be optional and belong to `net`",
            found.join(", ")
        ))),
    }
}
