//! `cargo xtask bench c`: our libgearman beside Debian's.

use crate::run::{Failure, Workspace, must, step};
use crate::{install_c, peers};

pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    peers::install(workspace)?;
    workspace.build_daemon("release")?;
    let prefix = workspace.target.join("bench-c");
    install_c::install(workspace, &prefix, "release")?;
    let program = prefix.join("load");
    // Both libraries have the same interface: one program is linked with Debian's and finds ours by the loader's path.
    let source = workspace.root.join("benches/c/load.c");
    let flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"];
    must(workspace.command("cc").args(flags).arg(&program).arg(source).arg("-lgearman"))?;
    step("our libgearman beside Debian's");
    let mut compare = workspace.command("python3");
    compare.arg(workspace.root.join("benches/c/compare.py"));
    compare.arg("--broker").arg(workspace.daemon("release"));
    compare.arg("--library").arg(prefix.join("lib")).arg("--program").arg(&program);
    must(compare.args(words))
}
