//! The Python package: its wheel, and its suite on every interpreter that is there. Nothing is fetched where all is there.

use crate::run::{Failure, Workspace, must, read, step, works};
use crate::tally::Tally;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What builds the wheel, and what the suite needs beside it, from PyPI.
const BUILDER: &str = "maturin==1.16.0";
const SUITE: [&str; 2] = ["pytest>=8,<10", "gear==0.16.0"];
/// Checks types and stubs, on the interpreter that builds.
const TYPES: &str = "mypy==2.4.1";
/// Who is measured beside, and how it is reached.
const RIVALS: [&str; 4] = ["gear==0.16.0", "gearman3==0.2.1", "rq==3.0.0", "redis==8.1.0"];

/// The interpreters that are looked for, beside those of pyenv: the wheel is for all of them.
const VERSIONS: [&str; 7] =
    ["python3.11", "python3.9", "python3.10", "python3.12", "python3.13", "python3.14", "python3.15"];

/// Builds the wheel and runs the suite against it, installed, on every interpreter.
pub(crate) fn test(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    let found = interpreters(workspace)?;
    let wheel = wheel(workspace, &found[0])?;
    let mut ready = Vec::new();
    for (number, interpreter) in found.iter().enumerate() {
        let types = if number == 0 { &[TYPES][..] } else { &[] };
        ready.push(environment(workspace, interpreter, &wheel, &[&SUITE[..], types].concat())?);
    }
    step("types and stubs of the Python package");
    let package = || {
        let mut command = workspace.command(&ready[0]);
        // Away from the sources: what is checked is what is installed.
        command.current_dir(&workspace.target).arg("-m");
        command
    };
    must(package().args(["mypy", "--strict", "--package", "lineshaft"]))?;
    must(package().args(["mypy.stubtest", "lineshaft._native"]))?;
    step(&format!("the Python suite on {} interpreters", ready.len()));
    let suite = |python: &PathBuf| {
        let mut command = workspace.command(python);
        command.current_dir(workspace.root.join("bindings-python/tests"));
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        command
    };
    // They wait more than they compute.
    let results: Vec<Result<Tally, Failure>> = std::thread::scope(|scope| {
        let run = |python| {
            let mut command = suite(python);
            scope.spawn(move || {
                let mut tally = Tally::default();
                tally.count(&mut command).map(|()| tally)
            })
        };
        let threads: Vec<_> = ready.iter().map(run).collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.unwrap_or_else(|_| Err(Failure::new("a suite's thread has panicked"))))
            .collect()
    });
    for result in results {
        tally.add(result?);
    }
    Ok(())
}

/// The package beside its rivals.
pub(crate) fn bench(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    let interpreter = interpreters(workspace)?.swap_remove(0);
    let wheel = wheel(workspace, &interpreter)?;
    let python = environment(workspace, &interpreter, &wheel, &[&SUITE[..], &[TYPES]].concat())?;
    must(workspace.command(&python).args(["-m", "pip", "install", "--quiet"]).args(RIVALS))?;
    step("the Python package beside its rivals");
    must(workspace.command(&python).arg("bindings-python/benches/compare.py").args(words))
}

/// Every interpreter that works, one a version; the first one builds.
fn interpreters(workspace: &Workspace) -> Result<Vec<PathBuf>, Failure> {
    let mut candidates: Vec<PathBuf> = VERSIONS.iter().map(PathBuf::from).collect();
    // The commands that pyenv puts in front work for the chosen version only.
    if let Ok(list) =
        read(workspace.command("pyenv").args(["versions", "--bare"]).stderr(std::process::Stdio::null()))
    {
        for version in list.lines() {
            let prefix = read(workspace.command("pyenv").args(["prefix", version.trim()]))?;
            candidates.push(Path::new(prefix.trim()).join("bin/python"));
        }
    }
    candidates.push("python3".into());
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for candidate in candidates {
        let probe = "import ensurepip, venv, sys; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < (3, 9))";
        let answer = workspace.command(&candidate).args(["-c", probe]).output();
        let Ok(answer) = answer else { continue };
        let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        if answer.status.success() && found.iter().all(|(known, _)| *known != version) {
            found.push((version, candidate));
        }
    }
    if found.is_empty() {
        return Err(Failure::new("the Python package needs CPython 3.9 or later with its venv module"));
    }
    found.sort_by_key(|(version, _)| version != "3.11");
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Builds the wheel with the workspace's lock and cargo's own folder.
fn wheel(workspace: &Workspace, interpreter: &Path) -> Result<PathBuf, Failure> {
    let builder = workspace.target.join("python/build");
    let python = installed(workspace, interpreter, &builder, &[BUILDER])?;
    let wheels = workspace.target.join("python/wheels");
    step("build the wheel");
    // Only what is built now is to be found.
    let _ = std::fs::remove_dir_all(&wheels);
    let mut build = workspace.command(&python);
    build.args(["-m", "maturin", "build", "--quiet", "--locked", "--profile", "quick"]);
    build.args(["--manifest-path", "bindings-python/Cargo.toml", "--out"]).arg(&wheels);
    // Its own, whatever cargo has set for this program.
    must(build.env("CARGO_TARGET_DIR", &workspace.target))?;
    let files =
        std::fs::read_dir(&wheels).map_err(|error| Failure::new(format!("{}: {error}", wheels.display())))?;
    let wheel =
        files.flatten().map(|file| file.path()).find(|path| path.extension().is_some_and(|it| it == "whl"));
    let wheel = wheel.ok_or_else(|| Failure::new("maturin has left no wheel"))?;
    if wheel.to_string_lossy().contains("-cp39-abi3-") {
        Ok(wheel)
    } else {
        Err(Failure::new(format!("{} is not for cp39-abi3", wheel.display())))
    }
}

/// A virtual environment with the wheel and these packages; its interpreter.
fn environment(
    workspace: &Workspace,
    interpreter: &Path,
    wheel: &Path,
    packages: &[&str],
) -> Result<PathBuf, Failure> {
    let version = read(
        workspace.command(interpreter).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]),
    )?;
    let folder = workspace.target.join("python").join(version.trim());
    let python = installed(workspace, interpreter, &folder, packages)?;
    must(pip(workspace, &python).args(["--force-reinstall", "--no-deps"]).arg(wheel))?;
    Ok(python)
}

/// The interpreter of a virtual environment that has these packages, made where it is missing or has others.
fn installed(
    workspace: &Workspace,
    interpreter: &Path,
    folder: &Path,
    packages: &[&str],
) -> Result<PathBuf, Failure> {
    let (stamp, python) = (folder.join("installed"), folder.join("bin/python"));
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted)
        && works(workspace.command(&python).arg("--version"))
    {
        return Ok(python);
    }
    step(&format!("install {} into {}", packages.join(", "), folder.display()));
    must(workspace.command(interpreter).args(["-m", "venv", "--clear"]).arg(folder))?;
    must(pip(workspace, &python).args(packages))?;
    std::fs::write(&stamp, wanted).map_err(|error| Failure::new(format!("{}: {error}", stamp.display())))?;
    Ok(python)
}

fn pip(workspace: &Workspace, python: &Path) -> Command {
    let mut command = workspace.command(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command
}
