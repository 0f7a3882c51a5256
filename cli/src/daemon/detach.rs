//! Running in the background, without `fork` and so without `unsafe`: the program starts itself again, and the first one
//! stays until the second one listens.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use nix::unistd;

use crate::exit::Failure;
use crate::surroundings;

/// Holds the id of the process that waits; a process with another parent takes no notice of it.
pub(crate) const MARK: &str = "LINESHAFT_DETACHED_BY";
/// What the second process says when it is ready.
const READY: &[u8] = b"ready\n";

/// The second process, until it is ready.
#[derive(Debug)]
pub(crate) struct Detached(());

impl Detached {
    /// Leaves the terminal; `None` in a process that has not been started by [`start_again`].
    pub(crate) fn enter() -> Result<Option<Self>, Failure> {
        let parent = surroundings::variable(MARK).and_then(|id| id.to_str()?.parse::<i32>().ok());
        if parent != Some(unistd::getppid().as_raw()) {
            return Ok(None);
        }
        unistd::setsid().map_err(|error| Failure::system("cannot leave the terminal", &error.into()))?;
        Ok(Some(Self(())))
    }

    /// Lets the first process end with success, and closes what connects to the terminal.
    pub(crate) fn ready(self) -> io::Result<()> {
        let mut stdout = io::stdout();
        // The first process may have been killed meanwhile; the service runs on.
        let _ = stdout.write_all(READY).and_then(|()| stdout.flush());
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        unistd::dup2_stdin(&null)?;
        unistd::dup2_stdout(&null)?;
        unistd::dup2_stderr(&null)?;
        Ok(())
    }
}

/// Starts this program again with the same words, in the background. Returns when it is ready (0), or has ended (1); what
/// it says until then stands on our standard error.
pub(crate) fn start_again() -> Result<ExitCode, Failure> {
    let problem = |error: io::Error| Failure::system("cannot start in the background", &error);
    let mut words = std::env::args_os();
    let mut command = Command::new(std::env::current_exe().map_err(problem)?);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words).env(MARK, std::process::id().to_string());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(problem)?;
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(READY.len() as u64).read_to_end(&mut said).map_err(problem)?;
    }
    if said == READY {
        return Ok(ExitCode::SUCCESS);
    }
    child.wait().map_err(problem)?;
    Ok(ExitCode::FAILURE)
}
