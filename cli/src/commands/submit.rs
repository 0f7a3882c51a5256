//! `lineshaft submit`.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use lineshaft::blocking::{Client, Task};
use lineshaft::client::{Event, Options, Unique};
use lineshaft::protocol::Limits;
use lineshaft::types::{Priority, Progress};

use super::Connection;
use crate::exit::{Exit, Failure};
use crate::input::{fresh_unique, next_line, whole};

/// How the bar of `submit` looks.
const BAR: &str = "{wide_bar} {pos}/{len} {percent:>3}% {eta:>4} left";

/// A job for every word of DATA; without DATA the standard input is the workload.
#[derive(Args, Debug)]
pub(super) struct Submit {
    /// The function that is to be run.
    function: OsString,
    /// Workloads.
    data: Vec<OsString>,
    /// Do not wait for results; print the job's handle.
    #[arg(short, long)]
    background: bool,
    /// Before or after other jobs.
    #[arg(short, long, value_enum, default_value_t = Urgency::Normal)]
    priority: Urgency,
    /// Submissions of one function with the same key are one job as long as that lives. '-' takes the workload as key.
    #[arg(short, long, value_name = "KEY", allow_hyphen_values = true)]
    unique: Option<OsString>,
    /// Submit each line of the standard input, without its line feed, as a job of its own.
    #[arg(short = 'n', long, conflicts_with = "data")]
    lines: bool,
    /// Run at this time: seconds since 1970, or as in 2030-01-31T18:00:00Z. In the background.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<i64>,
    /// Run again and again: minute, hour, day of month, month and day of week, which is 0 for Monday, as in
    /// '*/5 * * * *'. In the background, until cancelled.
    #[arg(long, value_name = "SCHEDULE", conflicts_with = "at")]
    every: Option<String>,
    /// The function that puts the pieces of a map/reduce job together.
    #[arg(long, value_name = "FUNCTION")]
    reducer: Option<OsString>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Urgency {
    High,
    Normal,
    Low,
}

impl From<Urgency> for Priority {
    fn from(urgency: Urgency) -> Self {
        match urgency {
            Urgency::High => Self::High,
            Urgency::Normal => Self::Normal,
            Urgency::Low => Self::Low,
        }
    }
}

fn moment(text: &str) -> Result<i64, String> {
    if let Ok(second) = text.parse() {
        return Ok(second);
    }
    let time: Timestamp = text.parse().map_err(|error| format!("neither seconds nor a time: {error}"))?;
    Ok(time.as_second())
}

impl Submit {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let limits = Limits { max_packet: u32::MAX as usize, ..Limits::default() };
        let mut options = Options { limits, tls: self.connection.tls()?, ..Options::default() };
        if let Some(timeout) = self.connection.timeout(None) {
            options.connect_timeout = timeout.min(options.connect_timeout);
            options.answer_timeout = timeout.min(options.answer_timeout);
            options.task_timeout = Some(timeout);
        }
        let client = Client::with_options(self.connection.servers()?, options)?;
        let mut run = Run { wish: &self, client, exit: Exit::Done };
        let mut input = io::stdin().lock();
        if self.lines {
            while let Some(line) = next_line(&mut input)? {
                run.job(line.strip_suffix(b"\n").unwrap_or(&line))?;
            }
        } else if self.data.is_empty() {
            if io::stdin().is_terminal() {
                writeln!(io::stderr(), "reading the workload from the terminal; end it with Ctrl-D")?;
            }
            run.job(&whole(&mut input as &mut dyn BufRead)?)?;
        } else {
            for data in &self.data {
                run.job(data.as_bytes())?;
            }
        }
        Ok(run.exit.own())
    }
}

struct Run<'a> {
    wish: &'a Submit,
    client: Client,
    exit: Exit,
}

impl Run<'_> {
    fn job(&mut self, workload: &[u8]) -> Result<(), Failure> {
        let wish = self.wish;
        let fresh = fresh_unique();
        let unique = match wish.unique.as_deref().map(OsStrExt::as_bytes) {
            None => Unique::Key(fresh.as_bytes()),
            Some(b"-") => Unique::Workload,
            Some(key) => Unique::Key(key),
        };
        let mut job =
            self.client.job(wish.function.as_bytes(), workload).priority(wish.priority.into()).unique(unique);
        if let Some(second) = wish.at {
            job = job.epoch(second);
        }
        if let Some(line) = &wish.every {
            job = job.schedule(line);
        }
        if let Some(reducer) = &wish.reducer {
            job = job.reduce(reducer.as_bytes());
        }
        if wish.background || wish.at.is_some() || wish.every.is_some() {
            let task = job.background().send()?;
            let mut stdout = io::stdout().lock();
            stdout.write_all(task.handle().as_bytes())?;
            return Ok(stdout.write_all(b"\n")?);
        }
        self.follow(job.send()?)
    }

    /// Prints results on the standard output, everything else on the standard error.
    fn follow(&mut self, task: Task) -> Result<(), Failure> {
        let mut screen = Screen::default();
        let handle = task.handle();
        for event in task {
            match event? {
                Event::Created(_) => {}
                Event::Data(data) | Event::Complete(data) => screen.result(&data)?,
                Event::Status(progress) => screen.progress(progress),
                Event::Warning(data) => screen.complaint("warning", &data)?,
                Event::Exception(data) => {
                    self.exit = Exit::JobFailed;
                    screen.complaint("exception", &data)?;
                }
                Event::Fail => {
                    self.exit = Exit::JobFailed;
                    screen.complaint("the job failed", handle.as_bytes())?;
                }
            }
        }
        Ok(screen.end()?)
    }
}

/// What is shown of a job: its results, and on a terminal a bar for its progress. A terminal shows either a bar or an
/// unfinished line of the result, never both in one line.
#[derive(Default)]
struct Screen {
    bar: Option<ProgressBar>,
    /// The last piece of the result had no line feed.
    open_line: bool,
}

impl Screen {
    fn result(&mut self, data: &[u8]) -> io::Result<()> {
        let Some(last) = data.last() else { return Ok(()) };
        self.open_line = *last != b'\n';
        let mut stdout = io::stdout().lock();
        if stdout.is_terminal() {
            self.remove_bar();
        }
        stdout.write_all(data)?;
        stdout.flush()
    }

    fn complaint(&mut self, what: &str, data: &[u8]) -> io::Result<()> {
        self.remove_bar();
        let mut stderr = io::stderr().lock();
        write!(stderr, "lineshaft: {what}: ")?;
        stderr.write_all(data.strip_suffix(b"\n").unwrap_or(data))?;
        stderr.write_all(b"\n")
    }

    /// Nothing where the standard error is no terminal.
    fn progress(&mut self, progress: Progress) {
        if self.open_line && io::stdout().is_terminal() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            match ProgressStyle::with_template(BAR) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        bar.set_length(progress.denominator.into());
        bar.set_position(progress.numerator.into());
    }

    fn remove_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// The shell's prompt begins a line of its own; whoever pipes the result gets nothing added.
    fn end(mut self) -> io::Result<()> {
        self.remove_bar();
        if self.open_line && io::stdout().is_terminal() { writeln!(io::stdout()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_dates() {
        assert_eq!(moment("1900000000"), Ok(1_900_000_000));
        assert_eq!(moment("1970-01-01T00:01:00Z"), Ok(60));
        assert!(moment("tomorrow").unwrap_err().starts_with("neither seconds nor a time"));
    }

    #[test]
    fn the_bar_can_be_drawn() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
