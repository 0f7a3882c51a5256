//! `lineshaft config`: what holds, and why.

use std::io;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::serve::Serve;
use crate::daemon::settings::Settings;
use crate::exit::{Exit, Failure};
use crate::options::choices::Program;
use crate::options::{Source, Takes};
use crate::render::{Align, Table};

/// The settings, for the options that follow.
#[derive(Args, Debug)]
pub(super) struct Config {
    /// As which program the server is started; it decides the defaults and the configuration file.
    #[arg(long, value_enum, default_value_t = As::Serve)]
    program: As,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    Serve,
    Gearmand,
}

impl Config {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let program = match self.program {
            As::Serve => Program::Serve,
            As::Gearmand => Program::Gearmand,
        };
        let choices = self.serve.choices(program)?;
        // What the server would refuse to start with is refused here as well.
        Settings::read(&choices)?;
        let mut table =
            Table::new(&[("setting", Align::Left), ("value", Align::Left), ("from", Align::Left)]);
        for (flag, given) in choices.all() {
            let value = match (flag.takes, given) {
                (Takes::Nothing, given) => if given.is_some() { "yes" } else { "no" }.to_owned(),
                (_, Some(_)) if flag.long.ends_with("-password") => "(not shown)".to_owned(),
                (_, Some(given)) => {
                    given.value.as_ref().map_or_else(String::new, |value| value.display().to_string())
                }
                (_, None) => String::new(),
            };
            let source = given.map_or(Source::Default, |given| given.source.clone());
            table.row([flag.long.to_owned(), value, source.to_string()]);
        }
        table.print(self.json, &mut io::stdout())?;
        Ok(Exit::Done.own())
    }
}
