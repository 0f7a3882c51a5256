//! Debian's memcached.

use anyhow::{Context, Result};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use super::{DatabaseServer, Kind, Process};

const KIND: Kind = Kind { prepare: |_| Ok(()), command, ready, end: Signal::TERM };

/// A running memcached.
#[derive(Debug)]
pub struct MemcachedServer(Process);

impl MemcachedServer {
    /// Starts one; `more` are options as on its command line.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(more: &[&str]) -> Result<Self> {
        Process::start(&KIND, more).map(Self)
    }

    /// The address of a store in it.
    pub fn address(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.0.port)
    }

    /// Sets an item, or deletes it.
    ///
    /// # Errors
    /// When memcached does not.
    pub fn put(&self, key: &str, value: Option<&[u8]>) -> Result<()> {
        let (command, answer) = match value {
            None => (format!("delete {key}\r\n").into_bytes(), "DELETED"),
            Some(value) => {
                let head = format!("set {key} 0 0 {}\r\n", value.len());
                ([head.as_bytes(), value, b"\r\n"].concat(), "STORED")
            }
        };
        lines(self.port(), &command, answer).map(drop)
    }

    /// Sends `command` with its line end, and answers everything up to a line that is `last`.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn ask(&self, command: &str, last: &str) -> Result<Vec<String>> {
        lines(self.port(), command.as_bytes(), last).with_context(|| format!("memcached: {command:?}"))
    }
}

impl DatabaseServer for MemcachedServer {
    fn process(&self) -> &Process {
        &self.0
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

fn lines(port: u16, command: &[u8], last: &str) -> Result<Vec<String>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(command)?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end_matches('\r').to_owned();
        let done = line.starts_with(last);
        lines.push(line);
        if done {
            return Ok(lines);
        }
        anyhow::ensure!(
            !lines.iter().any(|line| line.contains("ERROR") || line.starts_with("NOT_")),
            "{lines:?}"
        );
    }
    anyhow::bail!("the connection ended after {lines:?}")
}

fn command(port: u16, _folder: &Path) -> Result<Command> {
    let mut command = Command::new("memcached");
    // The user counts only where root starts it.
    command.args(["-u", "root", "-U", "0", "-l", "127.0.0.1", "-p", &port.to_string()]);
    Ok(command)
}

fn ready(port: u16, _: &Path) -> bool {
    lines(port, b"version\r\n", "VERSION").is_ok()
}
