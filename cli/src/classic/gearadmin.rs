//! `gearadmin`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::ExitCode;

use bytes::Bytes;
use lineshaft::blocking::Admin;
use lineshaft::client::admin::AdminOptions;
use lineshaft::error::{Error, ErrorKind};

use crate::exit::{Exit, Failure, say};
use crate::options::parse::{Place, Rules, parse};
use crate::options::{Given, Refusal, gearadmin, help, refuse};
use crate::tls::TlsOptions;
use crate::{places, surroundings};

/// The actions in the order in which they are done, whatever the order on the command line, with the command of each. An
/// option with a value has it behind the command.
const ACTIONS: [(&str, &str); 11] = [
    ("getpid", "getpid"),
    ("create-function", "create function "),
    ("drop-function", "drop function "),
    ("show-jobs", "show jobs"),
    ("show-unique-jobs", "show unique jobs"),
    ("cancel-job", "cancel job "),
    ("server-verbose", "verbose"),
    ("server-version", "version"),
    ("workers", "workers"),
    ("priority-status", "prioritystatus"),
    ("status", "status"),
];

/// Runs gearadmin.
pub(crate) fn main(name: &str, words: &[OsString]) -> ExitCode {
    match run(name, words) {
        Ok(exit) => exit.classic(),
        Err(failure) => {
            failure.print("Error");
            failure.exit.classic()
        }
    }
}

fn run(name: &str, words: &[OsString]) -> Result<Exit, Failure> {
    let rules = Rules { abbreviations: true, stray_words: true, place: Place::CommandLine, helpful: false };
    let given = match parse(&gearadmin::all(), words, &rules) {
        Ok(given) => given,
        Err(Refusal(why)) => return misused(&format!("{name} : {why}")),
    };
    let value = |name: &str| given.iter().find(|given| given.name == name);
    if value("help").is_some() {
        writeln!(io::stdout(), "{}", help::render(&gearadmin::all()))?;
        return Ok(Exit::Done);
    }
    let text = |name: &str, default: &str| match value(name) {
        Some(Given { value: Some(value), .. }) => value.clone(),
        _ => default.into(),
    };
    let server = places::server(&text("host", "localhost"), &text("port", ""))?;
    let commands: Result<Vec<String>, Refusal> =
        ACTIONS.iter().filter_map(|(name, command)| value(name).map(|given| line(command, given))).collect();
    let commands = commands?;
    if commands.is_empty() {
        return misused("No option execution operation given.");
    }
    let tls = TlsOptions::switched(value("ssl").is_some()).client(&surroundings::variable)?;
    let mut admin = Admin::with_options(server, AdminOptions { tls, ..AdminOptions::default() })?;
    let mut exit = Exit::Done;
    for command in commands {
        match admin.command(&command) {
            Ok(lines) => print(&lines, command.as_str())?,
            Err(error) if is_answer(&error) => {
                exit = Exit::Refused;
                say(format_args!("Error: {}", error.detail()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

/// The help goes to the standard output even then.
fn misused(why: &str) -> Result<Exit, Failure> {
    writeln!(io::stdout(), "{why}\n\n{}", help::render(&gearadmin::all()))?;
    Ok(Exit::Usage)
}

fn line(command: &str, given: &Given) -> Result<String, Refusal> {
    let Some(value) = given.value.as_deref() else { return Ok(command.to_owned()) };
    match OsStr::to_str(value) {
        Some(value) => Ok(format!("{command}{value}")),
        None => refuse(format!("'{}' is not UTF-8 and cannot stand in a text command", value.display())),
    }
}

/// An `ERR` line of the server, in contrast to trouble on the way.
fn is_answer(error: &Error) -> bool {
    use ErrorKind::{InvalidArgument, InvalidCommand, JobNotFound, Server};
    matches!(error.kind(), JobNotFound | InvalidCommand | InvalidArgument | Server)
}

/// A list with the dot behind it, or what follows an OK.
fn print(lines: &[Bytes], command: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let is_list = command.starts_with("show ") || ["status", "prioritystatus", "workers"].contains(&command);
    for line in lines {
        let line = if is_list { line } else { line.strip_prefix(b"OK ").unwrap_or(line) };
        stdout.write_all(line)?;
        stdout.write_all(b"\n")?;
    }
    if is_list {
        stdout.write_all(b".\n")?;
    }
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_an_option_and_takes_a_value_where_its_command_does() {
        for (name, command) in ACTIONS {
            let flag = gearadmin::all().into_iter().find(|flag| flag.long == name).unwrap();
            assert_eq!(flag.takes == crate::options::Takes::Nothing, !command.ends_with(' '), "{name}");
        }
    }
}
