//! A connection that its owner steps: for callers who own the loop and the waiting, as libgearman's do.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use smallvec::SmallVec;

use super::dial::{Dial, Dialled};
use super::wire::{Wait, poll_once};
use super::{Address, ClientTls, Clock, Interest, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Decoder, Limits, Request, Response};

/// One connection to one server. No call waits, except for the resolver: [`wait`] does.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    tls: Option<ClientTls>,
    decoder: Decoder,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed,
    Dialling(Dial),
    Open(Wire),
}

impl Connection {
    /// A connection to `address` that is not open yet. Packets above `limits` end it.
    pub const fn new(address: Address, limits: Limits) -> Self {
        Self { address, tls: None, decoder: Decoder::new(limits), state: State::Closed }
    }

    /// What the next connection is made with; `None` makes it in plain text. One that is open stays as it is.
    pub fn set_tls(&mut self, tls: Option<ClientTls>) {
        self.tls = tls;
    }

    /// Where the server is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// True where requests can be sent.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// True where nothing has been begun, or all has ended.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Opens the connection, or goes on with that: true when it is open. One attempt covers all addresses of a name.
    ///
    /// # Errors
    /// [`ErrorKind::Resolve`], [`ErrorKind::CouldNotConnect`]; the connection is closed then.
    pub fn connect(&mut self) -> Result<bool> {
        let dialled = match std::mem::replace(&mut self.state, State::Closed) {
            State::Open(wire) => Dialled::Connected(wire),
            State::Closed => Dial::begin(&self.address, self.tls.as_ref()),
            State::Dialling(dial) => match dial.is_ready() {
                Ok(true) => dial.ready(),
                Ok(false) => Dialled::Pending(dial),
                Err(error) => Dialled::Failed(io_error("connect", &error)),
            },
        };
        match dialled {
            Dialled::Connected(wire) => {
                self.state = State::Open(wire);
                Ok(true)
            }
            Dialled::Pending(dial) => {
                self.state = State::Dialling(dial);
                Ok(false)
            }
            Dialled::Failed(error) => Err(error),
        }
    }

    /// Puts requests on their way; [`Connection::flush`] writes them. Nothing happens where the connection is not open.
    pub fn send(&mut self, requests: &[Request<'_>]) {
        if let State::Open(wire) = &mut self.state {
            wire.send(requests);
        }
    }

    /// Bytes that wait to be written.
    pub fn unsent(&self) -> usize {
        match &self.state {
            State::Open(wire) => wire.unsent(),
            _ => 0,
        }
    }

    /// Writes what the socket takes, and never raises SIGPIPE.
    ///
    /// # Errors
    /// [`ErrorKind::LostConnection`], [`ErrorKind::NotConnected`]; the connection is closed then.
    pub fn flush(&mut self) -> Result<()> {
        self.attempt(Wire::flush)
    }

    /// Reads once. False when nothing was there.
    ///
    /// # Errors
    /// As [`Connection::flush`]. What has arrived before is gone as well: take it out first.
    pub fn fill(&mut self) -> Result<bool> {
        self.attempt(Wire::fill)
    }

    fn attempt<T>(&mut self, action: impl FnOnce(&mut Wire) -> io::Result<T>) -> Result<T> {
        let State::Open(wire) = &mut self.state else {
            return Err(Error::new(ErrorKind::NotConnected, "connection", self.address.to_string()));
        };
        action(wire).map_err(|error| {
            self.state = State::Closed;
            let detail = format!("{}: {error}", self.address);
            Error::new(ErrorKind::LostConnection, "connection", detail).with_os_error(error.raw_os_error())
        })
    }

    /// Hands the packet in front of what has arrived to `take`, where a whole one is there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPacket`] where what has arrived is no packet; the connection is closed then.
    pub fn next<R>(&mut self, take: impl FnOnce(Response<'_>) -> R) -> Result<Option<R>> {
        let State::Open(wire) = &mut self.state else { return Ok(None) };
        wire.next(&self.decoder, take).inspect_err(|_| self.state = State::Closed)
    }

    /// Closes the connection at once. What has not been written is dropped.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Closes the connection after what has been sent has reached the server, which may take up to `patience`. A socket that
    /// is closed with something unread in it may throw away what it has not delivered.
    pub fn finish(&mut self, patience: Duration) {
        if let State::Open(wire) = std::mem::replace(&mut self.state, State::Closed) {
            let clock = Clock::new();
            // Whoever ends a connection has nobody left to tell.
            let _ = wire.close(|| patience.saturating_sub(clock.now()));
        }
    }

    /// The descriptor and what to wait for; `None` where there is nothing to wait for, or the broker is in this process.
    pub fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        match &self.state {
            State::Closed => None,
            State::Dialling(dial) => dial.interest(),
            State::Open(wire) => wire.interest(),
        }
    }

    /// True where the broker is in this process: [`wait`] cannot wait for it together with anything else.
    const fn local(&self) -> Option<&Wire> {
        match &self.state {
            State::Open(wire) if wire.is_local() => Some(wire),
            _ => None,
        }
    }
}

/// What a [`wait`] has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// At least one of the connections is worth stepping.
    Ready,
    /// The other descriptor can be read.
    Other,
    /// The time is over.
    TimedOut,
    /// A signal has arrived.
    Interrupted {
        /// What is left of the time; `None` where there was no limit.
        left: Option<Duration>,
    },
    /// There is nothing to wait for.
    Nothing,
}

/// How often a wait for a broker of this process looks at the other descriptor.
const LOCAL_CHECK: Duration = Duration::from_millis(50);

/// Waits once, until a connection or `other` is ready, a signal arrives or `timeout` has passed; `None` waits without limit.
///
/// # Errors
/// What the system says.
pub fn wait<'a>(
    connections: impl Iterator<Item = &'a Connection> + Clone,
    other: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    if let Some(wire) = connections.clone().find_map(Connection::local) {
        return wait_local(wire, other, timeout);
    }
    let mut fds = SmallVec::<[PollFd<'_>; 4]>::new();
    fds.extend(other.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    for (fd, interest) in connections.filter_map(Connection::interest) {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, interest.read);
        flags.set(PollFlags::OUT, interest.write);
        fds.push(PollFd::from_borrowed_fd(fd, flags));
    }
    if fds.len() == usize::from(other.is_some()) {
        return Ok(Woken::Nothing);
    }
    let clock = Clock::new();
    Ok(match poll_once(&mut fds, timeout)? {
        Wait::TimedOut => Woken::TimedOut,
        Wait::Interrupted => Woken::Interrupted { left: timeout.map(|all| all.saturating_sub(clock.now())) },
        Wait::Ready if other.is_some() && !fds[0].revents().is_empty() => Woken::Other,
        Wait::Ready => Woken::Ready,
    })
}

fn wait_local(wire: &Wire, other: Option<BorrowedFd<'_>>, timeout: Option<Duration>) -> io::Result<Woken> {
    let Some(other) = other else {
        return Ok(if wire.wait(timeout)? { Woken::Ready } else { Woken::TimedOut });
    };
    let mut left = timeout;
    loop {
        let mut fds = [PollFd::from_borrowed_fd(other, PollFlags::IN)];
        if poll_once(&mut fds, Some(Duration::ZERO))? == Wait::Ready {
            return Ok(Woken::Other);
        }
        let slice = left.map_or(LOCAL_CHECK, |left| left.min(LOCAL_CHECK));
        if wire.wait(Some(slice))? {
            return Ok(Woken::Ready);
        }
        left = left.map(|left| left.saturating_sub(slice));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Woken::TimedOut);
        }
    }
}

fn io_error(operation: &'static str, error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, operation, error.to_string()).with_os_error(error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::OutBuf;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    fn open(listener: &TcpListener) -> Connection {
        let mut connection = Connection::new(listener.local_addr().unwrap().into(), Limits::default());
        while !connection.connect().unwrap() {
            assert_eq!(wait([&connection].into_iter(), None, None).unwrap(), Woken::Ready);
        }
        connection
    }

    #[test]
    fn a_request_goes_out_and_its_answer_comes_in() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = open(&listener);
        let (mut server, _) = listener.accept().unwrap();
        connection.send(&[Request::PreSleep]);
        assert_eq!(connection.unsent(), 12);
        connection.flush().unwrap();
        let mut header = [0; 12];
        server.read_exact(&mut header).unwrap();
        assert_eq!(&header, b"\0REQ\0\0\0\x04\0\0\0\0");

        assert_eq!(wait([&connection].into_iter(), None, Some(Duration::ZERO)).unwrap(), Woken::TimedOut);
        let mut answer = OutBuf::new();
        Response::Noop.encode(&mut answer);
        server.write_all(&answer.to_vec()).unwrap();
        assert_eq!(wait([&connection].into_iter(), None, None).unwrap(), Woken::Ready);
        assert!(connection.fill().unwrap());
        let taken = connection.next(|response| matches!(response, Response::Noop)).unwrap();
        assert_eq!(taken, Some(true));
        assert_eq!(connection.next(|_| ()).unwrap(), None);
    }

    #[test]
    fn a_server_that_goes_away_closes_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = open(&listener);
        drop(listener.accept().unwrap());
        assert_eq!(wait([&connection].into_iter(), None, None).unwrap(), Woken::Ready);
        assert_eq!(connection.fill().unwrap_err().kind(), ErrorKind::LostConnection);
        assert!(connection.is_closed());
        assert_eq!(wait([&connection].into_iter(), None, None).unwrap(), Woken::Nothing);
        assert_eq!(connection.fill().unwrap_err().kind(), ErrorKind::NotConnected);
    }

    #[test]
    fn what_was_sent_arrives_though_nobody_reads_the_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = open(&listener);
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"an answer that stays unread").unwrap();
        connection.send(&[Request::PreSleep]);
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            server.read_to_end(&mut all).map(|_| all)
        });
        connection.finish(Duration::from_secs(10));
        assert_eq!(reader.join().unwrap().unwrap().len(), 12);
        assert!(connection.is_closed());
    }

    #[test]
    fn a_refused_connection_says_why() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut connection = Connection::new(address.into(), Limits::default());
        let error = loop {
            match connection.connect() {
                Ok(open) => assert!(!open),
                Err(error) => break error,
            }
            wait([&connection].into_iter(), None, None).unwrap();
        };
        assert_eq!(error.kind(), ErrorKind::CouldNotConnect);
        assert_eq!(error.os_error(), Some(rustix::io::Errno::CONNREFUSED.raw_os_error()));
    }
}
