//! `gearman -w`: a command as a worker.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use lineshaft::blocking::Worker;
use lineshaft::protocol::Limits;
use lineshaft::worker::{BlockingJob, JobError, Options, Outcome};

use super::{Lines, Wish};
use crate::exit::{Exit, Failure, say};
use crate::pipe::{Output, Quota, Runner};

/// Works until -c jobs are done; without -c until it is killed, or nobody reads what it prints.
pub(super) fn run(wish: &Wish) -> Result<ExitCode, Failure> {
    let defaults = Options::default();
    let options = Options {
        connect_timeout: wish.timeout.unwrap_or(defaults.connect_timeout),
        answer_timeout: wish.timeout.unwrap_or(defaults.answer_timeout),
        limits: Limits { max_packet: u32::MAX as usize, ..Limits::default() },
        tls: wish.tls()?,
        ..defaults
    };
    let mut worker = Worker::with_options(&wish.servers, options)?;
    worker.on_error(|server, error| say(format_args!("gearman: {server}: {error}")));
    let stopper = worker.stopper()?;
    let quota = Arc::new(Quota::new(wish.count));
    quota.another();
    let broken: Broken = Arc::default();
    for function in &wish.functions {
        let prefix = wish.prefix_of(function);
        let (broken, quota, stopper) = (broken.clone(), quota.clone(), stopper.clone());
        let runner = Runner { command: wish.words.clone(), own_group: false };
        let lines = wish.lines;
        worker.add_function(function, move |job| {
            let outcome = if runner.command.is_empty() {
                print(&prefix, job.workload(), &broken)
            } else {
                answer(&runner, lines, job)
            };
            if broken.get().is_some() || !quota.another() {
                stopper.stop();
            }
            outcome
        })?;
    }
    worker.run()?;
    match broken.get() {
        Some(kind) => Err(io::Error::from(*kind).into()),
        None => Ok(Exit::Done.classic()),
    }
}

/// Why nothing more can be printed.
type Broken = Arc<OnceLock<io::ErrorKind>>;

/// A worker without a command prints the workload; the result is empty.
fn print(prefix: &[u8], workload: &[u8], broken: &Broken) -> Outcome {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(prefix).and_then(|()| stdout.write_all(workload));
    written.and_then(|()| stdout.flush()).map(|()| Bytes::new()).map_err(|error| {
        broken.get_or_init(|| error.kind());
        JobError::Fail
    })
}

/// The command's output is the result; with -n or -N each line of it is a piece of data.
fn answer(runner: &Runner, lines: Option<Lines>, job: &mut BlockingJob<'_>) -> Outcome {
    let workload = job.to_bytes();
    let ended = match lines {
        None => runner.run(workload, Output::Keep),
        Some(lines) => {
            let mut each = |line: &[u8]| job.send_data(lines.cut(line)).is_ok();
            runner.run(workload, Output::Lines(&mut each))
        }
    };
    let Some(why) = ended.failure else { return Ok(ended.output.into()) };
    say(format_args!("gearman: {why}"));
    if !ended.output.is_empty() {
        job.send_data(&ended.output)?;
    }
    Err(JobError::Fail)
}
