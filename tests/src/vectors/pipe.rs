//! A server in this process, entered without a socket.

use anyhow::{Context, Result, bail, ensure};
use lineshaft::net::{Address, LocalLink};
use lineshaft::protocol::{Decoder, Frame, Limits, OutBuf, Step};
use lineshaft::server::Server;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Arm, Vector};
use crate::clock::{now, pause};
use crate::wire::{Arrival, Peer};

/// Requests go through links to the broker. A connection that speaks the text protocol, which links do not carry, is a socket
/// to the same server.
#[derive(Debug)]
pub struct Pipe {
    server: Server,
    conns: Vec<Conn>,
    start: Instant,
}

#[derive(Debug)]
enum Conn {
    /// What it is shows with its first byte.
    New,
    Link {
        link: Arc<dyn LocalLink>,
        input: Vec<u8>,
        output: OutBuf,
    },
    Socket(Peer),
    Closed,
}

impl Pipe {
    /// A server with the options of `vector`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn new(vector: &Vector) -> Result<Self> {
        let config = super::config::config(&vector.server_args)?;
        let server = Server::builder().listen("127.0.0.1:0".parse()?).broker(config).start()?;
        Ok(Self { server, conns: Vec::new(), start: now() })
    }

    fn address(&self) -> Result<SocketAddr> {
        match &self.server.addresses()[0] {
            Address::Tcp { host, port } => Ok((host.parse::<std::net::IpAddr>()?, *port).into()),
            other => bail!("{other} is no TCP address"),
        }
    }

    fn link(&self) -> Result<Conn> {
        let link = self.server.local().connect().ok().context("the server is gone")?;
        Ok(Conn::Link { link, input: Vec::new(), output: OutBuf::new() })
    }
}

impl Arm for Pipe {
    fn open(&mut self) -> Result<usize> {
        self.conns.push(Conn::New);
        Ok(self.conns.len() - 1)
    }

    fn send(&mut self, conn: usize, bytes: &[u8]) -> Result<()> {
        if matches!(self.conns[conn], Conn::New) {
            let text = bytes.first().is_some_and(|byte| *byte != 0);
            self.conns[conn] =
                if text { Conn::Socket(Peer::connect(self.address()?)?) } else { self.link()? };
        }
        match &mut self.conns[conn] {
            Conn::Socket(peer) => peer.send(bytes),
            Conn::Link { link, input, output } => {
                input.extend_from_slice(bytes);
                let decoder = Decoder::new(Limits::default());
                while let Step::Frame { length, frame } = decoder.next(input)? {
                    let Frame::Request(request) = frame else {
                        bail!("a link carries requests only: {frame:?}")
                    };
                    ensure!(link.exchange(&[request], output).is_ok(), "the link is closed");
                    input.drain(..length);
                }
                Ok(())
            }
            Conn::New | Conn::Closed => bail!("the connection is closed"),
        }
    }

    fn receive(&mut self, conn: usize, limit: Duration, into: &mut Vec<u8>) -> Result<Arrival> {
        if matches!(self.conns[conn], Conn::New) {
            self.conns[conn] = self.link()?;
        }
        match &mut self.conns[conn] {
            Conn::Socket(peer) => peer.receive(limit, into),
            Conn::Link { link, output, .. } => {
                let arrived = !output.is_empty() || link.wait_readable(Some(limit));
                let open = link.exchange(&[], output).is_ok();
                if !output.is_empty() {
                    into.extend(std::mem::take(output).to_vec());
                    return Ok(Arrival::Bytes);
                }
                ensure!(!arrived || !open, "the link was readable, but there was nothing");
                Ok(if open { Arrival::Nothing } else { Arrival::Closed })
            }
            Conn::New | Conn::Closed => bail!("the connection is closed"),
        }
    }

    fn close(&mut self, conn: usize) {
        self.conns[conn] = Conn::Closed;
    }

    fn pass(&mut self, time: Duration) {
        // The vector says how long; the server lives in real time.
        pause(time);
    }

    fn elapsed(&self) -> Duration {
        now() - self.start
    }
}
