//! Connecting without waiting.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::local::LocalWire;
use super::secure::Secure;
use super::wire::{Interest, Wait, Wire, poll_once};
use super::{Address, ClientTls};
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
    tls: Option<ClientTls>,
    /// What the host's name stands for and has not been tried.
    candidates: std::vec::IntoIter<SocketAddr>,
    stage: Stage,
    /// Counts what has its own time limit: an address, a handshake.
    attempt: u32,
    last: Option<io::Error>,
}

/// What is waited for.
#[derive(Debug)]
enum Stage {
    /// Nothing.
    Idle,
    /// The connection.
    Connecting(Socket),
    /// The TLS handshake.
    Handshaking(Box<Secure<TcpStream>>),
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

/// What to say of a server that takes a connection and then says nothing that is TLS.
pub(super) const NO_HANDSHAKE: &str =
    "the server has not finished the TLS handshake in time; does this port take TLS?";

impl Dial {
    /// Begins. A host's name is looked up on the caller's thread. With `tls` a connection by TCP is one when the server has proved
    /// who it is; Unix sockets stay without.
    pub(crate) fn begin(address: &Address, tls: Option<&ClientTls>) -> Dialled {
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
        let dial = Self {
            address: address.clone(),
            tls: tls.cloned(),
            candidates: candidates.into_iter(),
            stage: Stage::Idle,
            attempt: 0,
            last: None,
        };
        dial.next_candidate()
    }

    fn next_candidate(mut self) -> Dialled {
        loop {
            self.attempt += 1;
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
                Ok((socket, true)) if domain == Domain::UNIX => match Wire::socket(socket, true) {
                    Ok(wire) => return Dialled::Connected(wire),
                    Err(error) => self.last = Some(error),
                },
                Ok((socket, true)) => match self.connected(socket) {
                    ControlFlow::Break(dialled) => return dialled,
                    ControlFlow::Continue(dial) => self = dial,
                },
                Ok((socket, false)) => {
                    self.stage = Stage::Connecting(socket);
                    return Dialled::Pending(self);
                }
                Err(error) => self.last = Some(error),
            }
        }
    }

    /// Goes on with a TCP socket that is connected; or with the next address, where that fails.
    fn connected(mut self, socket: Socket) -> ControlFlow<Dialled, Self> {
        let begun = match (&self.tls, &self.address) {
            (Some(tls), Address::Tcp { host, .. }) => set_tcp_options((&socket).into())
                .and_then(|()| Secure::new(socket.into(), tls, host))
                .map(|stream| Err(Box::new(stream))),
            _ => Wire::socket(socket, false).map(Ok),
        };
        match begun {
            Ok(Ok(wire)) => ControlFlow::Break(Dialled::Connected(wire)),
            Ok(Err(stream)) => {
                self.attempt += 1;
                self.shake_hands(stream)
            }
            Err(error) => {
                self.last = Some(error);
                ControlFlow::Continue(self)
            }
        }
    }

    fn shake_hands(mut self, mut stream: Box<Secure<TcpStream>>) -> ControlFlow<Dialled, Self> {
        match stream.handshake() {
            Ok(true) => ControlFlow::Break(Dialled::Connected(Wire::secure(stream))),
            Ok(false) => {
                self.stage = Stage::Handshaking(stream);
                ControlFlow::Break(Dialled::Pending(self))
            }
            Err(error) => {
                self.last = Some(error);
                ControlFlow::Continue(self)
            }
        }
    }

    /// Goes on after the descriptor has become ready.
    pub(crate) fn ready(mut self) -> Dialled {
        let further = match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => ControlFlow::Continue(self),
            Stage::Connecting(socket) => {
                match socket.take_error().and_then(|error| error.map_or(Ok(()), Err)) {
                    Ok(()) => self.connected(socket),
                    Err(error) => {
                        self.last = Some(error);
                        ControlFlow::Continue(self)
                    }
                }
            }
            Stage::Handshaking(stream) => self.shake_hands(stream),
        };
        match further {
            ControlFlow::Break(dialled) => dialled,
            ControlFlow::Continue(dial) => dial.next_candidate(),
        }
    }

    /// Goes on with the next address: this one has taken too long.
    pub(crate) fn timed_out(mut self) -> Dialled {
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        self.last = Some(match stage {
            Stage::Handshaking(_) => io::Error::new(io::ErrorKind::TimedOut, NO_HANDSHAKE),
            _ => io::ErrorKind::TimedOut.into(),
        });
        self.next_candidate()
    }

    /// True where the server is connected and TLS is under way.
    pub(crate) const fn is_handshaking(&self) -> bool {
        matches!(self.stage, Stage::Handshaking(_))
    }

    /// Changes when something begins that has a time limit of its own.
    pub(crate) const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// True where it is worth going on.
    pub(crate) fn is_ready(&self) -> io::Result<bool> {
        let Some((fd, interest)) = self.interest() else { return Ok(true) };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, interest.read);
        flags.set(PollFlags::OUT, interest.write);
        Ok(poll_once(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(Duration::ZERO))? == Wait::Ready)
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        match &self.stage {
            Stage::Idle => None,
            Stage::Connecting(socket) => Some((socket.as_fd(), Interest { read: false, write: true })),
            Stage::Handshaking(stream) => {
                Some((stream.socket.as_fd(), Interest { read: true, write: stream.wants_write() }))
            }
        }
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
