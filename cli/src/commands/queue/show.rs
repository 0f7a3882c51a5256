//! What is in a queue.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::PLACE;
use super::jobs::Filter;
use super::json::word;
use super::place::Place;
use crate::exit::{Exit, Failure};
use crate::render::Align::{Left, Right};
use crate::render::Table;

#[derive(Args, Debug)]
pub(in crate::commands) struct Verify {
    #[arg(value_name = "STORE", help = PLACE)]
    place: OsString,
}

impl Verify {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let place = Place::read(&self.place)?;
        let jobs = place.load(&Filter::default())?;
        let (shown, sums, highest) = (place.shown(), jobs.sums()?, jobs.highest());
        writeln!(io::stdout(), "{shown}: {sums}, numbers up to {highest}")?;
        Ok(if jobs.damaged { Exit::System } else { Exit::Done }.own())
    }
}

#[derive(Args, Debug)]
pub(in crate::commands) struct List {
    #[arg(value_name = "STORE", help = PLACE)]
    place: OsString,
    #[command(flatten)]
    filter: Filter,
    /// So many jobs at the most, those with the lowest numbers.
    #[arg(short = 'n', long, value_name = "JOBS")]
    limit: Option<usize>,
    /// Print JSON. `lineshaft queue export` prints workloads as well.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let jobs = Place::read(&self.place)?.load(&self.filter)?;
        let mut table = Table::new(&[
            ("number", Right),
            ("function", Left),
            ("unique", Left),
            ("priority", Left),
            ("due", Left),
            ("returns", Right),
            ("schedule", Right),
            ("cron", Left),
            ("bytes", Right),
        ]);
        for job in jobs.iter().take(self.limit.unwrap_or(usize::MAX)) {
            let job = job?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            table.row([
                job.number.to_string(),
                text(job.function),
                text(job.unique),
                word(job.priority).into(),
                moment(job.due),
                job.returns.to_string(),
                if job.schedule == 0 { String::new() } else { job.schedule.to_string() },
                job.cron.map(text).unwrap_or_default().replace('\0', " "),
                job.workload.len().to_string(),
            ]);
        }
        table.print(self.json, &mut io::stdout().lock())?;
        Ok(Exit::Done.own())
    }
}

/// A Unix second as a date; nothing where it may run at once, and the second where no calendar has it.
fn moment(second: u64) -> String {
    let time = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
    match (second, time) {
        (0, _) => String::new(),
        (_, Some(time)) => time.to_string(),
        (_, None) => second.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_where_there_are_such() {
        assert_eq!(moment(0), "");
        assert_eq!(moment(4_000_000_000), "2096-10-02T07:06:40Z");
        assert_eq!(moment(u64::MAX), u64::MAX.to_string());
    }
}
