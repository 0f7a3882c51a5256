//! `cargo xtask deb`: the Debian package.

use crate::run::{Failure, Workspace, must, read, step};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The builder of packages.
const TOOL: &str = "3.8.0";

/// The names that the program goes by, beside its own.
const LINKS: [(&str, &str); 3] =
    [("gearmand", "../bin/lineshaft"), ("gearman", "lineshaft"), ("gearadmin", "lineshaft")];

/// Builds the program and the package of a profile (release where `words` name none); answers the package's file.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<PathBuf, Failure> {
    let profile = match words {
        [] => "release",
        [option, profile] if option == "--profile" => profile,
        _ => return Err(Failure::new("deb takes --profile NAME, or nothing")),
    };
    workspace.build_daemon(profile)?;
    let package = build(workspace, profile)?;
    eprintln!("{}", package.display());
    Ok(package)
}

/// Makes the package from a program that has been built.
pub(crate) fn build(workspace: &Workspace, profile: &str) -> Result<PathBuf, Failure> {
    let folder = workspace.target.join(if profile == "dev" { "debug" } else { profile });
    let tool = tool(workspace)?;
    step(&format!("make the Debian package ({profile})"));
    parts(workspace, &folder)?;
    let mut command = workspace.command(env!("CARGO"));
    let path = std::env::join_paths([tool].into_iter().chain(std::env::split_paths(&path())));
    command.env("PATH", path.map_err(|error| Failure::new(error.to_string()))?);
    command.args(["deb", "--no-build", "--package", "lineshaft-cli", "--profile", profile]);
    if profile == "dev" {
        // Only a test reads it: neither small nor stripped.
        command.args(["--no-strip", "--fast"]);
    }
    let said = read(&mut command)?;
    let file = said.lines().last().unwrap_or_default();
    let file = workspace.root.join(file);
    if file.extension().is_some_and(|extension| extension == "deb") && file.exists() {
        Ok(file)
    } else {
        Err(Failure::new(format!("cargo deb has not said which file it made, but: {said}")))
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment here")]
fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The folder that the builder lies in; fetched once.
fn tool(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let root = workspace.target.join("tools");
    let folder = root.join("bin");
    let there = workspace.command(folder.join("cargo-deb")).arg("--version").output();
    if there.is_ok_and(|said| said.stdout.trim_ascii().ends_with(TOOL.as_bytes())) {
        return Ok(folder);
    }
    step(&format!("install cargo-deb {TOOL} into {}", root.display()));
    let made = root.join("build");
    let mut install = workspace.cargo("install cargo-deb --locked --version");
    must(install.args([TOOL, "--root"]).arg(&root).env("CARGO_TARGET_DIR", &made))?;
    // Nothing of it is needed again.
    let _ = fs::remove_dir_all(made);
    Ok(folder)
}

/// Links, manual pages and completions, in `package` beside the program.
fn parts(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    let (program, parts) = (folder.join("lineshaft"), folder.join("package"));
    // What an older program has written does not belong to this one.
    let _ = fs::remove_dir_all(&parts);
    let date = read(workspace.command("git").args(["log", "-1", "--format=%cs"]))?;
    let pages = parts.join("pages");
    must(workspace.command(&program).arg("man-pages").arg(&pages).arg(date.trim()))?;
    for entry in fs::read_dir(&pages).map_err(|error| failure(&pages, &error))? {
        let page = entry.map_err(|error| failure(&pages, &error))?.path();
        let section = page.extension().unwrap_or_default().to_string_lossy().into_owned();
        let mut name = page.file_name().unwrap_or_default().to_owned();
        name.push(".gz");
        // Without a name and a time in it the file is the same whenever it is made.
        let packed = workspace.command("gzip").args(["-9nc"]).arg(&page).stderr(Stdio::inherit()).output();
        let packed = packed.map_err(|error| failure(&page, &error))?;
        write(&parts.join(format!("man{section}")).join(name), &packed.stdout)?;
    }
    for (name, target) in LINKS {
        let link = parts.join("bin").join(name);
        write(&link, b"")?;
        fs::remove_file(&link)
            .and_then(|()| symlink(target, &link))
            .map_err(|error| failure(&link, &error))?;
    }
    for name in ["lineshaft", "gearmand", "gearman", "gearadmin"] {
        for (shell, file) in
            [("bash", name.to_owned()), ("zsh", format!("_{name}")), ("fish", format!("{name}.fish"))]
        {
            let script = read(workspace.command(&program).args(["completions", shell, "--program", name]))?;
            write(&parts.join(shell).join(file), script.as_bytes())?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::File::create(path))
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| failure(path, &error))
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
