//! The options of the tables as clap sees them: for `lineshaft serve`, and for the completions and manual pages of every program.

use clap::{Arg, ArgAction, Command};

use super::choices::variable;
use super::{Flag, Standing, Takes, gearadmin, gearman, gearmand};

/// An option of `lineshaft serve`, with its default there and its variable.
pub(crate) fn of_serve(flag: &'static Flag) -> Arg {
    let help = help(flag, flag.serve_default.unwrap_or(flag.default));
    argument(flag).long_help(format!("{help} [env: {}]", variable(flag))).help(help)
}

/// What the program `name` takes under its own name; `None` where it has no table.
pub(crate) fn of_program(name: &'static str) -> Option<Command> {
    let (flags, command) = match name {
        "gearmand" => (gearmand::on_command_line(), Command::new(name).override_usage("gearmand [OPTIONS]")),
        "gearadmin" => (gearadmin::all(), Command::new(name).override_usage("gearadmin [OPTIONS]")),
        "gearman" => {
            let words = Arg::new("data")
                .num_args(0..)
                .help("The workload, or the worker's command with its arguments.");
            let usage = "gearman [OPTIONS] [<data>]\n       gearman -w [OPTIONS] [<command> [<args> ...]]";
            (gearman::by_letter(), Command::new(name).override_usage(usage).arg(words))
        }
        _ => return None,
    };
    let seen = flags.into_iter().filter(|flag| flag.standing == Standing::Works);
    let arguments = seen.map(|flag| argument(flag).help(help(flag, flag.default)));
    Some(command.disable_help_flag(true).disable_version_flag(true).args(arguments))
}

fn help(flag: &Flag, default: Option<&str>) -> String {
    match default {
        Some(default) => format!("{} [default: {default}]", flag.help),
        None => flag.help.to_owned(),
    }
}

fn argument(flag: &'static Flag) -> Arg {
    let argument = match flag.long {
        "" => Arg::new(flag.name()),
        long => Arg::new(long).long(long),
    };
    let argument = argument.help_heading(flag.group).hide(flag.standing != Standing::Works);
    let argument = match flag.short {
        Some(letter) => argument.short(letter),
        None => argument,
    };
    match flag.takes {
        Takes::Nothing => argument.action(ArgAction::SetTrue),
        Takes::Text(name) | Takes::Number { name, .. } => argument
            .value_name(name)
            .value_hint(hint(name))
            .allow_hyphen_values(matches!(flag.takes, Takes::Number { .. }))
            .value_parser(clap::value_parser!(std::ffi::OsString)),
    }
}

/// What a shell may offer for a value of that name.
fn hint(name: &str) -> clap::ValueHint {
    match name {
        "FILE" | "PATH" | "pidfile" => clap::ValueHint::FilePath,
        "FOLDER" => clap::ValueHint::DirPath,
        "HOST" | "host" => clap::ValueHint::Hostname,
        _ => clap::ValueHint::Unknown,
    }
}
