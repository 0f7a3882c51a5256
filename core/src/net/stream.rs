//! A socket for tokio.

use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::dial::{NO_HANDSHAKE, connect_error, set_tcp_options};
use super::inbuf::InBuf;
use super::secure::Secure;
use super::wire::{FAREWELL, closed_by_server};
use super::{Address, ClientTls, LocalLink};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::OutBuf;
use std::sync::Arc;
use std::time::Duration;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Secure<TcpStream>>),
}

/// What connecting gives.
#[derive(Debug)]
pub(crate) enum Connected {
    Socket(Stream),
    Local(Arc<dyn LocalLink>),
}

/// Connects to `address`; `limit` is for one attempt at one of the addresses that a host's name stands for, and once more for the
/// TLS handshake. Unix sockets stay without TLS.
pub(crate) async fn connect(
    address: &Address,
    limit: Duration,
    tls: Option<&ClientTls>,
) -> Result<Connected> {
    let timed_out = || connect_error(address, &io::Error::from(io::ErrorKind::TimedOut));
    match address {
        Address::Local(broker) => {
            let refused = |_| connect_error(address, &"the broker takes no connections");
            broker.connect().map(Connected::Local).map_err(refused)
        }
        Address::Unix(path) => match timeout(limit, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => Ok(Connected::Socket(Stream::Unix(stream))),
            Ok(Err(error)) => Err(connect_error(address, &error)),
            Err(_) => Err(timed_out()),
        },
        Address::Tcp { host, port } => {
            let unresolved =
                |why: String| Error::new(ErrorKind::Resolve, "connect", format!("{address}: {why}"));
            let found = match timeout(limit, lookup_host((host.as_str(), *port))).await {
                Ok(found) => found.map_err(|error| unresolved(error.to_string()))?,
                Err(_) => return Err(unresolved("the resolver has not answered in time".to_owned())),
            };
            let mut last = connect_error(address, &"the name has no address");
            for candidate in found {
                match timeout(limit, TcpStream::connect(candidate)).await {
                    Ok(Ok(stream)) => match secured(stream, host, limit, tls).await {
                        Ok(stream) => return Ok(Connected::Socket(stream)),
                        Err(error) => last = connect_error(address, &error),
                    },
                    Ok(Err(error)) => last = connect_error(address, &error),
                    Err(_) => last = timed_out(),
                }
            }
            Err(last)
        }
    }
}

/// What a connected socket becomes.
async fn secured(
    stream: TcpStream,
    host: &str,
    limit: Duration,
    tls: Option<&ClientTls>,
) -> io::Result<Stream> {
    set_tcp_options((&stream).into())?;
    let Some(tls) = tls else { return Ok(Stream::Tcp(stream)) };
    let mut stream = Box::new(Secure::new(stream, tls, host)?);
    let handshake = async {
        while !stream.handshake()? {
            stream.socket.ready(interest(stream.wants_write())).await?;
        }
        io::Result::Ok(())
    };
    match timeout(limit, handshake).await {
        Ok(done) => done.map(|()| Stream::Tls(stream)),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, NO_HANDSHAKE)),
    }
}

fn interest(write: bool) -> Interest {
    if write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE }
}

/// One call on whichever socket it is.
macro_rules! on {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
            Stream::Tls(secure) => {
                let $inner = &secure.socket;
                $call
            }
        }
    };
}

impl Stream {
    /// Waits until it is worth reading, or writing where `write` is set. Cancel safe.
    pub(crate) async fn ready(&self, write: bool) -> io::Result<()> {
        let interest = interest(write || self.wants_write());
        on!(self, stream => stream.ready(interest).await.map(|_| ()))
    }

    /// Bytes wait inside of TLS for the kernel to take them.
    fn wants_write(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.wants_write(),
            _ => false,
        }
    }

    /// Reads once, without waiting. False when nothing was there.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` where the server has closed the connection.
    pub(crate) fn fill(&mut self, input: &mut InBuf) -> io::Result<bool> {
        let read = match self {
            Self::Tls(stream) => stream.read(input),
            plain => match on!(plain, stream => stream.try_read_buf(input.room())) {
                Ok(0) => Err(closed_by_server()),
                read => read,
            },
        };
        match read {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends the connection in a way that loses nothing that has been written: half-closes it and reads until the server closes
    /// it as well, `left` at the most. A socket that is closed with something unread in it throws away what it has not
    /// delivered yet.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn close(&mut self, left: impl Fn() -> Duration) -> io::Result<()> {
        while self.wants_write() {
            match timeout(left(), self.ready(true)).await {
                Ok(ready) => ready?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
            self.flush(&mut OutBuf::new())?;
        }
        match &mut *self {
            Self::Tls(stream) => stream.finish()?,
            plain => on!(&*plain, stream => SockRef::from(stream).shutdown(Shutdown::Write))?,
        }
        let mut rest = [0; 4096];
        loop {
            match on!(self, stream => stream.try_read(&mut rest)) {
                Ok(0) => return Ok(()),
                Ok(_) if left().is_zero() => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match timeout(left().min(FAREWELL), self.ready(false)).await {
                        Ok(ready) => ready?,
                        Err(_) => return Ok(()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self, out: &mut OutBuf) -> io::Result<()> {
        while !out.is_empty() {
            let mut slices = [io::IoSlice::new(&[])];
            out.slices(&mut slices);
            let written = match &mut *self {
                Self::Tls(stream) => stream.write(&slices[0]),
                plain => on!(plain, stream => stream.try_write(&slices[0])),
            };
            match written {
                Ok(count) => out.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if let Self::Tls(stream) = self {
            stream.flush()?;
        }
        Ok(())
    }
}
