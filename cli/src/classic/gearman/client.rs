//! `gearman` as a client.

use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use lineshaft::blocking::{Client, Task};
use lineshaft::client::{Event, Options, Unique};
use lineshaft::error::{Error, ErrorKind};
use lineshaft::protocol::Limits;
use lineshaft::types::Progress;

use super::{Lines, Wish};
use crate::exit::{Exit, Failure};
use crate::input::{fresh_unique, next_line, whole};

/// How long a server may take to answer where -t does not say.
const ANSWER: Duration = Duration::from_secs(30);

/// Submits a job for every word, every line or the whole of `input`, and prints what comes back.
pub(super) fn run(
    wish: &Wish,
    input: &mut dyn BufRead,
    output: &mut impl Write,
    errors: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let answer_timeout = wish.timeout.unwrap_or(ANSWER);
    let limits = Limits { max_packet: u32::MAX as usize, ..Limits::default() };
    // gearman does not ask for exceptions: it hears of a failure alone, unless the server sends them to everybody.
    let options = Options {
        connect_timeout: answer_timeout,
        answer_timeout,
        exceptions: false,
        limits,
        tls: wish.tls()?,
        ..Options::default()
    };
    let client = Client::with_options(&wish.servers, options)?;
    let mut run = Run { wish, client, output, errors, failed: false };
    if wish.no_input {
        run.jobs(b"")?;
    } else if !wish.words.is_empty() {
        for word in &wish.words {
            run.jobs(word.as_bytes())?;
        }
    } else if let Some(lines) = wish.lines {
        run.lines(lines, input)?;
    } else {
        let workload = whole(input)?;
        run.jobs(&workload)?;
    }
    Ok(if run.failed { Exit::JobFailed } else { Exit::Done }.classic())
}

struct Run<'a, O, E> {
    wish: &'a Wish,
    client: Client,
    output: &'a mut O,
    errors: &'a mut E,
    failed: bool,
}

impl<O: Write, E: Write> Run<'_, O, E> {
    fn lines(&mut self, lines: Lines, input: &mut dyn BufRead) -> Result<(), Failure> {
        while let Some(line) = next_line(input)? {
            self.jobs(lines.cut(&line))?;
        }
        Ok(())
    }

    /// One job for each function; all of them run at the same time.
    fn jobs(&mut self, workload: &[u8]) -> Result<(), Failure> {
        let tasks: Result<Vec<Task>, Error> =
            self.wish.functions.iter().map(|function| self.start(function, workload)).collect();
        for (task, function) in tasks?.into_iter().zip(&self.wish.functions) {
            self.follow(task, function)?;
        }
        Ok(())
    }

    fn start(&self, function: &[u8], workload: &[u8]) -> Result<Task, Error> {
        let fresh = fresh_unique();
        let unique = match self.wish.unique.as_deref() {
            None => Unique::Key(fresh.as_bytes()),
            Some(b"") => Unique::None,
            Some(key) => Unique::Key(key),
        };
        let job = self.client.job(function, workload).priority(self.wish.priority).unique(unique);
        if self.wish.background { job.background().start() } else { job.start() }
    }

    /// Prints the events of a task until its end.
    fn follow(&mut self, mut task: Task, function: &[u8]) -> Result<(), Failure> {
        let prefix = self.wish.prefix_of(function);
        while let Some(event) = self.next(&mut task)? {
            match event {
                Event::Created(handle) if self.wish.verbose => {
                    self.print(&[b"Task created: ", handle.as_bytes(), b"\n"])?;
                }
                Event::Created(_) => {}
                Event::Data(data) | Event::Complete(data) => self.print(&[&prefix, &data])?,
                Event::Status(progress) => {
                    self.print(&[&prefix, format!("{}% Complete\n", percent(progress)).as_bytes()])?;
                }
                Event::Warning(data) => self.complain(&[&prefix, &data])?,
                Event::Exception(data) => {
                    self.failed = true;
                    self.complain(&[&prefix, &data])?;
                }
                Event::Fail => {
                    self.failed = true;
                    self.complain(&[&prefix, b"Job failed\n"])?;
                }
            }
        }
        Ok(())
    }

    /// The next event; -t limits how long there may be none.
    fn next(&self, task: &mut Task) -> Result<Option<Event>, Error> {
        let Some(timeout) = self.wish.timeout else { return task.next().transpose() };
        match task.next_within(timeout)? {
            None if !task.is_over() => {
                let detail =
                    format!("nothing heard for {} ms (-t); the job may still run", timeout.as_millis());
                Err(Error::new(ErrorKind::Timeout, "task", detail))
            }
            event => Ok(event),
        }
    }

    fn print(&mut self, pieces: &[&[u8]]) -> std::io::Result<()> {
        pieces.iter().try_for_each(|piece| self.output.write_all(piece))?;
        self.output.flush()
    }

    fn complain(&mut self, pieces: &[&[u8]]) -> std::io::Result<()> {
        pieces.iter().try_for_each(|piece| self.errors.write_all(piece))
    }
}

fn percent(progress: Progress) -> u64 {
    let (done, all) = (u64::from(progress.numerator), u64::from(progress.denominator));
    (done * 100).checked_div(all).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_of_nothing_is_no_progress() {
        let percent = |numerator, denominator| percent(Progress { numerator, denominator });
        assert_eq!(
            (percent(1, 3), percent(2, 3), percent(1, 0), percent(u32::MAX, 1)),
            (33, 66, 0, u64::from(u32::MAX) * 100)
        );
    }
}
