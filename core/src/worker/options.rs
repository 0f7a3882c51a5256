//! What can be set on a worker.

use std::time::Duration;

use crate::net::ClientTls;
use crate::protocol::Limits;

/// Options of a worker. All have defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Jobs at once, on one connection per server. Default 1. A blocking worker does one at a time, whatever this says.
    pub concurrency: usize,
    /// The name that the admin command `workers` shows. Default `None`: the server shows `-`.
    pub client_id: Option<String>,
    /// How long one attempt to reach one address of a server may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How long a server may be silent while it owes an answer to GRAB_JOB_ALL before its connection is given up. Default 30 s.
    /// A worker that sleeps waits without limit; a server that vanishes meanwhile is noticed by TCP keepalive.
    pub answer_timeout: Duration,
    /// Bytes that may wait to be written on a connection before jobs have to wait with their reports. Default 4 MiB.
    pub max_unsent: usize,
    /// TLS: whom to trust, and who this worker is. Default `None`: plain text. Unix sockets and servers of this process stay without.
    pub tls: Option<ClientTls>,
    /// Limits on packets.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 1,
            client_id: None,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            max_unsent: 4 << 20,
            tls: None,
            limits: Limits::default(),
        }
    }
}
