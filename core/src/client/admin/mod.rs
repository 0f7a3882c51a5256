//! The admin client: the text protocol of a server.

mod answer;
mod calls;
mod client;
mod client_blocking;
mod rows;

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, ClientTls, IntoServers};

pub use client::Admin;
pub use client_blocking::BlockingAdmin;
pub use rows::{ExplanationRow, FunctionStatus, JobRow, PriorityStatus, ScheduleRow, StoreRow, WorkerStatus};

/// Options of an admin client.
#[derive(Clone, Debug)]
pub struct AdminOptions {
    /// How long one attempt to reach one address of the server may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How long the server may take for one answer. Default 30 s.
    pub answer_timeout: Duration,
    /// The largest answer, in bytes. Default 256 MiB: a server with a million functions has a long `status`.
    pub max_answer: usize,
    /// TLS: whom to trust, and who this client is. Default `None`: plain text. Unix sockets and servers of this process stay without.
    pub tls: Option<ClientTls>,
}

impl Default for AdminOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            max_answer: 256 << 20,
            tls: None,
        }
    }
}

/// The one server of an admin client.
fn single(servers: impl IntoServers) -> Result<Address> {
    let servers = servers.into_servers()?;
    match &*servers {
        [address] => Ok(address.clone()),
        _ => {
            let detail = format!("an admin client speaks to one server, not to {}: {servers}", servers.len());
            Err(Error::new(ErrorKind::InvalidArgument, "admin", detail))
        }
    }
}

fn timed_out(timeout: Duration) -> Error {
    let detail = format!("the server has not finished its answer within {timeout:?}");
    Error::new(ErrorKind::Timeout, "admin", detail)
}

fn lost(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::LostConnection, "admin", error.to_string())
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "admin", "the broker has been stopped")
}
