//! The client's end of one TLS connection, without its socket: both drivers step it with theirs.

use std::io::{self, Read, Write};

use rustls::ClientConnection;

use super::of_client;
use crate::net::wire::closed_by_server;

/// Bytes read from the socket at once.
const CHUNK: usize = 16 << 10;

/// One TLS connection. What it holds of what has been sent and received is bounded by rustls: 64 KiB to be sent, one record received.
#[derive(Debug)]
pub(crate) struct Session {
    tls: Box<ClientConnection>,
    /// The server has said that nothing more comes.
    ended: bool,
}

impl Session {
    pub(super) fn new(tls: ClientConnection) -> Self {
        Self { tls: Box::new(tls), ended: false }
    }

    /// True where bytes wait for the socket to take them.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Goes on with the handshake as far as it goes without waiting. True when it is done; else the socket is to be waited for:
    /// until it can be read, and written where [`Session::wants_write`].
    ///
    /// # Errors
    /// Why the server is not trusted, or why it does not trust us.
    pub(crate) fn handshake(&mut self, socket: &mut (impl Read + Write)) -> io::Result<bool> {
        loop {
            self.flush(socket).map_err(|error| explained(&error))?;
            if !self.tls.is_handshaking() {
                return Ok(!self.tls.wants_write());
            }
            match self.tls.read_tls(socket) {
                Ok(0) => return Err(explained(&io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => self.digest(socket).map(|_| ())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explained(&error)),
            }
        }
    }

    /// Reads from the socket once and puts what that brings behind `into`. 0 where that was nothing for the program.
    ///
    /// # Errors
    /// What the system says, `WouldBlock` included; `UnexpectedEof` where the server has ended the connection; what is wrong with
    /// our certificate, which with TLS 1.3 a server says only after the handshake.
    pub(crate) fn read(&mut self, socket: &mut (impl Read + Write), into: &mut Vec<u8>) -> io::Result<usize> {
        if self.ended {
            return Err(closed_by_server());
        }
        let mut chunk = [0; CHUNK];
        let mut rest = match socket.read(&mut chunk)? {
            0 => return Err(closed_by_server()),
            count => &chunk[..count],
        };
        let before = into.len();
        while !rest.is_empty() && !self.ended {
            self.tls.read_tls(&mut rest)?;
            let ready = self.digest(socket)?;
            if ready > 0 {
                into.reserve(ready);
                self.tls.reader().take(ready as u64).read_to_end(into)?;
            }
        }
        Ok(into.len() - before)
    }

    /// Works on what has been read. Answers how many bytes there are for the program.
    fn digest(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        match self.tls.process_new_packets() {
            Ok(state) => {
                self.ended = state.peer_has_closed();
                Ok(state.plaintext_bytes_to_read())
            }
            Err(error) => {
                // The server is to know why; what there is to be said about it is in `error`.
                let _ = self.flush(socket);
                Err(explained(&io::Error::new(io::ErrorKind::InvalidData, error)))
            }
        }
    }

    /// Takes bytes to be sent, as many as there is room for.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tls.writer().write(bytes)
    }

    /// Gives the socket what it takes. Answers how much that was.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        let mut taken = 0;
        while self.tls.wants_write() {
            match self.tls.write_tls(socket) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Says that nothing more comes, to be flushed.
    pub(crate) fn finish(&mut self) {
        self.tls.send_close_notify();
    }
}

fn explained(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), of_client(error))
}
