//! The suite of the Debian package: installed with dpkg in a copy of this machine that is thrown away, under a systemd of its own.

use crate::deb::{self, Packages};
use crate::run::{Failure, Workspace, must, read, step};
use crate::tally::Tally;
use std::fs;
use std::path::{Path, PathBuf};

/// Builds the package of the program that tests build anyway, and lives through its life.
pub(crate) fn test(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    let Packages { lineshaft: package, library } = deb::build(workspace, "dev")?;
    if read(workspace.command("id").arg("-u"))?.trim() != "0" {
        step("the package is built; it is installed and tried by root only: sudo cargo xtask test package");
        return Ok(());
    }
    let folder = workspace.target.join("package-test");
    fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    let newer = newer(workspace, &package, &folder)?;
    let script = |name: &str| workspace.root.join("xtask/package").join(name);

    step("the interop suite with the program that the package has installed");
    let mut interop = workspace.command("unshare");
    interop.args(["--mount", "sh"]).arg(script("enter.sh")).arg(&folder);
    interop.arg("sh").arg(script("installed.sh")).arg(&folder).arg(&package);
    interop.args([
        env!("CARGO"),
        "test",
        "--package",
        "lineshaft-tests",
        "--test",
        "interop",
        "--",
        "ours::",
    ]);
    tally.count(&mut interop)?;

    step("the life of the package under systemd");
    // A system that does not come to its story, or hangs in it, is ended.
    let mut life = workspace.command("timeout");
    life.args([
        "--kill-after=10",
        "900",
        "unshare",
        "--mount",
        "--pid",
        "--net",
        "--ipc",
        "--uts",
        "--cgroup",
        "--fork",
        "--kill-child",
    ]);
    life.arg("sh").arg(script("enter.sh")).arg(&folder);
    life.arg("sh").arg(script("boot.sh")).arg(&folder).arg(&package).arg(newer).arg(library);
    // What the story has said tells how it ended; a systemd that powers off ends with an error.
    let ended = life.status().map_err(|error| Failure::new(format!("unshare: {error}")))?;
    eprintln!("the system has ended: {ended}");
    tally.count(workspace.command("cat").arg(folder.join("said")))
}

/// The same package with the next revision.
fn newer(workspace: &Workspace, package: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let (unpacked, newer) = (folder.join("unpacked"), folder.join("newer.deb"));
    // One that an earlier run was interrupted at.
    let _ = fs::remove_dir_all(&unpacked);
    must(workspace.command("dpkg-deb").arg("--raw-extract").arg(package).arg(&unpacked))?;
    let control = unpacked.join("DEBIAN/control");
    let text = fs::read_to_string(&control);
    let changed = text.map(|text| {
        let lines = text.lines().map(|line| match line.strip_prefix("Version: ") {
            Some(version) => format!("Version: {version}.1\n"),
            None => format!("{line}\n"),
        });
        lines.collect::<String>()
    });
    let written = changed.and_then(|text| fs::write(&control, text));
    written.map_err(|error| Failure::new(format!("{}: {error}", control.display())))?;
    must(workspace.command("dpkg-deb").arg("-Znone").arg("--build").arg(&unpacked).arg(&newer))?;
    let _ = fs::remove_dir_all(&unpacked);
    Ok(newer)
}
