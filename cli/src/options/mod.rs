//! The options of every program as data, and what reads them: one table per program gives its parser, its help text, the
//! names of its environment variables and the arguments of `lineshaft serve`.

pub(crate) mod arguments;
pub(crate) mod choices;
pub(crate) mod config_file;
pub(crate) mod gearadmin;
pub(crate) mod gearman;
pub(crate) mod gearmand;
pub(crate) mod help;
pub(crate) mod nearest;
pub(crate) mod parse;
pub(crate) mod toml_file;
pub(crate) mod variables;

use std::ffi::OsString;
use std::fmt;

/// One option of a program.
#[derive(Debug)]
pub(crate) struct Flag {
    /// The name behind `--`; empty where the program knows only the letter.
    pub(crate) long: &'static str,
    /// The letter behind `-`.
    pub(crate) short: Option<char>,
    /// What follows it.
    pub(crate) takes: Takes,
    /// What holds where nobody says anything; `None` where the help has no value to name.
    pub(crate) default: Option<&'static str>,
    /// The default of `lineshaft serve`, where it is another one.
    pub(crate) serve_default: Option<Option<&'static str>>,
    /// One or two sentences, with unit and range.
    pub(crate) help: &'static str,
    /// The heading it stands under in the help.
    pub(crate) group: &'static str,
    /// Whether it can be used.
    pub(crate) standing: Standing,
    /// SIGHUP applies it to a server that runs.
    pub(crate) live: bool,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// No value: it is there or it is not.
    Nothing,
    /// A word, under this name in the help of our own commands.
    Text(&'static str),
    /// A decimal number from `min` to `max`.
    Number { name: &'static str, min: i64, max: i64 },
}

/// Whether an option can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It works.
    Works,
    /// It works, and the help does not speak of it.
    Hidden,
}

/// A switch, to be completed with the methods below.
pub(crate) const fn flag(long: &'static str, short: char, help: &'static str) -> Flag {
    let short = if short == NO_LETTER { None } else { Some(short) };
    Flag {
        long,
        short,
        takes: Takes::Nothing,
        default: None,
        serve_default: None,
        help,
        group: "General options",
        standing: Standing::Works,
        live: false,
    }
}

/// The value of an option that takes `name=value` pairs, separated by commas; in TOML it may be a table.
pub(crate) const PAIRS: &str = "PAIRS";

/// Stands in a table for "no letter".
pub(crate) const NO_LETTER: char = '\0';

impl Flag {
    const fn text(mut self, name: &'static str) -> Self {
        self.takes = Takes::Text(name);
        self
    }

    const fn number(mut self, name: &'static str, min: i64, max: i64) -> Self {
        self.takes = Takes::Number { name, min, max };
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn at_serve(mut self, default: Option<&'static str>) -> Self {
        self.serve_default = Some(default);
        self
    }

    const fn group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }

    const fn hidden(mut self) -> Self {
        self.standing = Standing::Hidden;
        self
    }

    const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// The name in messages: the long one where there is one.
    pub(crate) fn name(&self) -> String {
        match self.short {
            Some(letter) if self.long.is_empty() => format!("-{letter}"),
            _ => format!("--{}", self.long),
        }
    }
}

/// A value as it was typed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// The long name of the option, or its letter where it has no long one.
    pub(crate) name: &'static str,
    /// The value; `None` for a switch, `no` for one that is switched off where something weaker may switch it on.
    pub(crate) value: Option<OsString>,
    /// Where it was said.
    pub(crate) source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    CommandLine,
    /// This environment variable.
    Environment(String),
    /// This line of this configuration file.
    File {
        /// Its path as it was given.
        path: String,
        /// The line, from 1 on.
        line: usize,
    },
    /// The table.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("flag"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { path, line } => write!(f, "file {path}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Why a command line, a file or a variable is refused: one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

pub(crate) fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(text.into()))
}
