//! A connection on the caller's thread: no runtime, no thread of its own.

use std::io::{self, IoSlice, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::inbuf::InBuf;
use super::{Address, LocalLink};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Decoder, OutBuf, Request, Response, ResponseStep};

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

impl Dial {
    /// Begins. A host's name is looked up on the caller's thread.
    pub(crate) fn begin(address: &Address) -> Dialled {
        if let Address::Local(broker) = address {
            return match broker.connect() {
                Ok(link) => Dialled::Connected(Wire::local(link)),
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
                            Some(error) => connect_error(&self.address, error),
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

    /// What to wait for.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        self.socket.as_ref().map(|socket| (socket.as_fd(), Interest { read: false, write: true }))
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Bytes to read.
    pub read: bool,
    /// Room to write.
    pub write: bool,
}

/// Waits until one of `fds` is ready, or `timeout` has passed; `None` waits without limit. Says for each whether it is ready.
pub(crate) fn wait(fds: &[(BorrowedFd<'_>, Interest)], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = fds
        .iter()
        .map(|(fd, interest)| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, interest.read);
            flags.set(PollFlags::OUT, interest.write);
            PollFd::from_borrowed_fd(*fd, flags)
        })
        .collect();
    poll_all(&mut polled, timeout)?;
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

fn poll_all(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as i64,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    match poll(polled, timeout.as_ref()) {
        // A signal: the caller looks at its deadlines and comes again.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Stream {
    /// std's `write` asks the kernel not to raise SIGPIPE; its `write_vectored` does not.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }
}

/// A connection to a server, driven by its owner.
#[derive(Debug)]
pub(crate) enum Wire {
    Socket { stream: SocketStream, input: InBuf, out: OutBuf },
    Local { link: Arc<dyn LocalLink>, input: OutBuf, closed: bool },
}

/// Keeps [`Stream`] an affair of this file.
#[derive(Debug)]
pub(crate) struct SocketStream(Stream);

impl Wire {
    fn socket(socket: Socket, unix: bool) -> io::Result<Self> {
        if !unix {
            set_tcp_options((&socket).into())?;
        }
        let stream = if unix { Stream::Unix(socket.into()) } else { Stream::Tcp(socket.into()) };
        Ok(Self::Socket { stream: SocketStream(stream), input: InBuf::default(), out: OutBuf::new() })
    }

    fn local(link: Arc<dyn LocalLink>) -> Self {
        Self::Local { link, input: OutBuf::new(), closed: false }
    }

    pub(crate) const fn is_local(&self) -> bool {
        matches!(self, Self::Local { .. })
    }

    /// Puts requests on their way. A socket gets them with the next [`Wire::flush`]; a broker of this process has applied
    /// them when the call returns.
    pub(crate) fn send(&mut self, requests: &[Request<'_>]) {
        match self {
            Self::Socket { out, .. } => out.put_requests(requests),
            Self::Local { link, input, closed } => *closed |= link.exchange(requests, input).is_err(),
        }
    }

    /// Bytes that wait to be written.
    pub(crate) const fn unsent(&self) -> usize {
        match self {
            Self::Socket { out, .. } => out.len(),
            Self::Local { .. } => 0,
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Self::Socket { stream, out, .. } = self else { return Ok(()) };
        while !out.is_empty() {
            let mut slices = [IoSlice::new(&[])];
            out.slices(&mut slices);
            match stream.0.write(&slices[0]) {
                Ok(count) => out.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once, without waiting. False when nothing was there.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` where the server has closed the connection.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        match self {
            Self::Socket { stream, input, .. } => {
                match rustix::io::read(&stream.0, rustix::buffer::spare_capacity(input.room())) {
                    Ok(0) => Err(closed_by_server()),
                    Ok(_) => Ok(true),
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Local { link, input, closed } => {
                *closed |= link.exchange(&[], input).is_err();
                if !input.is_empty() {
                    Ok(true)
                } else if *closed {
                    Err(closed_by_server())
                } else {
                    Ok(false)
                }
            }
        }
    }

    /// Hands everything that has arrived whole to `each`.
    pub(crate) fn drain(&mut self, decoder: &Decoder, each: impl FnMut(Response<'_>)) -> Result<()> {
        match self {
            Self::Socket { input, .. } => input.drain(decoder, each).map_err(|error| decode_error(&error)),
            Self::Local { input, .. } => drain_local(input, decoder, each),
        }
    }

    /// Waits until something can be read (or, where bytes wait to be written, until they can be), or `timeout` has passed.
    /// True where it is worth reading.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        match self {
            Self::Socket { stream, out, .. } => {
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, !out.is_empty());
                let mut fds = [PollFd::new(&stream.0, flags)];
                poll_all(&mut fds, timeout)?;
                Ok(fds[0].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
            }
            Self::Local { link, .. } => Ok(link.wait_readable(timeout)),
        }
    }

    /// The descriptor and what to wait for; `None` in the same process.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        match self {
            Self::Socket { stream, out, .. } => {
                Some((stream.0.as_fd(), Interest { read: true, write: !out.is_empty() }))
            }
            Self::Local { .. } => None,
        }
    }
}

pub(crate) fn closed_by_server() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server has closed the connection")
}

pub(crate) fn decode_error(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidPacket, "receive", error.to_string())
}

/// Hands the responses of a broker of this process to `each`, leaving `input` empty.
pub(crate) fn drain_local(
    input: &mut OutBuf,
    decoder: &Decoder,
    mut each: impl FnMut(Response<'_>),
) -> Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if input.contiguous().is_none() {
        // Large data stands apart from its header; it is put together in a buffer that the data then keeps.
        let mut whole = InBuf::default();
        whole.room().extend_from_slice(&input.to_vec());
        input.advance(input.len());
        return whole.drain(decoder, each).map_err(|error| decode_error(&error));
    }
    let bytes = input.contiguous().unwrap_or_default();
    let mut at = 0;
    while at < bytes.len() {
        match decoder.next_response(&bytes[at..]).map_err(|error| decode_error(&error))? {
            ResponseStep::Packet { length, response } => {
                each(response);
                at += length;
            }
            ResponseStep::Need { .. } => {
                return Err(decode_error(&"the broker has left a packet unfinished"));
            }
        }
    }
    input.advance(at);
    Ok(())
}
