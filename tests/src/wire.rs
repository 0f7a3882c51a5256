//! A peer that speaks the protocol byte by byte, without the library under test.

use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock::{PATIENCE, now};

/// Packet types that tests use by name.
pub mod kind {
    #![allow(missing_docs, reason = "the names of the protocol's table")]
    pub const CAN_DO: u32 = 1;
    pub const PRE_SLEEP: u32 = 4;
    pub const NOOP: u32 = 6;
    pub const SUBMIT_JOB: u32 = 7;
    pub const JOB_CREATED: u32 = 8;
    pub const GRAB_JOB: u32 = 9;
    pub const NO_JOB: u32 = 10;
    pub const JOB_ASSIGN: u32 = 11;
    pub const WORK_STATUS: u32 = 12;
    pub const WORK_COMPLETE: u32 = 13;
    pub const WORK_FAIL: u32 = 14;
    pub const GET_STATUS: u32 = 15;
    pub const ECHO_REQ: u32 = 16;
    pub const ECHO_RES: u32 = 17;
    pub const SUBMIT_JOB_BG: u32 = 18;
    pub const ERROR: u32 = 19;
    pub const STATUS_RES: u32 = 20;
    pub const SET_CLIENT_ID: u32 = 22;
    pub const WORK_EXCEPTION: u32 = 25;
    pub const WORK_DATA: u32 = 28;
    pub const WORK_WARNING: u32 = 29;
    pub const GRAB_JOB_UNIQ: u32 = 30;
    pub const JOB_ASSIGN_UNIQ: u32 = 31;
    pub const SUBMIT_JOB_HIGH_BG: u32 = 32;
    pub const SUBMIT_JOB_LOW_BG: u32 = 34;
    pub const SUBMIT_JOB_EPOCH: u32 = 36;
}

/// The most that one read takes.
const READ_SIZE: usize = 64 << 10;

/// A packet from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its type.
    pub kind: u32,
    /// What follows the header.
    pub body: Vec<u8>,
}

/// What came of waiting for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Some bytes.
    Bytes,
    /// None in the time given.
    Nothing,
    /// The other side has closed the connection.
    Closed,
}

/// A connection.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Peer {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("{address}"))?;
        stream.set_nodelay(true).context("nodelay")?;
        stream.set_write_timeout(Some(PATIENCE)).context("a write timeout")?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone or the other side has not read for too long.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("send")
    }

    /// Sends a packet whose arguments (and data) are separated by NULs.
    ///
    /// # Errors
    /// As [`Peer::send`].
    pub fn request(&mut self, kind: u32, arguments: &[&[u8]]) -> Result<()> {
        self.send(&request(kind, arguments))
    }

    /// Waits for bytes, at most for `limit`, and appends them to `into`.
    ///
    /// # Errors
    /// When the socket fails other than by a reset, which counts as closed.
    pub fn receive(&mut self, limit: Duration, into: &mut Vec<u8>) -> Result<Arrival> {
        self.stream.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).context("a read timeout")?;
        let mut chunk = vec![0; READ_SIZE];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(Arrival::Closed),
            Ok(length) => {
                into.extend_from_slice(&chunk[..length]);
                Ok(Arrival::Bytes)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(Arrival::Nothing),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(Arrival::Closed),
                _ => Err(error).context("receive"),
            },
        }
    }

    /// Waits until something can be read, at most for `limit`; what it is stays unread. True also where the other side has
    /// closed.
    ///
    /// # Errors
    /// As [`Peer::receive`].
    pub fn readable(&mut self, limit: Duration) -> Result<bool> {
        if !self.unread.is_empty() {
            return Ok(true);
        }
        let mut unread = std::mem::take(&mut self.unread);
        let arrival = self.receive(limit, &mut unread)?;
        self.unread = unread;
        Ok(arrival != Arrival::Nothing)
    }

    /// Waits until what has arrived satisfies `whole`, which says how many bytes of it to take.
    fn take(&mut self, what: &str, whole: impl Fn(&[u8]) -> Result<Option<usize>>) -> Result<Vec<u8>> {
        let deadline = now() + PATIENCE;
        let mut unread = std::mem::take(&mut self.unread);
        loop {
            if let Some(length) = whole(&unread)? {
                self.unread = unread.split_off(length);
                return Ok(unread);
            }
            let left = deadline.saturating_duration_since(now());
            let shown = unread[..unread.len().min(100)].escape_ascii().to_string();
            ensure!(!left.is_zero(), "no {what} in {PATIENCE:?}; unread: {shown}");
            if self.receive(left, &mut unread)? == Arrival::Closed {
                bail!("no {what}: the connection was closed; unread: {shown}");
            }
        }
    }

    /// The next packet.
    ///
    /// # Errors
    /// When none comes in time, the connection ends, or something else comes.
    pub fn packet(&mut self) -> Result<Packet> {
        let bytes =
            self.take("packet", |unread| Ok(packet_length(unread)?.filter(|&it| it <= unread.len())))?;
        Ok(Packet { kind: number(&bytes[4..8]), body: bytes[12..].to_vec() })
    }

    /// The next packet, which must be of type `kind`: its body.
    ///
    /// # Errors
    /// As [`Peer::packet`], and when it is of another type.
    pub fn expect(&mut self, kind: u32) -> Result<Vec<u8>> {
        let packet = self.packet()?;
        let shown = packet.body[..packet.body.len().min(100)].escape_ascii().to_string();
        ensure!(packet.kind == kind, "expected packet {kind}, got {} {shown}", packet.kind);
        Ok(packet.body)
    }

    /// Sends a text command and gives its answer: one line for `OK`, `ERR`, else lines up to a line `.`.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn text(&mut self, line: &str) -> Result<String> {
        self.send(line.as_bytes())?;
        let bytes = self.take("text answer", |unread| {
            let one_line = unread.starts_with(b"OK") || unread.starts_with(b"ERR");
            let end = if one_line {
                unread.iter().position(|&byte| byte == b'\n').map(|at| at + 1)
            } else if unread.starts_with(b".\n") {
                Some(2)
            } else {
                unread.windows(3).position(|window| window == b"\n.\n").map(|at| at + 3)
            };
            Ok(end)
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Asks for an echo and reads up to it: all earlier requests of this connection have then been handled.
    ///
    /// # Errors
    /// When something else than the echo comes next.
    pub fn sync(&mut self) -> Result<()> {
        self.request(kind::ECHO_REQ, &[b"sync"])?;
        let body = self.expect(kind::ECHO_RES)?;
        ensure!(body == b"sync", "the echo came back as {}", body.escape_ascii());
        Ok(())
    }

    /// Submits a job: its handle.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn submit(&mut self, kind: u32, function: &str, unique: &str, workload: &[u8]) -> Result<String> {
        self.request(kind, &[function.as_bytes(), unique.as_bytes(), workload])?;
        Ok(String::from_utf8_lossy(&self.expect(kind::JOB_CREATED)?).into_owned())
    }

    /// Waits until the other side closes; what it sends before is thrown away.
    ///
    /// # Errors
    /// When it stays open.
    pub fn closed(&mut self) -> Result<()> {
        let deadline = now() + PATIENCE;
        loop {
            let mut thrown_away = Vec::new();
            let left = deadline.saturating_duration_since(now());
            ensure!(!left.is_zero(), "the connection was not closed");
            if self.receive(left, &mut thrown_away)? == Arrival::Closed {
                return Ok(());
            }
        }
    }

    /// Ends the sending side; answers can still be read.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish_sending(&self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write).context("shut down the sending side")
    }
}

/// A request packet whose arguments (and data) are separated by NULs.
pub fn request(kind: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let body = arguments.join(&0);
    let size = u32::try_from(body.len()).expect("a body of less than 4 GiB");
    [b"\0REQ", &kind.to_be_bytes()[..], &size.to_be_bytes(), &body].concat()
}

/// How long the response packet in front of `unread` is; `None` where its header has not arrived.
///
/// # Errors
/// When it is no response packet.
pub fn packet_length(unread: &[u8]) -> Result<Option<usize>> {
    let seen = unread.len().min(4);
    let shown = || unread[..unread.len().min(100)].escape_ascii().to_string();
    ensure!(unread[..seen] == b"\0RES"[..seen], "not a response packet: {}", shown());
    Ok(unread.get(8..12).map(|size| 12 + number(size) as usize))
}

/// Four bytes as a number.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}
