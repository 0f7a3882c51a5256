//! A TCP socket with TLS, for both drivers.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use socket2::SockRef;

use super::ClientTls;
use super::inbuf::InBuf;
use super::tls::Session;

/// A socket that does not block, with its TLS session.
#[derive(Debug)]
pub(crate) struct Secure<S> {
    pub(super) socket: S,
    session: Session,
}

/// What reads from and writes to a socket without waiting. A write is never a vectored one: std's does not ask the kernel to leave
/// SIGPIPE alone, and `Write` makes plain ones of vectored ones where nobody says otherwise.
pub(crate) struct Bare<'a, S>(&'a S);

impl Read for Bare<'_, std::net::TcpStream> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&mut &*self.0).read(into)
    }
}

impl Write for Bare<'_, std::net::TcpStream> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Bare<'_, tokio::net::TcpStream> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Bare<'_, tokio::net::TcpStream> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S> Secure<S>
where
    for<'a> Bare<'a, S>: Read + Write,
    for<'a> SockRef<'a>: From<&'a S>,
{
    /// Begins a session over a connected socket.
    pub(super) fn new(socket: S, tls: &ClientTls, host: &str) -> io::Result<Self> {
        Ok(Self { socket, session: tls.session(host)? })
    }

    /// See [`Session::handshake`].
    pub(super) fn handshake(&mut self) -> io::Result<bool> {
        self.session.handshake(&mut Bare(&self.socket))
    }

    /// True where bytes wait for the socket to take them.
    pub(super) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    /// Reads once; see [`Session::read`].
    pub(super) fn read(&mut self, input: &mut InBuf) -> io::Result<usize> {
        self.session.read(&mut Bare(&self.socket), input.room())
    }

    /// Takes bytes and sends what the socket takes. `WouldBlock` where there is no room for any.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.session.write(bytes)?;
        self.flush()?;
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Sends what the socket takes. Answers how much that was.
    pub(super) fn flush(&mut self) -> io::Result<usize> {
        self.session.flush(&mut Bare(&self.socket))
    }

    /// Tells the server that nothing more comes. What the socket does not take at once of that is not worth waiting for.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.session.finish();
        self.flush()?;
        SockRef::from(&self.socket).shutdown(Shutdown::Write)
    }
}
