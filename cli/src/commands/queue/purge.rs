//! Deletes jobs.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;

use super::PLACE;
use super::copy::end;
use super::jobs::Filter;
use super::place::Place;
use crate::exit::{Exit, Failure, say};

#[derive(Args, Debug)]
pub(in crate::commands) struct Purge {
    #[arg(value_name = "STORE", help = PLACE)]
    place: OsString,
    #[command(flatten)]
    filter: Filter,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
}

impl Purge {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let place = Place::read(&self.place)?;
        if self.dry_run {
            let sums = place.load(&self.filter)?.sums()?;
            say(format_args!("lineshaft: would delete {sums} from {}", place.shown()));
            return Ok(Exit::Done.own());
        }
        let (jobs, mut store) = place.open(&self.filter)?;
        let (sums, shown) = (jobs.sums()?, place.shown());
        if !self.yes && jobs.len() > 0 && !confirmed(&format!("Delete {sums} from {shown}?"))? {
            say("lineshaft: nothing was deleted");
            return Ok(Exit::Done.own());
        }
        let numbers: Vec<u64> = jobs.numbers().collect();
        end(&numbers, "deleted", &mut *store)?;
        say(format_args!("lineshaft: deleted {sums} from {shown}"));
        Ok(Exit::Done.own())
    }
}

fn confirmed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let text = format!("{question} Nobody is there to ask: give --yes");
        return Err(Failure::new(Exit::Usage, text));
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
