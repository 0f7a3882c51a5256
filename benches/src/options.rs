//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures Lineshaft's daemon and others side by side: CPU per job, rates, latencies, memory.
#[derive(Debug, Parser)]
#[command(name = "side-by-side")]
pub(crate) struct Options {
    /// Lineshaft's binary, run under the name gearmand. Without it only the others are measured
    #[arg(long, value_name = "PATH")]
    pub(crate) server: Option<PathBuf>,

    /// One more argument for Lineshaft's daemon (repeatable)
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) server_arg: Vec<String>,

    /// Whom to compare with, separated by commas
    #[arg(long, value_enum, value_name = "SERVERS", value_delimiter = ',', default_value = "gearmand")]
    pub(crate) against: Vec<Against>,

    /// gearmand's binary [default: where packages put it]
    #[arg(long, value_name = "PATH")]
    pub(crate) gearmand: Option<PathBuf>,

    /// Redis' server [default: where packages put it]
    #[arg(long, value_name = "PATH")]
    pub(crate) redis: Option<PathBuf>,

    /// Where the servers keep their files, each in a folder of its own. The durable lines measure the disk under it
    /// [default: the folder for temporary files; where that is in memory, the one of this program]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,

    /// Only these lines of the tables (see --list), separated by commas
    #[arg(long, value_name = "LINES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Prints the names of all lines and ends
    #[arg(long)]
    pub(crate) list: bool,

    /// How often each line is measured; the median counts
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,

    /// How long each load is applied, in seconds, 0.05 to 60
    #[arg(long, value_name = "SECONDS", default_value_t = 0.7, value_parser = seconds)]
    pub(crate) seconds: f64,

    /// Cores for the server. With more than one, each server is measured with one core and with so many, and the table
    /// shows rates
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) server_cores: u32,

    /// Also measures Lineshaft with 10,000,000 jobs queued, and gearmand's defaults with 1,000,000, which takes minutes
    #[arg(long)]
    pub(crate) deep: bool,

    /// Also writes everything as JSON into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Whom to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Against {
    /// gearmand with its defaults and tuned; with SQLite where jobs are durable
    Gearmand,
    /// Redis, where jobs are durable: appendonly yes, appendfsync always
    Redis,
    /// Nobody
    Nobody,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.05 to 60".into()),
    }
}
