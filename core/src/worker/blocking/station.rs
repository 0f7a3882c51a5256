//! One server of a blocking worker: its connection, and the conversation on it.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::OnError;
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, Clock, Connecting, Connector, Interest, Wire};
use crate::protocol::{Request, Work};
use crate::worker::Options;
use crate::worker::exchange::Exchange;
use crate::worker::job::Report;

/// How long a server that has been asked for a job may be silent before others are asked as well. The job that it sends later then
/// waits until the one that another has sent is done.
pub(super) const OTHERS_TURN: Duration = Duration::from_secs(1);

/// One server of the worker.
pub(super) struct Station {
    pub(super) address: Address,
    pub(super) exchange: Exchange,
    pub(super) connector: Connector,
    pub(super) wire: Option<Wire>,
    /// The last wait has shown that there is something to read, or that a connection has come about.
    pub(super) ready: bool,
}

impl Station {
    /// True where the server would answer a question for a job.
    pub(super) fn may_be_asked(&self) -> bool {
        self.wire.is_some() && self.exchange.is_awake()
    }

    /// True where its answer is worth waiting for before another server is asked.
    pub(super) fn holds_up_others(&self, now: Duration) -> bool {
        let since = self.exchange.grabbing_since().unwrap_or(now);
        self.exchange.is_grabbing() && now < since.saturating_add(OTHERS_TURN)
    }

    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        match &self.wire {
            Some(wire) => wire.interest(),
            None => self.connector.interest(),
        }
    }

    pub(super) fn connect(&mut self, clock: &Clock, ready: bool, on_error: &mut OnError) {
        match self.connector.poll(clock, ready) {
            Connecting::Connected(wire) => {
                let wire = self.wire.insert(wire);
                self.exchange.connected(&mut sender(wire));
                if let Err(error) = wire.flush() {
                    self.lose(&io_error(&error), clock, on_error);
                }
            }
            Connecting::RoundFailed(error) => on_error(&self.address, &error),
            Connecting::Waiting => {}
        }
    }

    pub(super) fn lose(&mut self, error: &Error, clock: &Clock, on_error: &mut OnError) {
        self.wire = None;
        self.exchange.lost();
        self.connector.rest(clock);
        on_error(&self.address, error);
    }
}

/// Sends where there is a connection; what an exchange sends without one is nothing.
pub(super) fn maybe(wire: &mut Option<Wire>) -> impl FnMut(&[Request<'_>]) {
    move |requests| {
        if let Some(wire) = wire {
            wire.send(requests);
        }
    }
}

pub(super) fn sender(wire: &mut Wire) -> impl FnMut(&[Request<'_>]) {
    move |requests| wire.send(requests)
}

/// The way of a running job to its server.
pub(super) struct Line<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) clock: &'a Clock,
    pub(super) options: &'a Options,
}

impl Report for Line<'_> {
    fn report(&mut self, handle: &[u8], work: Work<'_>) -> Result<()> {
        self.wire.send(&[Request::Work { handle, work }]);
        let lost = |error: io::Error| Error::new(ErrorKind::LostConnection, "job", error.to_string());
        let Options { max_unsent, answer_timeout, .. } = *self.options;
        self.wire.flush_down_to(max_unsent, self.clock, answer_timeout).map_err(lost)
    }
}

pub(super) fn io_error(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => ErrorKind::LostConnection,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "connection", error.to_string())
}
