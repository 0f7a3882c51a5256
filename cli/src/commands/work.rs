//! `lineshaft work`.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use lineshaft::blocking::{Stopper, Worker};
use lineshaft::net::Servers;
use lineshaft::protocol::Limits;
use lineshaft::worker::{BlockingJob, JobError, Options, Outcome};
use tokio::signal::unix::{SignalKind, signal};

use super::{Connection, seconds};
use crate::exit::{Exit, Failure, say};
use crate::pipe::{Output, Quota, Runner};

/// Each job's workload is the standard input of COMMAND, whose standard output is the result. Another exit code than 0 is
/// a failure. Ctrl-C and SIGTERM finish what runs; a second one ends at once.
#[derive(Args, Debug)]
pub(super) struct Work {
    /// The function to do; more with --function.
    function: OsString,
    /// The command with its arguments, behind `--`.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
    /// Do this function as well.
    #[arg(short, long = "function", value_name = "FUNCTION")]
    functions: Vec<OsString>,
    /// Jobs at a time.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// End after so many jobs.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Send each line of the output, without its line feed, when it comes.
    #[arg(short = 'n', long)]
    lines: bool,
    /// Seconds after which the server gives a job to another worker.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    job_timeout: Option<Duration>,
    /// The name that `lineshaft workers` shows.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Work {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let servers = self.connection.servers()?;
        let wish = Arc::new(self);
        let quota = Arc::new(Quota::new(wish.count));
        let mut stoppers = Vec::new();
        let mut threads = Vec::new();
        for number in 0..wish.concurrency {
            if !quota.another() {
                break;
            }
            let mut worker = Self::worker(&wish, &servers, &quota)?;
            stoppers.push(worker.stopper()?);
            let name = format!("lineshaft-worker-{number}");
            let thread = thread::Builder::new().name(name).spawn(move || worker.run());
            threads.push(thread.map_err(|error| Failure::system("cannot start a thread", &error))?);
        }
        stop_on_signals(stoppers)?;
        for thread in threads {
            match thread.join() {
                Ok(ended) => ended?,
                Err(_) => {
                    return Err(Failure::new(Exit::System, "a worker thread has panicked; please report it"));
                }
            }
        }
        Ok(Exit::Done.own())
    }

    fn worker(wish: &Arc<Self>, servers: &Servers, quota: &Arc<Quota>) -> Result<Worker, Failure> {
        let mut options = Options {
            client_id: wish.id.clone(),
            tls: wish.connection.tls()?,
            limits: Limits { max_packet: u32::MAX as usize, ..Limits::default() },
            ..Options::default()
        };
        if let Some(timeout) = wish.connection.timeout(None) {
            options.connect_timeout = timeout;
            options.answer_timeout = timeout;
        }
        let mut worker = Worker::with_options(servers, options)?;
        worker.on_error(|server, error| complain(&format!("{server}: {error}")));
        for function in std::iter::once(&wish.function).chain(&wish.functions) {
            let (wish, quota, stopper) = (wish.clone(), quota.clone(), worker.stopper()?);
            let timeout = wish.job_timeout;
            let answer = move |job: &mut BlockingJob<'_>| {
                let outcome = wish.answer(job);
                if !quota.another() {
                    stopper.stop();
                }
                outcome
            };
            match timeout {
                Some(timeout) => worker.add_function_with_timeout(function.as_bytes(), timeout, answer)?,
                None => worker.add_function(function.as_bytes(), answer)?,
            }
        }
        Ok(worker)
    }

    fn answer(&self, job: &mut BlockingJob<'_>) -> Outcome {
        let workload = job.to_bytes();
        let runner = Runner { command: self.command.clone(), own_group: true };
        let ended = if self.lines {
            let mut each = |line: &[u8]| job.send_data(line.strip_suffix(b"\n").unwrap_or(line)).is_ok();
            runner.run(workload, Output::Lines(&mut each))
        } else {
            runner.run(workload, Output::Keep)
        };
        let Some(why) = ended.failure else { return Ok(Bytes::from(ended.output)) };
        complain(&format!("job {} of {}: {why}", job.handle().escape_ascii(), job.function().escape_ascii()));
        if !ended.output.is_empty() {
            job.send_data(&ended.output)?;
        }
        Err(JobError::exception(why))
    }
}

fn complain(text: &str) {
    say(format_args!("lineshaft: {text}"));
}

/// The first signal lets every worker finish its job, the second ends the process.
fn stop_on_signals(stoppers: Vec<Stopper>) -> Result<(), Failure> {
    let problem = |error: io::Error| Failure::system("cannot wait for signals", &error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(problem)?;
    let (mut terminate, mut interrupt) = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate()).map_err(problem)?, signal(SignalKind::interrupt()).map_err(problem)?)
    };
    let wait = move || {
        runtime.block_on(async {
            let mut wait = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
            wait().await;
            complain("finishing what runs; a second signal ends at once");
            stoppers.iter().for_each(Stopper::stop);
            wait().await;
            std::process::exit(i32::from(Exit::System as u8));
        });
    };
    thread::Builder::new().name("lineshaft-signals".into()).spawn(wait).map(|_| ()).map_err(problem)
}
