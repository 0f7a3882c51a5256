//! What can be set on a client.

use std::time::Duration;

use super::exchange::Settings;
use crate::net::ClientTls;
use crate::protocol::Limits;

/// Options of a client. All have defaults; change what you need:
///
/// ```
/// use std::time::Duration;
/// use lineshaft::client::Options;
///
/// let options = Options { connect_timeout: Duration::from_secs(1), ..Options::default() };
/// assert!(options.exceptions);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one attempt to reach one address of one server may take. Default 5 s. Looking up a host's name is not counted:
    /// the system's resolver has its own limits.
    pub connect_timeout: Duration,
    /// A client that has lost its connection tries the servers again for so long, with growing pauses, before a request ends with
    /// [`ErrorKind::CouldNotConnect`](crate::ErrorKind::CouldNotConnect). Default 5 s; zero tries each server once. The first connection of
    /// a client is always tried once.
    pub reconnect_within: Duration,
    /// How long a server may be silent while it owes an answer (JOB_CREATED, a status, an echo) before its connection is given up.
    /// Default 30 s.
    pub answer_timeout: Duration,
    /// How long a foreground task may take, from its submission to its last event. Default `None`: no limit, a job may run for days.
    pub task_timeout: Option<Duration>,
    /// Whether failures with an exception arrive as exceptions. Default true; without it they arrive as plain failures.
    pub exceptions: bool,
    /// Requests that may wait for their direct answer before further ones are held back. Default 1024.
    pub max_unanswered: usize,
    /// Bytes of events that a task may leave unread before it ends with [`ErrorKind::DataTooLarge`](crate::ErrorKind::DataTooLarge).
    /// Default 256 MiB.
    pub max_unread: usize,
    /// Bytes that may wait to be written before further requests are held back. Default 4 MiB; one request of any size always fits.
    pub max_unsent: usize,
    /// TLS: whom to trust, and who this client is. Default `None`: plain text. Unix sockets and servers of this process stay without.
    pub tls: Option<ClientTls>,
    /// Limits on packets, of both directions.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            reconnect_within: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            task_timeout: None,
            exceptions: true,
            max_unanswered: 1024,
            max_unread: 256 << 20,
            max_unsent: 4 << 20,
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl Options {
    pub(super) const fn settings(&self) -> Settings {
        Settings { answer_timeout: self.answer_timeout, max_unread: self.max_unread }
    }
}
