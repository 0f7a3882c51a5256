//! What vectors can be run against.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{now, pause};
use crate::server::Server;
use crate::wire::{Arrival, Peer};

/// A server that a vector talks to, however it is reached. One value serves one vector.
pub trait Arm {
    /// Opens a connection; its number.
    ///
    /// # Errors
    /// When the server accepts none.
    fn open(&mut self) -> Result<usize>;

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    fn send(&mut self, conn: usize, bytes: &[u8]) -> Result<()>;

    /// Waits until something arrives, at most for `limit`, and appends it to `into`.
    ///
    /// # Errors
    /// When the connection fails otherwise than by being closed.
    fn receive(&mut self, conn: usize, limit: Duration, into: &mut Vec<u8>) -> Result<Arrival>;

    /// Closes a connection from this side.
    fn close(&mut self, conn: usize);

    /// Lets time pass.
    fn pass(&mut self, time: Duration);

    /// Time passed since the arm was made.
    fn elapsed(&self) -> Duration;
}

/// A server process, over TCP.
#[derive(Debug)]
pub struct Tcp {
    /// Keeps the process alive.
    _server: Arc<Server>,
    address: SocketAddr,
    peers: Vec<Option<Peer>>,
    start: Instant,
}

impl Tcp {
    /// Talks to `server`.
    pub fn new(server: Arc<Server>) -> Self {
        Self { address: server.address(), _server: server, peers: Vec::new(), start: now() }
    }

    fn peer(&mut self, conn: usize) -> Result<&mut Peer> {
        self.peers.get_mut(conn).and_then(Option::as_mut).context("the connection is closed")
    }
}

impl Arm for Tcp {
    fn open(&mut self) -> Result<usize> {
        self.peers.push(Some(Peer::connect(self.address)?));
        Ok(self.peers.len() - 1)
    }

    fn send(&mut self, conn: usize, bytes: &[u8]) -> Result<()> {
        self.peer(conn)?.send(bytes)
    }

    fn receive(&mut self, conn: usize, limit: Duration, into: &mut Vec<u8>) -> Result<Arrival> {
        self.peer(conn)?.receive(limit, into)
    }

    fn close(&mut self, conn: usize) {
        self.peers[conn] = None;
    }

    fn pass(&mut self, time: Duration) {
        // The vector says how long; the server lives in real time.
        pause(time);
    }

    fn elapsed(&self) -> Duration {
        now() - self.start
    }
}
