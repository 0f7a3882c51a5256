//! A server that does what a test tells it to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use lineshaft::protocol::{Command, Decoder, Header, Limits, OutBuf, Response};

use crate::kinds::PATIENCE;

pub(crate) struct Fake {
    listener: TcpListener,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream }
    }
}

/// The server's end of a connection. Dropping it closes.
pub(crate) struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// The next packet: its type, and its body with the NULs made visible.
    pub(crate) fn next(&mut self) -> (Command, String) {
        self.try_next().expect("a packet")
    }

    /// As [`Peer::next`]; `None` when the peer has closed.
    pub(crate) fn try_next(&mut self) -> Option<(Command, String)> {
        let mut header = [0; 12];
        match self.stream.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing has come"),
            Err(_) => return None,
        }
        let Header { command, size, .. } = Decoder::new(Limits::default()).header(&header).unwrap().unwrap();
        let mut body = vec![0; size];
        self.stream.read_exact(&mut body).unwrap();
        let shown = String::from_utf8_lossy(&body).replace('\0', "|");
        Some((command, shown))
    }

    pub(crate) fn send(&mut self, response: &Response<'_>) {
        let mut out = OutBuf::new();
        response.encode(&mut out);
        self.send_bytes(&out.to_vec());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads the client's wish for exceptions, and grants it.
    pub(crate) fn exceptions(&mut self) {
        assert_eq!(self.next(), (Command::OptionReq, "exceptions".into()));
        self.send(&Response::OptionSet { name: b"exceptions" });
    }
}
