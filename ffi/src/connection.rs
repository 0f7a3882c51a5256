//! One server of a client or worker, and the connection to it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use lineshaft::Result;
use lineshaft::net::{Address, Connection as Link};
use lineshaft::protocol::{Decoder, Limits, OutBuf, Request, Response, ResponseStep};

use crate::tls::Tls;

/// The largest packet that is taken from a server, in bytes.
const MAX_PACKET: usize = 1 << 30;

const fn limits() -> Limits {
    Limits {
        max_packet: MAX_PACKET,
        max_argument: 8191,
        max_line: 8191,
        max_words: 5,
        max_function: 512,
        max_unique: 64,
    }
}

/// What a new connection says first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Greeting {
    /// The name that the server's list of workers shows.
    pub(crate) identifier: Option<Box<[u8]>>,
    /// Options that a server has taken before, each once.
    pub(crate) options: Vec<Box<[u8]>>,
    pub(crate) tls: Tls,
}

/// One server. `P` is what a client or a worker knows about the conversation.
#[derive(Debug)]
pub(crate) struct Connection<P> {
    /// As the program gave it.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
    pub(crate) line: Line,
    pub(crate) peer: P,
}

impl<P: Default> Connection<P> {
    pub(crate) fn new(host: Box<str>, port: u16, address: Address) -> Self {
        Self { host, port, line: Line::new(address), peer: P::default() }
    }

    /// Another connection to the same server, not open.
    pub(crate) fn again<Q: Default>(&self) -> Connection<Q> {
        Connection::new(self.host.clone(), self.port, self.line.link.address().clone())
    }
}

/// The packets of one connection.
#[derive(Debug)]
pub(crate) struct Line {
    link: Link,
    greeted: bool,
    /// How often the connection has been opened.
    session: u64,
    /// Answers to options of the greeting, which nobody waits for.
    options_due: usize,
    /// Packets that came while something else was waited for, oldest first.
    kept: VecDeque<Bytes>,
}

impl Line {
    fn new(address: Address) -> Self {
        Self {
            link: Link::new(address, limits()),
            greeted: false,
            session: 0,
            options_due: 0,
            kept: VecDeque::new(),
        }
    }

    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// True where nothing is open and nothing is being opened.
    pub(crate) const fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Tells one conversation from the next: how often the connection has been opened.
    pub(crate) const fn session(&self) -> u64 {
        self.session
    }

    /// True where packets are kept for [`Line::next`], of which no socket tells.
    pub(crate) fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Opens the connection, or goes on with that: true when it is open. The greeting goes in front of everything.
    ///
    /// # Errors
    /// Those of connecting, and of TLS, where the program wants it: nothing is ever sent in the clear then.
    pub(crate) fn open(&mut self, greeting: &Greeting) -> Result<bool> {
        if self.link.is_closed() {
            self.link.set_tls(greeting.tls.client()?);
        }
        if !self.link.connect()? {
            return Ok(false);
        }
        if !std::mem::replace(&mut self.greeted, true) {
            self.session += 1;
            if let Some(id) = &greeting.identifier {
                self.link.send(&[Request::SetClientId { id }]);
            }
            for name in &greeting.options {
                self.link.send(&[Request::SetOption { name }]);
            }
            self.options_due = greeting.options.len();
        }
        Ok(true)
    }

    pub(crate) fn send(&mut self, request: &Request<'_>) {
        self.link.send(std::slice::from_ref(request));
    }

    pub(crate) fn unsent(&self) -> usize {
        self.link.unsent()
    }

    /// Writes what the socket takes. After an error the owner calls [`Line::close`].
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.link.unsent() == 0 { Ok(()) } else { self.link.flush() }
    }

    /// Reads once; false when nothing was there. After an error the owner calls [`Line::close`].
    pub(crate) fn fill(&mut self) -> Result<bool> {
        self.link.fill()
    }

    /// Hands the next packet to `take`. Answers to the greeting are not shown.
    pub(crate) fn next<R>(&mut self, take: impl FnOnce(Response<'_>) -> R) -> Result<Option<R>> {
        if let Some(packet) = self.kept.pop_front() {
            return match Decoder::new(limits()).next_response(&packet) {
                Ok(ResponseStep::Packet { response, .. }) => Ok(Some(take(response))),
                // What has been encoded here can be decoded.
                Ok(ResponseStep::Need { .. }) | Err(_) => Ok(None),
            };
        }
        self.arrived(take)
    }

    /// As [`Line::next`], past the packets that are kept.
    fn arrived<R>(&mut self, take: impl FnOnce(Response<'_>) -> R) -> Result<Option<R>> {
        let mut take = Some(take);
        loop {
            let due = &mut self.options_due;
            let taken = self.link.next(|response| {
                if *due > 0 && answers_option(&response) {
                    *due -= 1;
                    return None;
                }
                take.take().map(|take| take(response))
            })?;
            match taken {
                Some(None) => {}
                Some(shown) => return Ok(shown),
                None => return Ok(None),
            }
        }
    }

    /// Looks for the packet that `is` recognises among what has arrived; the others are kept for [`Line::next`].
    pub(crate) fn find<R>(&mut self, mut is: impl FnMut(&Response<'_>) -> Option<R>) -> Result<Option<R>> {
        loop {
            let found = self.arrived(|response| {
                is(&response).ok_or_else(|| {
                    let mut packet = OutBuf::new();
                    response.encode(&mut packet);
                    Bytes::from(packet.to_vec())
                })
            })?;
            match found {
                Some(Ok(found)) => return Ok(Some(found)),
                Some(Err(other)) => self.kept.push_back(other),
                None => return Ok(None),
            }
        }
    }

    /// Closes the connection for good, after what has been sent has reached the server.
    pub(crate) fn finish(&mut self, patience: Duration) {
        self.link.finish(patience);
    }

    /// Closes the connection. What was under way on it is its owner's to end.
    pub(crate) fn close(&mut self) {
        self.link.close();
        self.greeted = false;
        self.options_due = 0;
        self.kept.clear();
    }
}

/// True for what a server may answer to an option.
pub(crate) fn answers_option(response: &Response<'_>) -> bool {
    match response {
        Response::OptionSet { .. } => true,
        Response::Error { code, .. } => matches!(*code, b"UNKNOWN_OPTION" | b"INVALID_SERVER_OPTION"),
        _ => false,
    }
}

/// Where the server of a host and port is; the name is looked up now, so that a wrong one shows at once.
pub(crate) fn locate(host: &str, port: u16) -> std::io::Result<Address> {
    use std::net::ToSocketAddrs as _;
    if let Some(path) = host.strip_prefix("unix:") {
        return Ok(Address::Unix(path.into()));
    }
    (host, port).to_socket_addrs()?;
    Ok(Address::Tcp { host: host.to_owned(), port })
}
