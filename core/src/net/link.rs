//! A connection to a broker in the same process, without a socket.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::protocol::{OutBuf, Request};

/// The broker has been stopped, or has closed this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkClosed;

/// A broker that can be entered without a socket.
pub trait LocalBroker: Send + Sync + fmt::Debug {
    /// A new connection.
    ///
    /// # Errors
    /// [`LinkClosed`] when the broker has been stopped, or its limit of connections has been reached.
    fn connect(&self) -> Result<Arc<dyn LocalLink>, LinkClosed>;
}

/// One connection to a broker of the same process. Requests are not encoded and take effect before the call returns;
/// dropping the link closes the connection, as the loss of a socket would.
pub trait LocalLink: Send + Sync + fmt::Debug {
    /// Applies `requests` in order and appends to `into` all responses that have arrived by then, those of other peers'
    /// doing included. With no requests it only collects.
    ///
    /// # Errors
    /// [`LinkClosed`] when the connection has ended. What had arrived before has been appended to `into`.
    fn exchange(&self, requests: &[Request<'_>], into: &mut OutBuf) -> Result<(), LinkClosed>;

    /// Lets the broker answer a line of the admin text protocol, given without its line end; appends the answer to `into`, behind
    /// whatever has arrived on this connection before.
    ///
    /// # Errors
    /// As [`LocalLink::exchange`].
    fn text(&self, line: &[u8], into: &mut OutBuf) -> Result<(), LinkClosed>;

    /// Ready when [`LocalLink::exchange`] would find something, or the connection has ended. One task can wait at a time.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Waits on the caller's thread for what [`LocalLink::poll_readable`] waits for; `None` waits without limit. False when
    /// `timeout` passed first.
    fn wait_readable(&self, timeout: Option<Duration>) -> bool;
}
