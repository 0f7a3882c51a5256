//! Debian's redis-server, with everything synced before it is acknowledged.

use anyhow::Result;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{DatabaseServer, Kind, Process};
use crate::program::run;

const KIND: Kind = Kind { prepare: |_| Ok(()), command, ready, end: Signal::TERM };

/// A running Redis.
#[derive(Debug)]
pub struct RedisServer(Process);

impl RedisServer {
    /// Starts one; `more` are settings as on its command line.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(more: &[&str]) -> Result<Self> {
        Process::start(&KIND, more).map(Self)
    }

    /// The address of a store in it.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.0.folder.path().join("socket")
    }

    /// What redis-cli prints for a command.
    ///
    /// # Errors
    /// When it fails.
    pub fn cli(&self, words: &[&str]) -> Result<String> {
        self.cli_with(words, b"")
    }

    /// What redis-cli prints for a command whose last word is any bytes.
    ///
    /// # Errors
    /// When it fails.
    pub fn cli_with(&self, words: &[&str], last: &[u8]) -> Result<String> {
        let mut command = Command::new("redis-cli");
        command.args(["-e", "-p", &self.port().to_string()]);
        if !last.is_empty() {
            command.arg("-x");
        }
        let text = run(command.args(words), last)?.success()?;
        Ok(text.trim_end().to_owned())
    }
}

impl DatabaseServer for RedisServer {
    fn process(&self) -> &Process {
        &self.0
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

fn command(port: u16, folder: &Path) -> Result<Command> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    command
        .args(["--appendonly", "yes", "--appendfsync", "always", "--unixsocket"])
        .arg(folder.join("socket"));
    Ok(command)
}

/// A password is an answer too; loading is none yet.
fn ready(port: u16, _: &Path) -> bool {
    let answer = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line)
    };
    answer().is_some_and(|line| line.starts_with("+PONG") || line.starts_with("-NOAUTH"))
}
