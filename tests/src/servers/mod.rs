//! Other people's database servers as child processes: on free loopback ports, each with a temporary folder of its own.

mod mariadb;
mod memcached;
mod postgres;
mod redis;
mod sql;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

use crate::clock::{PATIENCE, poll};
use crate::port::free_port;

pub use mariadb::MariaDbServer;
pub use memcached::MemcachedServer;
pub use postgres::PostgresServer;
pub use redis::RedisServer;
pub use sql::{SqlServer, release};

/// How a server is started and seen to work.
#[derive(Debug)]
struct Kind {
    /// Fills the folder before the first start.
    prepare: fn(folder: &Path) -> Result<()>,
    /// The command, all but its standard streams.
    command: fn(port: u16, folder: &Path) -> Result<Command>,
    /// Whether it answers.
    ready: fn(port: u16, folder: &Path) -> bool,
    /// What ends it although clients are connected.
    end: Signal,
}

/// What tests do with each of these servers.
pub trait DatabaseServer {
    /// Its process.
    fn process(&self) -> &Process;

    /// The same, for what ends it and starts it again.
    fn process_mut(&mut self) -> &mut Process;

    /// Where it listens.
    fn port(&self) -> u16 {
        self.process().port
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When there is no such process.
    fn signal(&self, signal: Signal) -> Result<()> {
        self.process().signal(signal)
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Errors
    /// When the process cannot be killed.
    fn kill(&mut self) -> Result<()> {
        self.process_mut().kill()
    }

    /// Ends it: those who are connected are thrown out.
    ///
    /// # Errors
    /// When it does not end.
    fn stop(&mut self) -> Result<()> {
        self.process_mut().stop()
    }

    /// Starts it again on the same port and folder: it has what it keeps there.
    ///
    /// # Errors
    /// When it does not start.
    fn start_again(&mut self) -> Result<()> {
        self.process_mut().start_again()
    }
}

/// A server that can be killed and started again on the same port and folder. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    kind: &'static Kind,
    /// Arguments beside those of its kind.
    more: Vec<String>,
    port: u16,
    child: Child,
    folder: TempDir,
}

impl Process {
    fn start(kind: &'static Kind, more: &[&str]) -> Result<Self> {
        let more: Vec<String> = more.iter().map(|&arg| arg.to_owned()).collect();
        // Somebody who is not of the tests may take the port before the server does: then once more.
        let mut attempts = 0;
        loop {
            let folder = tempfile::tempdir().context("a temporary folder")?;
            attempts += 1;
            match (kind.prepare)(folder.path()) {
                // Several at once may be too much for the machine.
                Err(_) if attempts < 3 => continue,
                prepared => prepared?,
            }
            let port = free_port()?;
            let child = launch(kind, port, folder.path(), &more)?;
            let mut process = Self { kind, more: more.clone(), port, child, folder };
            match process.wait_ready() {
                Err(error) if attempts == 3 => return Err(error),
                Err(_) => {}
                Ok(()) => return Ok(process),
            }
        }
    }

    /// Kills it, as `kill -9` does.
    fn kill(&mut self) -> Result<()> {
        self.child.kill().context("kill")?;
        self.child.wait().map(drop).context("wait")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("signal {signal:?}"))?;
        // A server of several threads goes on for a moment until all of them have stopped.
        if signal == Signal::STOP {
            poll(PATIENCE, || self.stands_still().then_some(())).context("it does not stop")?;
        }
        Ok(())
    }

    /// Whether every thread is in the state T. The state stands behind the name, which is in brackets.
    fn stands_still(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return false };
        threads.flatten().all(|thread| {
            let text = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// Asks it to end, and waits until it has.
    fn stop(&mut self) -> Result<()> {
        self.signal(self.kind.end)?;
        let ended = poll(PATIENCE, || self.child.try_wait().ok().flatten());
        ended.map(drop).with_context(|| format!("it does not end:\n{}", self.said()))
    }

    /// Starts it again after it has ended.
    fn start_again(&mut self) -> Result<()> {
        self.child = launch(self.kind, self.port, self.folder.path(), &self.more)?;
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<()> {
        let ready = poll(PATIENCE, || match self.child.try_wait() {
            Ok(None) => (self.kind.ready)(self.port, self.folder.path()).then_some(Ok(())),
            Ok(Some(status)) => Some(Err(anyhow::anyhow!("it ended with {status}:\n{}", self.said()))),
            Err(error) => Some(Err(error.into())),
        });
        match ready {
            Some(outcome) => outcome,
            None => bail!("nothing answers on port {}:\n{}", self.port, self.said()),
        }
    }

    fn said(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(kind: &Kind, port: u16, folder: &Path, more: &[String]) -> Result<Child> {
    let output = File::create(folder.join("output")).context("the server's output file")?;
    let mut command = (kind.command)(port, folder)?;
    command.args(more).current_dir(folder).stdin(Stdio::null());
    command.stdout(output.try_clone().context("the server's output file")?).stderr(output);
    command.spawn().with_context(|| format!("{:?}: is its Debian package installed?", command.get_program()))
}
