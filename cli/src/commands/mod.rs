//! `lineshaft` and its subcommands.

mod admin;
mod config;
mod doctor;
mod documents;
mod lists;
mod queue;
mod serve;
mod submit;
mod tls;
mod top;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use lineshaft::net::{ClientTls, Servers};

use crate::classic;
use crate::exit::{Exit, Failure};
use crate::surroundings;
use crate::tls::TlsOptions;

/// The Gearman job system: job server, client, worker and administration in one program.
#[derive(Debug, Parser)]
#[command(name = "lineshaft", version, after_help = after_help(), max_term_width = 100)]
struct Lineshaft {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the job server. Takes the options of gearmand, and some more.
    Serve(serve::Serve),
    /// Submit jobs, and wait for their results.
    Submit(submit::Submit),
    /// Do jobs with a command.
    Work(work::Work),
    /// Watch functions, workers, the store and alarms of a server, gearmand's too; on a terminal, or in lines.
    Top(top::Top),
    #[command(flatten)]
    Admin(admin::Admin),
    /// Say why a job, or a function's jobs, do not run.
    Doctor(doctor::Doctor),
    /// Copy, list, check and delete the jobs in stores that no server has open.
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Certificates for trying TLS.
    #[command(subcommand)]
    Tls(tls::Tls),
    /// Print every setting of the job server with its value and where that comes from.
    Config(config::Config),
    /// Print what a shell needs to complete this program's words and options.
    Completions(documents::Completions),
    /// Write the manual pages of every program and subcommand into a folder.
    #[command(hide = true)]
    ManPages(documents::ManPages),
}

const SERVERS: &str = "Servers: host, host:port, [ipv6]:port or unix:/path; may be repeated, or a list with commas \
                       [default: GEARMAN_SERVERS, or else 127.0.0.1:4730]";

/// Which server, and how long to wait for it.
#[derive(Args, Clone, Debug)]
struct Connection {
    #[arg(short = 'S', long = "server", value_name = "ADDRESS", value_delimiter = ',', help = SERVERS)]
    servers: Vec<String>,
    /// Seconds to wait at the most; 0 waits without limit.
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    tls: TlsOptions,
}

impl Connection {
    /// What connections are made with; `None` for plain text.
    fn tls(&self) -> Result<Option<ClientTls>, Failure> {
        self.tls.client(&surroundings::variable)
    }

    fn servers(&self) -> Result<Servers, Failure> {
        if !self.servers.is_empty() {
            return Ok(self.servers.join(",").parse()?);
        }
        match surroundings::variable("GEARMAN_SERVERS") {
            None => Ok(Servers::default()),
            Some(list) => match list.to_str() {
                Some(list) => Ok(list.parse()?),
                None => Err(Failure::new(Exit::Usage, "GEARMAN_SERVERS: not UTF-8")),
            },
        }
    }

    /// The limit; `None` for none. `default` holds where nobody says anything.
    fn timeout(&self, default: Option<Duration>) -> Option<Duration> {
        self.timeout.or(default).filter(|timeout| !timeout.is_zero())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn after_help() -> String {
    let mut text = String::from(
        "Called by one of these names, or with one of them as first word, it is that program:\n",
    );
    for (name, meaning) in classic::NAMES {
        text.push_str(&format!("  {name:<10} {meaning}\n"));
    }
    text.push_str("\nExit codes:\n");
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!("  {}  {meaning}\n", exit as u8));
    }
    text
}

/// Runs the subcommand that `words` name.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let name = OsString::from("lineshaft");
    let lineshaft = match Lineshaft::try_parse_from(std::iter::once(&name).chain(words)) {
        Ok(lineshaft) => lineshaft,
        Err(error) => {
            // The text that clap has made, to where it belongs; nobody is left to hear of a failure to print it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let done = match lineshaft.command {
        Command::Serve(serve) => serve.run(),
        Command::Submit(submit) => submit.run(),
        Command::Work(work) => work.run(),
        Command::Top(top) => top.run(),
        Command::Admin(admin) => admin.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Queue(queue) => queue.run(),
        Command::Tls(tls) => tls.run(),
        Command::Config(config) => config.run(),
        Command::Completions(completions) => completions.run(),
        Command::ManPages(pages) => pages.run(),
    };
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print("lineshaft");
            failure.exit.own()
        }
    }
}
