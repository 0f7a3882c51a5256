//! Servers as child processes on free loopback ports.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

use crate::clock::{PATIENCE, poll};
use crate::place;
use crate::port::free_port;
use crate::wire::Peer;

/// Whose program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Maker {
    /// Ours, under the names of gearmand and its tools.
    Ours,
    /// Debian's gearmand and its tools.
    Debian,
}

impl Maker {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Debian, Self::Ours];

    /// The program called `name`, ours through a link of that name in `folder`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn program(self, name: &str, folder: &TempDir) -> Result<PathBuf> {
        match self {
            Self::Ours => {
                let link = folder.path().join(name);
                if !link.exists() {
                    symlink(place::lineshaft()?, &link).with_context(|| format!("{}", link.display()))?;
                }
                Ok(link)
            }
            Self::Debian => {
                let folder = if name == "gearmand" { "/usr/sbin" } else { "/usr/bin" };
                let path = PathBuf::from(folder).join(name);
                ensure!(
                    path.exists(),
                    "{} is missing: install gearman-job-server, gearman-tools",
                    path.display()
                );
                Ok(path)
            }
        }
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Debian => "gearmand",
        })
    }
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    maker: Maker,
    args: Vec<String>,
    port: u16,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a server with further options and waits until it answers.
    ///
    /// # Errors
    /// When it does not start; the text holds what it printed.
    pub fn start(maker: Maker, args: &[&str]) -> Result<Self> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let folder = tempfile::tempdir().context("a temporary folder")?;
        // Somebody who is not of the tests may take the port before the server does: then once more.
        let mut attempts = 0;
        loop {
            let port = free_port()?;
            let mut child = launch(maker, port, &args, &folder)?;
            attempts += 1;
            match wait_ready(&mut child, port, &folder) {
                Ok(()) => return Ok(Self { maker, args, port, child, folder }),
                Err(error) => {
                    // It may have ended by itself.
                    let _ = child.kill();
                    let _ = child.wait();
                    if attempts == 3 {
                        return Err(error.context(format!("start {maker} with {args:?}")));
                    }
                }
            }
        }
    }

    /// Whose it is.
    pub fn maker(&self) -> Maker {
        self.maker
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When it does not accept one.
    pub fn connect(&self) -> Result<Peer> {
        Peer::connect(self.address())
    }

    /// The most memory that it has had in use so far, in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn peak_memory(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kilobytes.with_context(|| format!("{path} has no VmHWM: has the server ended?"))? * 1024)
    }

    /// Asks it to end as `signal` does and waits for that.
    ///
    /// # Errors
    /// When it does not end, ends with another code than 0, or has panicked before.
    pub fn stop(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let status = self.wait()?;
        let said = self.said();
        ensure!(status.success(), "{} ended with {status}:\n{said}", self.maker);
        ensure!(!said.contains("panicked"), "{} panicked:\n{said}", self.maker);
        Ok(())
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("kill")?;
        self.wait().map(drop)
    }

    /// Starts it again on the same port after it has ended.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.child = launch(self.maker, self.port, &self.args, &self.folder)?;
        wait_ready(&mut self.child, self.port, &self.folder)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("signal {signal:?} to {}", self.maker))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let ended = poll(PATIENCE, || self.child.try_wait().ok().flatten());
        ended.with_context(|| format!("{} does not end:\n{}", self.maker, self.said()))
    }

    /// What it has printed.
    pub fn said(&self) -> String {
        said(&self.folder)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before; nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(maker: Maker, port: u16, args: &[String], folder: &TempDir) -> Result<Child> {
    let output = File::create(folder.path().join("output")).context("the server's output file")?;
    let program = maker.program("gearmand", folder)?;
    let mut command = Command::new(&program);
    command.current_dir(folder.path());
    command.args(["-p", &port.to_string(), "-L", "127.0.0.1", "-l", "none", "-P"]);
    command.arg(folder.path().join("pid")).args(args).stdin(Stdio::null());
    command.stdout(output.try_clone().context("the server's output file")?).stderr(output);
    command.spawn().with_context(|| format!("{}", program.display()))
}

/// Waits until the server answers a text command: not only the system's listener but its own threads are then at work.
fn wait_ready(child: &mut Child, port: u16, folder: &TempDir) -> Result<()> {
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    let ready = poll(PATIENCE, || match child.try_wait() {
        Ok(None) => {
            TcpStream::connect(address).ok()?;
            Some(Peer::connect(address).and_then(|mut peer| peer.text("version\n")).map(drop))
        }
        Ok(Some(status)) => Some(Err(anyhow::anyhow!("it ended with {status}:\n{}", said(folder)))),
        Err(error) => Some(Err(error.into())),
    });
    match ready {
        Some(outcome) => outcome,
        None => bail!("nothing answers on port {port}:\n{}", said(folder)),
    }
}

fn said(folder: &TempDir) -> String {
    let bytes = std::fs::read(folder.path().join("output")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
