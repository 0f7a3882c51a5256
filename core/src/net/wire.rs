//! A connection on the caller's thread: no runtime, no thread of its own.

use std::io::{self, IoSlice, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use super::Clock;
use super::dial::set_tcp_options;
use super::inbuf::InBuf;
use super::local::{LocalWire, next_local};
use super::secure::Secure;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Decoder, OutBuf, Request, Response};

/// How long a server may be silent, without closing a connection that has been half-closed, until that is given up.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

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
    // After a signal the caller looks at its deadlines and comes again.
    poll_once(polled, timeout).map(|_| ())
}

/// What one wait for descriptors has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Ready,
    TimedOut,
    Interrupted,
}

pub(super) fn poll_once(polled: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<Wait> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as i64,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    match poll(polled, timeout.as_ref()) {
        Ok(0) => Ok(Wait::TimedOut),
        Ok(_) => Ok(Wait::Ready),
        Err(rustix::io::Errno::INTR) => Ok(Wait::Interrupted),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Secure<TcpStream>>),
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.socket.as_fd(),
        }
    }
}

impl Stream {
    /// Tells the server that nothing more comes.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.finish(),
        }
    }

    /// std's `write` asks the kernel not to raise SIGPIPE; its `write_vectored` does not.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    /// Bytes wait inside of TLS for the kernel to take them.
    fn wants_write(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.wants_write(),
            _ => false,
        }
    }

    /// Reads once; 0 where the server has closed the connection. With TLS that is an error, and 0 stands for bytes that are none
    /// of ours.
    fn read(&mut self, input: &mut InBuf) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.read(input),
            plain => match rustix::io::read(plain, rustix::buffer::spare_capacity(input.room()))? {
                0 => Err(closed_by_server()),
                count => Ok(count),
            },
        }
    }
}

/// A connection to a server, driven by its owner.
#[derive(Debug)]
pub(crate) enum Wire {
    Socket(SocketWire),
    Local(LocalWire),
}

/// A socket with its buffers.
#[derive(Debug)]
pub(crate) struct SocketWire {
    stream: Stream,
    input: InBuf,
    out: OutBuf,
    /// The kernel has not taken everything.
    blocked: bool,
    /// Something has come in, or the kernel has taken more of what it had not taken before.
    moved: bool,
    /// Bytes that the kernel has taken so far.
    taken: u64,
}

/// What has arrived on a wire, taken out of it so that the wire can send while it is read.
#[derive(Debug)]
pub(crate) enum Input {
    Socket(InBuf),
    Local(OutBuf),
}

impl Input {
    /// Hands the packet in front to `take`, where a whole one is there.
    pub(crate) fn next<R>(
        &mut self,
        decoder: &Decoder,
        take: impl FnOnce(Response<'_>) -> R,
    ) -> Result<Option<R>> {
        match self {
            Self::Socket(input) => input.next(decoder, take).map_err(|error| decode_error(&error)),
            Self::Local(input) => next_local(input, decoder, take),
        }
    }
}

impl Wire {
    /// A wire over a connected socket that does not block.
    pub(super) fn socket(socket: Socket, unix: bool) -> io::Result<Self> {
        if !unix {
            set_tcp_options((&socket).into())?;
        }
        Ok(Self::over(if unix { Stream::Unix(socket.into()) } else { Stream::Tcp(socket.into()) }))
    }

    /// A wire over a TLS session whose handshake is done.
    pub(super) fn secure(stream: Box<Secure<TcpStream>>) -> Self {
        Self::over(Stream::Tls(stream))
    }

    fn over(stream: Stream) -> Self {
        let (input, out) = (InBuf::default(), OutBuf::new());
        Self::Socket(SocketWire { stream, input, out, blocked: false, moved: false, taken: 0 })
    }

    pub(crate) const fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Puts requests on their way. A socket gets them with the next [`Wire::flush`]; a broker of this process has applied
    /// them when the call returns.
    pub(crate) fn send(&mut self, requests: &[Request<'_>]) {
        match self {
            Self::Socket(socket) => socket.out.put_requests(requests),
            Self::Local(local) => local.send(requests),
        }
    }

    /// Puts a text line on its way, with its line end.
    pub(crate) fn send_text(&mut self, line: &[u8]) {
        match self {
            Self::Socket(socket) => socket.out.put(line),
            Self::Local(local) => local.send_text(line),
        }
    }

    /// Takes out what has arrived, for a reader of text.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        match self {
            Self::Socket(socket) => socket.input.take_bytes(),
            Self::Local(local) => local.take_input().to_vec(),
        }
    }

    /// Drops what has arrived unasked.
    ///
    /// # Errors
    /// As [`Wire::fill`].
    pub(crate) fn discard_input(&mut self) -> io::Result<()> {
        while self.fill()? {
            self.take_bytes();
        }
        Ok(())
    }

    /// Bytes that wait to be written.
    pub(crate) fn unsent(&self) -> usize {
        match self {
            Self::Socket(socket) => socket.unsent(),
            Self::Local(_) => 0,
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.flush(),
            Self::Local(_) => Ok(()),
        }
    }

    /// Reads once, without waiting. False when nothing was there.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` where the server has closed the connection.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        match self {
            Self::Socket(socket) => socket.fill(),
            Self::Local(local) => local.fill(),
        }
    }

    /// Reads from a socket that is `ready`; from a broker of this process when everything before has been taken.
    pub(crate) fn refill(&mut self, ready: bool) -> io::Result<()> {
        match self {
            Self::Socket(socket) if ready => socket.fill().map(|_| ()),
            Self::Local(local) if !local.has_input() => local.fill().map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Hands everything that has arrived whole to `each`.
    pub(crate) fn drain(&mut self, decoder: &Decoder, each: impl FnMut(Response<'_>)) -> Result<()> {
        match self {
            Self::Socket(socket) => socket.input.drain(decoder, each).map_err(|error| decode_error(&error)),
            Self::Local(local) => local.drain(decoder, each),
        }
    }

    /// Hands the packet in front of what has arrived to `take`, where a whole one is there.
    pub(crate) fn next<R>(
        &mut self,
        decoder: &Decoder,
        take: impl FnOnce(Response<'_>) -> R,
    ) -> Result<Option<R>> {
        match self {
            Self::Socket(socket) => socket.input.next(decoder, take).map_err(|error| decode_error(&error)),
            Self::Local(local) => local.next(decoder, take),
        }
    }

    /// Takes out what has arrived. [`Wire::put_back`] must follow before the next [`Wire::fill`].
    pub(crate) fn take_input(&mut self) -> Input {
        match self {
            Self::Socket(socket) => Input::Socket(std::mem::take(&mut socket.input)),
            Self::Local(local) => Input::Local(local.take_input()),
        }
    }

    /// Puts back what has not been read.
    pub(crate) fn put_back(&mut self, rest: Input) {
        match (self, rest) {
            (Self::Socket(socket), Input::Socket(rest)) => socket.input = rest,
            (Self::Local(local), Input::Local(rest)) => local.put_back(rest),
            _ => {}
        }
    }

    /// Waits until something can be read (or, where bytes wait to be written, until they can be), or `timeout` has passed.
    /// True where it is worth reading.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        match self {
            Self::Socket(socket) => {
                let mut flags = PollFlags::IN;
                flags.set(PollFlags::OUT, socket.unsent() > 0);
                let mut fds = [PollFd::new(&socket.stream, flags)];
                poll_all(&mut fds, timeout)?;
                Ok(fds[0].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
            }
            Self::Local(local) => Ok(local.wait(timeout)),
        }
    }

    /// Writes until no more than `at_most` bytes are left. `patience`: how long the server may take nothing.
    ///
    /// # Errors
    /// What the system says; `TimedOut` where the server has taken nothing for that long.
    pub(crate) fn flush_down_to(
        &mut self,
        at_most: usize,
        clock: &Clock,
        patience: Duration,
    ) -> io::Result<()> {
        self.flush()?;
        let (mut taken, mut since) = (0, None);
        while let Self::Socket(socket) = self
            && socket.unsent() > at_most
        {
            let now = clock.now();
            let since: &mut Duration = since.get_or_insert(now);
            if socket.taken > taken {
                (taken, *since) = (socket.taken, now);
            }
            let left = patience.saturating_sub(now.saturating_sub(*since));
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            poll_all(&mut [PollFd::new(&socket.stream, PollFlags::OUT)], Some(left))?;
            socket.flush()?;
        }
        Ok(())
    }

    /// Whether a large packet has got on since this was last asked, though it may not be whole.
    pub(crate) const fn take_moved(&mut self) -> bool {
        match self {
            Self::Socket(socket) => std::mem::replace(&mut socket.moved, false),
            Self::Local(_) => false,
        }
    }

    /// Ends the connection in a way that loses nothing that has been sent: waits until the kernel has taken it, `left` at
    /// the most, then half-closes the connection and reads until the server closes it as well. A socket that is closed with
    /// something unread in it throws away what it has not delivered yet.
    ///
    /// # Errors
    /// What the system says; `TimedOut` where the server has not taken everything in time.
    pub(crate) fn close(self, left: impl Fn() -> Duration) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.close(left),
            Self::Local(_) => Ok(()),
        }
    }

    /// The descriptor and what to wait for; `None` in the same process.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, Interest)> {
        match self {
            Self::Socket(socket) => {
                Some((socket.stream.as_fd(), Interest { read: true, write: socket.unsent() > 0 }))
            }
            Self::Local(_) => None,
        }
    }
}

impl SocketWire {
    /// Bytes that wait to be written; with TLS some may wait beyond the buffer, and count as one.
    fn unsent(&self) -> usize {
        match self.out.len() {
            0 => usize::from(self.stream.wants_write()),
            unsent => unsent,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[])];
            self.out.slices(&mut slices);
            match self.stream.write(&slices[0]) {
                Ok(count) => {
                    self.out.advance(count);
                    self.taken += count as u64;
                    self.moved |= self.blocked;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if let Stream::Tls(stream) = &mut self.stream
            && stream.wants_write()
        {
            let taken = stream.flush()?;
            self.taken += taken as u64;
            self.moved |= self.blocked && taken > 0;
        }
        self.blocked = self.unsent() > 0;
        Ok(())
    }

    fn close(mut self, left: impl Fn() -> Duration) -> io::Result<()> {
        self.flush()?;
        while self.unsent() > 0 {
            let left = left();
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            poll_all(&mut [PollFd::new(&self.stream, PollFlags::OUT)], Some(left))?;
            self.flush()?;
        }
        self.stream.finish()?;
        let mut rest = [0; 4096];
        loop {
            match rustix::io::read(&self.stream, &mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
                    poll_all(&mut fds, Some(left().min(FAREWELL)))?;
                    if fds[0].revents().is_empty() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        match self.stream.read(&mut self.input) {
            Ok(count) => {
                self.moved |= count > 0;
                Ok(count > 0)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn closed_by_server() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server has closed the connection")
}

pub(crate) fn decode_error(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidPacket, "receive", error.to_string())
}
