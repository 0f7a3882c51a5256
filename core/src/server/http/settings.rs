//! Settings of the HTTP part.

use std::fmt;
use std::time::Duration;

use crate::net::Address;

/// Where HTTP is spoken, and within which limits. Plain data.
#[derive(Clone)]
pub struct Http {
    /// Where to listen; port 0 takes any free one. Who reaches a loopback address or a Unix socket may change things; on other addresses
    /// that takes [`Http::token`].
    pub listen: Vec<Address>,
    /// Where to speak gearmand's own HTTP protocol: the path names a function, the body is the workload. Whoever reaches it can submit
    /// jobs, as on Gearman's own port; browsers on behalf of pages cannot.
    pub gearmand: Vec<Address>,
    /// Names by which the server is reached, beside `localhost`, the names in [`Http::listen`] and addresses in numbers. A request for
    /// any other name is refused, because a web page could have made that name mean this server; `*` lets all names pass.
    pub hosts: Vec<String>,
    /// What a request that changes things, or asks for workloads and results, has to bring as `Authorization: Bearer`, or as the
    /// password of `Basic`, on all addresses. Default none: then only loopback addresses and Unix sockets take such requests.
    pub token: Option<String>,
    /// Connections at once; further ones are answered by 503. Default 256.
    pub max_connections: usize,
    /// Bytes of a request's head. Default 16 KiB; 8 KiB at the least.
    pub max_head: usize,
    /// Bytes of a request's body. Default 16 MiB.
    pub max_body: usize,
    /// Those who may watch the dashboard live at once; further ones are answered by 503. Default 32.
    pub max_listeners: usize,
    /// Bytes of a job's result, warnings included, for whoever waits for it. Default 16 MiB.
    pub max_result: usize,
    /// Functions that `/metrics` tells of one by one, the oldest first; the others are only counted. Default 1000.
    pub max_metric_functions: usize,
    /// How long a request's head may take, and its body, and how long a peer may take nothing of an answer. Default 30 s.
    pub patience: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            gearmand: Vec::new(),
            hosts: Vec::new(),
            token: None,
            max_connections: 256,
            max_head: 16 << 10,
            max_body: 16 << 20,
            max_listeners: 32,
            max_result: 16 << 20,
            max_metric_functions: 1000,
            patience: Duration::from_secs(30),
        }
    }
}

impl Http {
    /// HTTP on `address`, with default limits.
    pub fn on(address: Address) -> Self {
        Self { listen: vec![address], ..Self::default() }
    }
}

/// Without the token: settings are logged.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("listen", &self.listen)
            .field("gearmand", &self.gearmand)
            .field("has_token", &self.token.is_some())
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
