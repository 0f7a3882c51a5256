//! Running other programs, with errors that name what was run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command of ours stopped.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where things are.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder with the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// From where this program lies and was built.
    pub(crate) fn find() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let exe = std::env::current_exe().map_err(|error| Failure::new(format!("own path: {error}")))?;
        // target/<profile>/xtask
        match (root, exe.ancestors().nth(2)) {
            (Some(root), Some(target)) => Ok(Self { root: root.into(), target: target.into() }),
            _ => Err(Failure::new(format!("{} is not inside a target folder", exe.display()))),
        }
    }

    /// The daemon of a profile: release, quick, ...
    pub(crate) fn daemon(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("lineshaft")
    }

    /// `program`, to be run at the root, without a standard input.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Cargo, with words separated by spaces.
    pub(crate) fn cargo(&self, words: &str) -> Command {
        let mut command = self.command(env!("CARGO"));
        command.args(words.split_whitespace());
        command
    }

    /// Builds the C library, for programs that are linked with Debian's.
    pub(crate) fn build_libgearman(&self) -> Result<(), Failure> {
        step("build libgearman");
        must(&mut self.cargo("build --package lineshaft-ffi"))
    }

    /// Builds the daemon and the tools.
    pub(crate) fn build_daemon(&self, profile: &str) -> Result<(), Failure> {
        step(&format!("build the daemon ({profile})"));
        must(self.cargo("build --package lineshaft-cli --profile").arg(profile))
    }
}

/// Says what comes next.
pub(crate) fn step(what: &str) {
    eprintln!("==> {what}");
}

/// Runs `command` with its output shown; an error where it cannot be started or does not succeed.
pub(crate) fn must(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("{} ended with {status}", shown(command))))
    }
}

/// True where `command` can be started and succeeds; its output is not shown.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What `command` prints on its standard output; an error as in [`must`].
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(Failure::new(format!("{} ended with {}", shown(command), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The error for a program that cannot be started.
pub(crate) fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot start {}: {error}", shown(command)))
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
