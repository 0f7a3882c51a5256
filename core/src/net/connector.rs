//! How a connection comes about on the caller's thread: server after server, with a rest after each round.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::dial::{Dial, Dialled};
use super::wire::{self, Interest};
use super::{Backoff, ClientTls, Clock, Servers, Wire};
use crate::error::{Error, ErrorKind};

/// Tries the servers of a list in order until one takes the connection.
#[derive(Debug)]
pub(crate) struct Connector {
    servers: Servers,
    timeout: Duration,
    tls: Option<ClientTls>,
    backoff: Backoff,
    state: State,
    /// Where rounds begin.
    first: usize,
    /// The server of the last connection.
    connected: usize,
    /// What has gone wrong in this round.
    failures: Vec<Error>,
}

#[derive(Debug)]
enum State {
    /// The next round can begin.
    Ready,
    Dialling {
        dial: Dial,
        /// How many have failed before it in this round.
        turn: usize,
        since: Duration,
    },
    Resting {
        until: Duration,
    },
}

/// What has become of a [`Connector::poll`].
#[derive(Debug)]
pub(crate) enum Connecting {
    /// Nothing new; see [`Connector::wait`].
    Waiting,
    Connected(Wire),
    /// No server could be reached. The next round begins after a rest.
    RoundFailed(Error),
}

impl Connector {
    /// `timeout` is for one attempt, and once more for its TLS handshake.
    pub(crate) fn new(servers: Servers, timeout: Duration, tls: Option<ClientTls>) -> Self {
        let backoff = Backoff::new(Backoff::random_seed());
        let (state, failures) = (State::Ready, Vec::new());
        Self { servers, timeout, tls, backoff, state, first: 0, connected: 0, failures }
    }

    /// Forgets the rest: somebody wants a connection now.
    pub(crate) fn start_over(&mut self) {
        self.state = State::Ready;
        self.failures.clear();
    }

    /// The server of the last connection hangs: until there is a connection again, rounds begin with the one after it.
    pub(crate) fn avoid(&mut self) {
        self.first = (self.connected + 1) % self.servers.len();
    }

    /// The connection has been of use: the next rest is short again.
    pub(crate) const fn succeeded(&mut self) {
        self.backoff.reset();
    }

    /// Rests before the next round, because a connection was of no use.
    pub(crate) fn rest(&mut self, clock: &Clock) {
        self.state = State::Resting { until: clock.now() + self.backoff.next() };
    }

    /// Goes on as far as it goes without waiting. `ready` says that the descriptor of [`Connector::interest`] is.
    pub(crate) fn poll(&mut self, clock: &Clock, ready: bool) -> Connecting {
        let now = clock.now();
        let count = self.servers.len();
        let mut begun = None;
        let (mut turn, mut dialled) = match std::mem::replace(&mut self.state, State::Ready) {
            State::Resting { until } if until > now => {
                self.state = State::Resting { until };
                return Connecting::Waiting;
            }
            State::Ready | State::Resting { .. } => {
                (0, Dial::begin(&self.servers[self.first], self.tls.as_ref()))
            }
            // A handshake can be dragged out byte by byte.
            State::Dialling { dial, turn, since }
                if ready && (!dial.is_handshaking() || since.saturating_add(self.timeout) > now) =>
            {
                begun = Some((turn, dial.attempt(), since));
                (turn, dial.ready())
            }
            State::Dialling { dial, turn, since } if since.saturating_add(self.timeout) <= now => {
                (turn, dial.timed_out())
            }
            waiting @ State::Dialling { .. } => {
                self.state = waiting;
                return Connecting::Waiting;
            }
        };
        loop {
            match dialled {
                Dialled::Pending(dial) => {
                    // Looking up the name has taken its own time.
                    let since = match begun {
                        Some((of, attempt, since)) if (of, attempt) == (turn, dial.attempt()) => since,
                        _ => clock.now(),
                    };
                    self.state = State::Dialling { dial, turn, since };
                    return Connecting::Waiting;
                }
                Dialled::Connected(wire) => {
                    self.failures.clear();
                    self.connected = (self.first + turn) % count;
                    self.first = 0;
                    return Connecting::Connected(wire);
                }
                Dialled::Failed(error) => self.failures.push(error),
            }
            turn += 1;
            if turn == count {
                break;
            }
            dialled = Dial::begin(&self.servers[(self.first + turn) % count], self.tls.as_ref());
        }
        self.rest(clock);
        Connecting::RoundFailed(all_failed(&mut self.failures))
    }

    /// When to poll again, whatever happens.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match &self.state {
            State::Ready => None,
            State::Dialling { since, .. } => Some(since.saturating_add(self.timeout)),
            State::Resting { until } => Some(*until),
        }
    }

    /// The descriptor to wait for.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        match &self.state {
            State::Dialling { dial, .. } => dial.interest(),
            _ => None,
        }
    }

    /// Waits until it is worth polling, or until `limit`. True when the descriptor is ready.
    pub(crate) fn wait(&self, clock: &Clock, limit: Option<Duration>) -> io::Result<bool> {
        let until = self.deadline().into_iter().chain(limit).min();
        let timeout = until.map(|until| until.saturating_sub(clock.now()));
        match self.interest() {
            Some(fd) => Ok(wire::wait(&[fd], timeout)?[0]),
            None => wire::wait(&[], timeout.or(Some(Duration::ZERO))).map(|_| false),
        }
    }
}

/// One error of all that a round has brought.
pub(crate) fn all_failed(failures: &mut Vec<Error>) -> Error {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let details = failures.iter().map(Error::detail).collect::<Vec<_>>().join("; ");
    failures.clear();
    Error::new(ErrorKind::CouldNotConnect, "connect", details)
}
