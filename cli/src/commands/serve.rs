//! `lineshaft serve`: the options of gearmand as clap sees them.

use std::process::ExitCode;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::daemon;
use crate::exit::Failure;
use crate::options::choices::{Choices, Program, Sources};
use crate::options::parse::check;
use crate::options::{Flag, Given, Source, Takes, arguments, gearmand};

/// What the command line of `lineshaft serve` or `lineshaft config` says.
#[derive(Clone, Debug)]
pub(super) struct Serve {
    given: Vec<Given>,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        daemon::run(Sources { program: Program::Serve, given: self.given })
    }

    /// All settings of the server, as it would be started by that name.
    pub(super) fn choices(self, program: Program) -> Result<Choices, Failure> {
        Ok(Sources { program, given: self.given }.resolve()?)
    }
}

/// What clap does on its own, and what is of no use without gearmand's name.
const LEFT_OUT: [&str; 3] = ["help", "version", "check-args"];

fn flags() -> impl Iterator<Item = &'static Flag> {
    gearmand::on_command_line().into_iter().filter(|flag| !LEFT_OUT.contains(&flag.long))
}

impl Args for Serve {
    fn augment_args(command: Command) -> Command {
        command.args(flags().map(arguments::of_serve))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Serve {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for flag in flags() {
            let value = match flag.takes {
                Takes::Nothing if matches.get_flag(flag.long) => None,
                Takes::Nothing => continue,
                _ => match matches.get_one::<std::ffi::OsString>(flag.long) {
                    Some(value) => Some(value.clone()),
                    None => continue,
                },
            };
            let one = Given { name: flag.long, value, source: Source::CommandLine };
            check(flag, &one).map_err(|why| {
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{why}\n"))
            })?;
            given.push(one);
        }
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
