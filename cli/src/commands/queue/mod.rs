//! `lineshaft queue`: the jobs in stores that no server has open.

mod copy;
mod jobs;
mod json;
mod lines;
mod memory;
mod place;
mod progress;
mod purge;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use crate::exit::Failure;

const PLACE: &str = "Where jobs are: log:FOLDER, sqlite:FILE[?table=NAME], postgres://..., mysql://..., redis://..., \
                     memcached://..., tokyocabinet:FILE, jsonl:FILE, or - for JSON lines on the standard input or output. A queue \
                     that gearmand has written is read as well";

#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// Copy jobs into a store. Started again after it was interrupted, it goes on where it was.
    Import(copy::Import),
    /// Write jobs as JSON lines, or copy them into a store.
    Export(copy::Export),
    /// Read everything and say how much it is.
    Verify(show::Verify),
    /// List jobs and schedules.
    List(show::List),
    /// Delete jobs and schedules.
    Purge(purge::Purge),
}

impl Queue {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Import(import) => import.run(),
            Self::Export(export) => export.run(),
            Self::Verify(verify) => verify.run(),
            Self::List(list) => list.run(),
            Self::Purge(purge) => purge.run(),
        }
    }
}
