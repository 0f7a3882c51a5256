//! `cargo xtask deb`: the Debian packages.

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

/// The packages of one profile.
#[derive(Debug)]
pub(crate) struct Packages {
    /// The job server and the tools.
    pub(crate) lineshaft: PathBuf,
    /// What takes the place of libgearman8.
    pub(crate) library: PathBuf,
}

/// Builds the programs and the packages of a profile; release where `words` name none.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    let profile = match words {
        [] => "release",
        [option, profile] if option == "--profile" => profile,
        _ => return Err(Failure::new("deb takes --profile NAME, or nothing")),
    };
    let Packages { lineshaft, library } = build(workspace, profile)?;
    eprintln!("{}\n{}", lineshaft.display(), library.display());
    Ok(())
}

/// Builds the programs and the packages.
pub(crate) fn build(workspace: &Workspace, profile: &str) -> Result<Packages, Failure> {
    workspace.build_daemon(profile)?;
    step(&format!("build libgearman ({profile})"));
    must(workspace.cargo("build --package lineshaft-ffi --profile").arg(profile))?;
    let folder = workspace.target.join(if profile == "dev" { "debug" } else { profile });
    parts(workspace, &folder)?;
    let lineshaft = package(workspace, "lineshaft-cli", profile)?;
    let library = package(workspace, "lineshaft-ffi", profile)?;
    Ok(Packages { lineshaft, library })
}

/// The file of the Debian package that the crate `name` becomes.
fn package(workspace: &Workspace, name: &str, profile: &str) -> Result<PathBuf, Failure> {
    let tool = tool(workspace)?;
    step(&format!("make the Debian package of {name} ({profile})"));
    let mut command = workspace.command(env!("CARGO"));
    let path = std::env::join_paths([tool].into_iter().chain(std::env::split_paths(&path())));
    command.env("PATH", path.map_err(|error| Failure::new(error.to_string()))?);
    command.args(["deb", "--no-build", "--package", name, "--profile", profile]);
    if name == "lineshaft-ffi" {
        // Beside a library for another kind of processor.
        command.args(["--multiarch", "same"]);
    }
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

/// The library's file, and the name that programs look for.
const LIBRARY: [&str; 2] = ["libgearman.so.8.0.0", "libgearman.so.8"];

/// Library, links, manual pages and completions, in `package` beside the program.
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
        link(target, &parts.join("bin").join(name))?;
    }
    let [file, name] = LIBRARY.map(|name| parts.join("lib").join(name));
    link(LIBRARY[0], &name)?;
    fs::copy(folder.join("libgearman.so"), &file).map_err(|error| failure(&file, &error))?;
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

fn link(target: &str, path: &Path) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    let made = fs::create_dir_all(folder).and_then(|()| symlink(target, path));
    made.map_err(|error| failure(path, &error))
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
