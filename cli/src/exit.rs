//! How the programs end.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use lineshaft::error::{Error, ErrorKind};
use lineshaft::store::{StoreError, StoreErrorKind};

/// How a command ended; the number is the exit code of `lineshaft`'s own subcommands.
///
/// Under the names `gearmand`, `gearman` and `gearadmin` there are only 0 and 1, as in those programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well. Also where whoever reads our output has gone away.
    Done = 0,
    /// A job failed, or its worker raised an exception.
    JobFailed = 1,
    /// The command line, a configuration file or an argument cannot be used.
    Usage = 2,
    /// No server could be reached, or the connection was lost.
    Unreachable = 3,
    /// The time given with `--timeout` has passed.
    Timeout = 4,
    /// The server answered with an error.
    Refused = 5,
    /// Something on this machine is in the way: a file, a port, a right.
    System = 6,
}

impl Exit {
    /// Every row of the table, for the help.
    pub(crate) const ALL: [(Self, &'static str); 7] = [
        (Self::Done, "success (also when the reader of the output has gone away)"),
        (Self::JobFailed, "a job failed or raised an exception"),
        (Self::Usage, "the command line, a file or an argument cannot be used"),
        (Self::Unreachable, "no server could be reached, or the connection was lost"),
        (Self::Timeout, "the time given with --timeout has passed"),
        (Self::Refused, "the server answered with an error"),
        (Self::System, "something on this machine is in the way: a file, a port, a right"),
    ];

    /// The exit code of one of `lineshaft`'s own subcommands.
    pub(crate) fn own(self) -> ExitCode {
        ExitCode::from(self as u8)
    }

    /// The exit code under the name of another program: 0 or 1.
    pub(crate) fn classic(self) -> ExitCode {
        ExitCode::from(u8::from(self != Self::Done))
    }
}

/// Why a command did not succeed: how it ends, and one line for people. The line is empty where all has been said.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What to print on the standard error; empty for nothing.
    pub(crate) text: String,
}

impl Failure {
    /// Says why, behind the name of the program.
    pub(crate) fn print(&self, program: &str) {
        if !self.text.is_empty() {
            say(format_args!("{program}: {}", self.text));
        }
    }

    /// Ends with `exit` and says `text`.
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// Something on this machine is in the way.
    pub(crate) fn system(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::new(Exit::System, format!("{what}: {}", reason(error)))
    }
}

/// Prints a line on the standard error. Whoever does not want to read it need not.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// What the operating system says, without Rust's number behind it.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::WorkFail | ErrorKind::WorkException => Exit::JobFailed,
            ErrorKind::Timeout => Exit::Timeout,
            ErrorKind::InvalidArgument | ErrorKind::InvalidFunctionName | ErrorKind::ArgumentTooLarge => {
                Exit::Usage
            }
            ErrorKind::Closed
            | ErrorKind::Io
            | ErrorKind::Resolve
            | ErrorKind::NoServers
            | ErrorKind::LostConnection
            | ErrorKind::NotConnected
            | ErrorKind::CouldNotConnect => Exit::Unreachable,
            _ => Exit::Refused,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error.kind() {
            StoreErrorKind::Settings => Exit::Usage,
            StoreErrorKind::Unavailable => Exit::Unreachable,
            _ => Exit::System,
        };
        Self::new(exit, error.to_string())
    }
}

/// A failure to write our output: success where its reader has gone away.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Done, ""),
            _ => Self::system("cannot write the output", &error),
        }
    }
}

impl From<crate::options::Refusal> for Failure {
    fn from(refusal: crate::options::Refusal) -> Self {
        Self::new(Exit::Usage, refusal.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_in_order() {
        for (at, (exit, _)) in Exit::ALL.iter().enumerate() {
            assert_eq!(*exit as usize, at);
        }
    }

    #[test]
    fn a_reader_that_has_gone_away_is_no_failure() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit, Exit::Done);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit, Exit::System);
    }

    #[test]
    fn the_operating_system_speaks_without_numbers() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
    }
}
