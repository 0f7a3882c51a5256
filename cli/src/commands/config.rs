//! `lineshaft config`: what holds, and why.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::serve::Serve;
use crate::daemon::settings::Settings;
use crate::exit::{Exit, Failure, say};
use crate::options::choices::Program;
use crate::options::variables::strangers;
use crate::options::{Source, Takes};
use crate::render::{Align, Table};
use crate::surroundings;

/// The settings, for the options that follow.
#[derive(Args, Debug)]
pub(super) struct Config {
    /// As which program the server is started; it decides the defaults and the configuration file.
    #[arg(long, value_enum, default_value_t = As::Serve)]
    program: As,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Only say whether the server would start with them: exit code 2, and what is wrong with which line, where it would not.
    #[arg(long, conflicts_with = "json")]
    check: bool,
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
        let settings = Settings::read(&choices)?;
        for stranger in strangers(surroundings::variables()) {
            say(format_args!("lineshaft: {stranger}"));
        }
        if self.check {
            if let Some(tls) = &settings.tls {
                tls.check().map_err(|error| Failure::new(Exit::Usage, error.detail()))?;
            }
            match choices.file() {
                Some(file) => writeln!(io::stdout(), "{}: the settings are good", file.display())?,
                None => writeln!(io::stdout(), "no configuration file: the settings are good")?,
            }
            return Ok(Exit::Done.own());
        }
        let mut table =
            Table::new(&[("setting", Align::Left), ("value", Align::Left), ("from", Align::Left)]);
        for (flag, given) in choices.all() {
            let value = match (flag.takes, given) {
                (Takes::Nothing, _) => if choices.is_set(flag.long) { "yes" } else { "no" }.to_owned(),
                (_, Some(given)) => {
                    let value = given.value.as_ref().map(|value| value.display().to_string());
                    let value = value.unwrap_or_default();
                    if may_hold_a_password(flag.long, &value) { "(not shown)".to_owned() } else { value }
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

/// Options of databases: a password alone, the address of a store, and a connection string in either of its forms.
fn may_hold_a_password(name: &str, value: &str) -> bool {
    match name {
        "store" | "libpq-conninfo" => value.contains('@') || value.contains("password"),
        _ => name.ends_with("-password"),
    }
}

#[cfg(test)]
mod tests {
    use super::may_hold_a_password;

    #[test]
    fn passwords_are_not_shown() {
        for (name, value) in [
            ("redis-password", "x"),
            ("store", "mysql://u:x@h/d"),
            ("store", "redis:///run/redis.sock?password=x"),
            ("libpq-conninfo", "host=h password=x"),
            ("libpq-conninfo", "postgres://u:x@h/d"),
        ] {
            assert!(may_hold_a_password(name, value), "{name} {value}");
        }
        for (name, value) in [("store", "log"), ("libpq-conninfo", "host=h"), ("mysql-user", "a@b")] {
            assert!(!may_hold_a_password(name, value), "{name} {value}");
        }
    }
}
