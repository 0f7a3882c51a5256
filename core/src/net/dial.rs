//! Connecting without waiting.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::Address;
use super::local::LocalWire;
use super::wire::{Interest, Wait, Wire, poll_once};
use crate::error::{Error, ErrorKind};

/// A peer that has vanished without a word is noticed after about two minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 6;

/// Sets what every TCP connection of a client or worker has.
pub(crate) fn set_tcp_options(socket: socket2::SockRef<'_>) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)
}

/// An attempt to connect that blocks nobody.
#[derive(Debug)]
pub(crate) struct Dial {
    address: Address,
    /// What the host's name stands for and has not been tried.
    candidates: std::vec::IntoIter<SocketAddr>,
    socket: Option<Socket>,
    last: Option<io::Error>,
}

/// How far a [`Dial`] has come.
#[derive(Debug)]
pub(crate) enum Dialled {
    /// Ask again when the descriptor is writable.
    Pending(Dial),
    Connected(Wire),
    Failed(Error),
}

pub(crate) fn connect_error(address: &Address, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::CouldNotConnect, "connect", format!("{address}: {error}"))
}

fn failed_attempt(address: &Address, error: &io::Error) -> Error {
    connect_error(address, error).with_os_error(error.raw_os_error())
}

impl Dial {
    /// Begins. A host's name is looked up on the caller's thread.
    pub(crate) fn begin(address: &Address) -> Dialled {
        if let Address::Local(broker) = address {
            return match broker.connect() {
                Ok(link) => Dialled::Connected(Wire::Local(LocalWire::new(link))),
                Err(_) => Dialled::Failed(connect_error(address, &"the broker takes no connections")),
            };
        }
        let candidates = match address {
            Address::Tcp { host, port } => match (host.as_str(), *port).to_socket_addrs() {
                Ok(found) => found.collect::<Vec<_>>(),
                Err(error) => {
                    let detail = format!("{address}: {error}");
                    return Dialled::Failed(Error::new(ErrorKind::Resolve, "connect", detail));
                }
            },
            _ => Vec::new(),
        };
        let dial =
            Self { address: address.clone(), candidates: candidates.into_iter(), socket: None, last: None };
        dial.next_candidate()
    }

    fn next_candidate(mut self) -> Dialled {
        loop {
            let (domain, target) = match &self.address {
                Address::Unix(path) if self.last.is_none() => (Domain::UNIX, SockAddr::unix(path)),
                _ => match self.candidates.next() {
                    Some(address) => (Domain::for_address(address), Ok(address.into())),
                    None => {
                        let error = match &self.last {
                            Some(error) => failed_attempt(&self.address, error),
                            None => connect_error(&self.address, &"the name has no address"),
                        };
                        return Dialled::Failed(error);
                    }
                },
            };
            let attempt = target.and_then(|target| {
                let socket = Socket::new(domain, Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                match socket.connect(&target) {
                    Ok(()) => Ok((socket, true)),
                    // A Unix socket whose queue is full says WouldBlock and would never become writable.
                    Err(error) if is_in_progress(&error) && domain != Domain::UNIX => Ok((socket, false)),
                    Err(error) => Err(error),
                }
            });
            match attempt {
                Ok((socket, true)) => match Wire::socket(socket, domain == Domain::UNIX) {
                    Ok(wire) => return Dialled::Connected(wire),
                    Err(error) => self.last = Some(error),
                },
                Ok((socket, false)) => {
                    self.socket = Some(socket);
                    return Dialled::Pending(self);
                }
                Err(error) => self.last = Some(error),
            }
        }
    }

    /// Goes on after the descriptor has become writable.
    pub(crate) fn ready(mut self) -> Dialled {
        let Some(socket) = self.socket.take() else { return self.next_candidate() };
        match socket.take_error().and_then(|error| error.map_or(Ok(()), Err)) {
            Ok(()) => match Wire::socket(socket, false) {
                Ok(wire) => return Dialled::Connected(wire),
                Err(error) => self.last = Some(error),
            },
            Err(error) => self.last = Some(error),
        }
        self.next_candidate()
    }

    /// Goes on with the next address: this one has taken too long.
    pub(crate) fn timed_out(mut self) -> Dialled {
        self.socket = None;
        self.last = Some(io::Error::from(io::ErrorKind::TimedOut));
        self.next_candidate()
    }

    /// True where it is worth going on.
    pub(crate) fn is_ready(&self) -> io::Result<bool> {
        match &self.socket {
            Some(socket) => {
                Ok(poll_once(&mut [PollFd::new(socket, PollFlags::OUT)], Some(Duration::ZERO))?
                    == Wait::Ready)
            }
            None => Ok(true),
        }
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        self.socket.as_ref().map(|socket| (socket.as_fd(), Interest { read: false, write: true }))
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
