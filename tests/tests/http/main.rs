//! The server's HTTP: what it says, whom it lets do what, and how it deals with those who misbehave.

mod act;
mod dashboard;
mod described;
mod gearmand;
mod guard;
mod hostile;
mod look;
mod metrics;

use anyhow::{Result, bail};
use lineshaft::net::Address;
use lineshaft::server::{Http, Server};
use lineshaft_tests::wire::Peer;
use std::net::SocketAddr;

/// A server in this process, its Gearman port and its HTTP port.
struct House {
    server: Server,
    gearman: SocketAddr,
    http: SocketAddr,
}

impl House {
    fn new() -> Result<Self> {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Http)) -> Result<Self> {
        let mut http = Http::on("127.0.0.1:0".parse()?);
        change(&mut http);
        let server = Server::builder().listen("127.0.0.1:0".parse()?).http(http).start()?;
        let (gearman, http) = (tcp(server.addresses())?, tcp(server.http_addresses())?);
        Ok(Self { server, gearman, http })
    }

    fn peer(&self) -> Result<Peer> {
        Peer::connect(self.gearman)
    }
}

fn tcp(addresses: &[Address]) -> Result<SocketAddr> {
    match addresses {
        [Address::Tcp { host, port }] => Ok(SocketAddr::new(host.parse()?, *port)),
        other => bail!("it listens on {other:?}"),
    }
}
