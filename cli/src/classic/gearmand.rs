//! `gearmand`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::daemon;
use crate::exit::{Exit, Failure};
use crate::options::choices::{Program, Sources};
use crate::options::parse::{Rules, parse};
use crate::options::{gearmand, help};

/// Runs gearmand until it is told to stop.
pub(crate) fn main(name: &str, words: &[OsString]) -> ExitCode {
    match run(words) {
        Ok(code) => code,
        Err(failure) => {
            failure.print(name);
            failure.exit.classic()
        }
    }
}

fn run(words: &[OsString]) -> Result<ExitCode, Failure> {
    let flags = gearmand::on_command_line();
    let given = parse(&flags, words, &Rules::GEARMAND)?;
    let asked = |name: &str| given.iter().any(|given| given.name == name);
    if asked("help") {
        write!(io::stdout(), "Allowed options:\n\n{}", help::render(&flags))?;
        return Ok(ExitCode::SUCCESS);
    }
    if asked("version") {
        writeln!(
            io::stdout(),
            "\ngearmand {} - Lineshaft, the Gearman job system",
            env!("CARGO_PKG_VERSION")
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let only_check = asked("check-args");
    let sources = Sources { program: Program::Gearmand, given };
    if only_check {
        daemon::settings::Settings::read(&sources.resolve()?)?;
        return Ok(Exit::Done.classic());
    }
    daemon::run(sources)
}
