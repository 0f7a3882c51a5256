//! `lineshaft doctor`: why jobs do not run.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use clap::Args;
use lineshaft::blocking::{Admin as AdminClient, Client};
use lineshaft::client::Options;
use lineshaft::client::admin::{ExplanationRow, FunctionStatus};
use lineshaft::error::ErrorKind;
use lineshaft::types::JobHandle;

use super::{Connection, admin};
use crate::exit::{Exit, Failure};
use crate::render::Align::Left;
use crate::render::{Table, visible};

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// The handle of a job, or the name of a function; without one every function is looked at that has jobs waiting.
    #[arg(value_name = "HANDLE|FUNCTION")]
    about: Option<OsString>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Doctor {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut admin = admin::client(&self.connection)?;
        let about = self.about.as_ref().map(|about| about.as_bytes());
        let told = match about {
            Some(about) => admin.explain(about).map(|row| vec![row]),
            None => admin.explain_all(),
        };
        let rows = match told {
            Err(error) if error.kind() == ErrorKind::InvalidCommand => self.guess(&mut admin, about)?,
            told => told?,
        };
        let to = &mut io::stdout().lock();
        if self.json {
            let mut table = Table::new(&[("about", Left), ("reason", Left), ("text", Left)]);
            for row in rows {
                table.row([String::from_utf8_lossy(&row.about).into_owned(), row.reason, row.text]);
            }
            table.print(true, to)?;
        } else if rows.is_empty() {
            writeln!(to, "No function has jobs that wait.")?;
        } else {
            for row in rows {
                // Names in it are what peers have chosen.
                writeln!(to, "{}", visible(&row.text))?;
            }
        }
        Ok(Exit::Done.own())
    }

    /// What can be said of a server that does not explain: gearmand.
    fn guess(&self, admin: &mut AdminClient, about: Option<&[u8]>) -> Result<Vec<ExplanationRow>, Failure> {
        let functions = admin.status()?;
        let Some(about) = about else {
            let waiting = functions.iter().filter(|function| function.total > function.running);
            return Ok(waiting.map(function).collect());
        };
        if let Some(known) = functions.iter().find(|known| known.function == about) {
            return Ok(vec![function(known)]);
        }
        let options = Options { tls: self.connection.tls()?, ..Options::default() };
        let client = Client::with_options(self.connection.servers()?, options)?;
        let status = client.status(&JobHandle::from(about))?;
        let (reason, text) = match (status.known, status.running) {
            (false, _) => (
                "unknown",
                "is neither a function nor a job of this server: a job of that handle has ended, or is another server's.",
            ),
            (true, true) => ("running", "runs: a worker has it."),
            (true, false) => (
                "queued",
                "is queued. This server does not tell of which function it is: ask `lineshaft doctor FUNCTION`, or without a word for all.",
            ),
        };
        Ok(vec![row(about, reason, text)])
    }
}

/// From a line of `status` alone.
fn function(status: &FunctionStatus) -> ExplanationRow {
    let FunctionStatus { function, total, running, workers } = status;
    let queued = total.saturating_sub(*running);
    let (reason, text) = if queued == 0 {
        (
            "nothing-waits",
            format!("has no job that waits; running: {running}, workers registered: {workers}."),
        )
    } else if *workers == 0 {
        (
            "no-worker",
            format!("has {} and no worker: start one that registers by exactly this name.", waiting(queued)),
        )
    } else if running >= workers {
        (
            "busy",
            format!(
                "has {}, and its workers ({workers}) are all busy: wait, or start more.",
                waiting(queued)
            ),
        )
    } else {
        (
            "waits",
            format!(
                "has {}, {running} running and {workers} workers registered: the workers are busy with other functions, do not come though woken, or the jobs are not due. This server does not tell which.",
                waiting(queued)
            ),
        )
    };
    row(function, reason, &text)
}

fn waiting(jobs: u64) -> String {
    if jobs == 1 { "1 job waiting".into() } else { format!("{jobs} jobs waiting") }
}

fn row(about: &[u8], reason: &str, text: &str) -> ExplanationRow {
    let name = String::from_utf8_lossy(about);
    let about = about.to_vec().into();
    ExplanationRow { about, reason: reason.into(), text: format!("{name} {text}") }
}
