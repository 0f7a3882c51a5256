//! `lineshaft top`: functions, workers, the store and alarms of a server, again and again.

mod answers;
mod frame;
mod json;
mod sample;
mod screen;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Connection, admin, seconds};
use crate::exit::{Exit, Failure, say};
use crate::surroundings;
use sample::{Sample, Watch};

/// The shortest time between two looks: a server has better things to do than to be looked at.
const SHORTEST: Duration = Duration::from_millis(100);

#[derive(Args, Debug)]
pub(super) struct Top {
    /// Seconds between two looks, at least 0.1.
    #[arg(short, long, value_name = "SECONDS", value_parser = interval, default_value = "2")]
    interval: Duration,
    /// Look once, print, and end; there are no rates then.
    #[arg(long)]
    once: bool,
    /// Print one JSON object a line for each look.
    #[arg(long)]
    json: bool,
    /// What functions are sorted by.
    #[arg(short = 'o', long, value_enum, default_value_t = Sort::Queued)]
    sort: Sort,
    #[command(flatten)]
    connection: Connection,
}

/// The columns that functions can be sorted by: names upwards, numbers downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// The name.
    Name,
    /// Jobs that wait.
    Queued,
    /// Jobs that run.
    Running,
    /// Workers that can do it.
    Workers,
    /// How fast the queue grows.
    Change,
    /// Jobs done a second.
    Done,
    /// The age of the oldest job that waits.
    Oldest,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = seconds(text)?;
    if interval < SHORTEST {
        return Err(format!("at least {} s", SHORTEST.as_secs_f64()));
    }
    Ok(interval)
}

impl Top {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let servers = self.connection.servers()?;
        let mut watch = Watch::new(servers.to_string(), admin::client(&self.connection)?);
        // A server that was never there is a wrong address rather than a lost server.
        let first = watch.look()?;
        if self.json || self.once || !io::stdout().is_terminal() {
            self.print(watch, first)?;
        } else {
            screen::run(watch, first, self.interval, self.sort)?;
        }
        Ok(Exit::Done.own())
    }

    /// For files, pipes and scripts.
    fn print(&self, mut watch: Watch, first: Sample) -> Result<(), Failure> {
        let mut next = Ok(first);
        loop {
            match next {
                Ok(sample) => self.print_one(&sample)?,
                Err(error) => say(format_args!("lineshaft: {error}; trying again")),
            }
            if self.once {
                return Ok(());
            }
            // Time has to pass between two looks; who interrupts it ends the program.
            surroundings::pause(self.interval);
            next = watch.look();
        }
    }

    fn print_one(&self, sample: &Sample) -> io::Result<()> {
        let mut to = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut to, &json::of(sample, self.sort)).map_err(io::Error::from)?;
            writeln!(to)?;
        } else {
            for line in frame::all(sample, self.sort) {
                writeln!(to, "{}", line.text.trim_end())?;
            }
            if !self.once {
                writeln!(to)?;
            }
        }
        to.flush()
    }
}
