//! The subcommands that ask a server about itself, or tell it to change something.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use lineshaft::blocking::{Admin as Client, Client as JobClient};
use lineshaft::client::Options;
use lineshaft::client::admin::{AdminOptions, StoreRow};
use lineshaft::error::{Error, ErrorKind};
use lineshaft::types::{LogLevel, LogTarget};

use super::{Connection, lists};
use crate::exit::{Exit, Failure, say};
use crate::render::Table;
use crate::surroundings;

/// How long a server may take for an answer where nobody says how long.
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// List functions with their jobs and workers.
    Status(List),
    /// List functions with their queued jobs of each priority.
    PriorityStatus(List),
    /// List connections with what they can do.
    Workers(List),
    /// List jobs.
    Jobs(List),
    /// List the uniques of jobs.
    UniqueJobs(List),
    /// List schedules.
    Schedules(List),
    /// Print where background jobs are kept, and whether that works.
    Store(List),
    /// Cancel a queued job, or end a schedule.
    Cancel {
        /// What `submit` has printed.
        handle: OsString,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make a function known.
    CreateFunction {
        /// Its name.
        function: OsString,
        #[command(flatten)]
        connection: Connection,
    },
    /// Forget a function that has neither workers nor running jobs.
    DropFunction {
        /// Its name.
        function: OsString,
        #[command(flatten)]
        connection: Connection,
    },
    /// Limit the jobs of a function: one number for all, or one for each priority. 0 lifts the limit.
    MaxQueue {
        /// Its name.
        function: OsString,
        /// Jobs of any priority; or of high priority, if more numbers follow.
        jobs: u32,
        /// Jobs of normal priority.
        normal: Option<u32>,
        /// Jobs of low priority.
        low: Option<u32>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Print the server's version.
    Version(Connection),
    /// Print how much the server logs, or change it until its settings say something else.
    Verbose {
        /// FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG.
        level: Option<LogLevel>,
        /// A part of the server: broker, net, store, http, tls or daemon [default: all of it].
        part: Option<LogTarget>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Print the server's process id.
    Pid(Connection),
    /// Send bytes and compare what comes back; prints how long that takes.
    #[command(visible_alias = "echo")]
    Ping {
        /// What to send.
        #[arg(default_value = "lineshaft")]
        data: OsString,
        #[command(flatten)]
        connection: Connection,
    },
}

/// A list, of one server.
#[derive(Args, Debug)]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Admin {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Status(list) => list.print(|admin| {
                let table = lists::status(admin)?;
                warn_of_store(admin);
                Ok(table)
            }),
            Self::PriorityStatus(list) => list.print(lists::priority_status),
            Self::Workers(list) => list.print(lists::workers),
            Self::Jobs(list) => list.print(lists::jobs),
            Self::UniqueJobs(list) => list.print(lists::unique_jobs),
            Self::Schedules(list) => list.print(lists::schedules),
            Self::Store(list) => list.print(lists::store),
            Self::Cancel { handle, connection } => {
                order(&connection, |admin| admin.cancel(handle.as_bytes()))
            }
            Self::CreateFunction { function, connection } => {
                order(&connection, |admin| admin.create_function(function.as_bytes()))
            }
            Self::DropFunction { function, connection } => {
                order(&connection, |admin| admin.drop_function(function.as_bytes()))
            }
            Self::MaxQueue { function, jobs, normal, low, connection } => order(&connection, |admin| {
                let function = function.as_bytes();
                match (normal, low) {
                    (None, None) => admin.max_queue(function, Some(jobs)),
                    _ => admin.max_queue_by_priority(function, [Some(jobs), normal, low]),
                }
            }),
            Self::Version(connection) => fact(&connection, Client::version),
            Self::Verbose { level: None, connection, .. } => fact(&connection, Client::verbose),
            Self::Verbose { level: Some(level), part, connection } => order(&connection, |admin| {
                let holds = admin.set_verbose(level, part)?;
                if holds == level.name() {
                    return Ok(());
                }
                let why = format!("the server stays at {holds}: it is not one that can change its level");
                Err(Error::new(ErrorKind::Server, "verbose", why))
            }),
            Self::Pid(connection) => fact(&connection, Client::getpid),
            Self::Ping { data, connection } => ping(&data, &connection),
        }
    }
}

impl List {
    fn print(&self, rows: impl FnOnce(&mut Client) -> lineshaft::Result<Table>) -> Result<ExitCode, Failure> {
        rows(&mut client(&self.connection)?)?.print(self.json, &mut io::stdout().lock())?;
        Ok(Exit::Done.own())
    }
}

/// Says that background jobs are not safe. gearmand does not tell how its queue does.
fn warn_of_store(admin: &mut Client) {
    if let Ok(StoreRow { store, failing: Some(why) }) = admin.store() {
        say(format_args!("lineshaft: the store fails, background jobs are refused or wait: {store}: {why}"));
    }
}

pub(super) fn client(connection: &Connection) -> Result<Client, Failure> {
    let answer_timeout = connection.timeout(Some(ANSWER)).unwrap_or(Duration::MAX);
    let defaults = AdminOptions::default();
    let connect_timeout = defaults.connect_timeout.min(answer_timeout);
    let options = AdminOptions { connect_timeout, answer_timeout, tls: connection.tls()?, ..defaults };
    Ok(Client::with_options(connection.servers()?, options)?)
}

/// Something to be done; success says nothing.
fn order(
    connection: &Connection,
    order: impl FnOnce(&mut Client) -> lineshaft::Result<()>,
) -> Result<ExitCode, Failure> {
    order(&mut client(connection)?)?;
    Ok(Exit::Done.own())
}

/// Something to be printed.
fn fact<T: Display>(
    connection: &Connection,
    ask: impl FnOnce(&mut Client) -> lineshaft::Result<T>,
) -> Result<ExitCode, Failure> {
    let fact = ask(&mut client(connection)?)?;
    writeln!(io::stdout(), "{fact}")?;
    Ok(Exit::Done.own())
}

/// Every server is asked; the first that does not answer ends it.
fn ping(data: &OsString, connection: &Connection) -> Result<ExitCode, Failure> {
    let answer_timeout = connection.timeout(Some(ANSWER)).unwrap_or(Duration::MAX);
    let defaults = Options::default();
    let connect_timeout = defaults.connect_timeout.min(answer_timeout);
    let options = Options { connect_timeout, answer_timeout, tls: connection.tls()?, ..defaults };
    for server in connection.servers()?.iter() {
        let client = JobClient::with_options(server, options.clone())?;
        client.connect()?;
        let start = surroundings::instant();
        client.echo(data.as_bytes())?;
        let micros = start.elapsed().as_micros();
        writeln!(io::stdout(), "{server}: {}.{:03} ms", micros / 1000, micros % 1000)?;
    }
    Ok(Exit::Done.own())
}
