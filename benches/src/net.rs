//! The load's connections: one thread, one poll, one read and one write a connection and turn.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::wire::{self, Language, Packet};
use crate::{Result, clock};

/// What is read from a connection at once, in bytes.
const CHUNK: usize = 256 << 10;
/// Events taken from the system at once.
const EVENTS: usize = 1024;
/// So many connections are opened before the server must have answered on all of them: the shortest listen queue in use
/// (gearmand's default of 32) then never overflows, which would cost a second each time.
const CONNECT_TOGETHER: usize = 16;
/// How long a server may take to answer an ECHO_REQ or PING on fresh connections.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// Number of a connection; used again after it has been closed.
pub(crate) type PeerId = usize;

/// What is done with the packets that arrive.
pub(crate) trait Receive {
    /// A packet has arrived on `peer`.
    fn packet(&mut self, net: &mut Net, peer: PeerId, packet: Packet<'_>) -> Result<()>;

    /// When [`Receive::due`] wants to be called, if nothing arrives before.
    fn alarm(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Receive::alarm`] has come.
    fn due(&mut self, _net: &mut Net) -> Result<()> {
        Ok(())
    }
}

/// One connection to the server.
#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    connected: bool,
    /// Answers are text, handed on as they arrive.
    text: bool,
    /// Closed as soon as `output` has been sent.
    leaving: bool,
    /// Listed in [`Net::dirty`].
    listed: bool,
    /// The beginning of a packet.
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of `output` has been sent.
    sent: usize,
}

/// All connections to one server.
#[derive(Debug)]
pub(crate) struct Net {
    address: SocketAddr,
    language: Language,
    poll: Poll,
    events: Events,
    peers: Vec<Option<Peer>>,
    free: Vec<PeerId>,
    /// Connections with something to send.
    dirty: Vec<PeerId>,
    chunk: Vec<u8>,
    now: Instant,
}

impl Net {
    /// No connection yet to the server at `address`.
    pub(crate) fn new(address: SocketAddr, language: Language) -> Result<Self> {
        Ok(Self {
            address,
            language,
            poll: Poll::new().map_err(|error| format!("cannot poll: {error}"))?,
            events: Events::with_capacity(EVENTS),
            peers: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            chunk: vec![0; CHUNK],
            now: clock::now(),
        })
    }

    /// What the server speaks.
    pub(crate) const fn language(&self) -> Language {
        self.language
    }

    /// When the current turn began.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Begins to connect. What is put into [`Net::out`] is sent as soon as the server takes it.
    pub(crate) fn connect(&mut self) -> Result<PeerId> {
        let mut stream = TcpStream::connect(self.address)
            .map_err(|error| format!("cannot connect to {}: {error}", self.address))?;
        let id = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            self.peers.len() - 1
        });
        self.poll
            .registry()
            .register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE)
            .map_err(|error| format!("cannot poll a connection: {error}"))?;
        self.peers[id] = Some(Peer {
            stream,
            connected: false,
            text: false,
            leaving: false,
            listed: false,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
        });
        Ok(id)
    }

    /// Opens `count` connections, sends on each what `greet` puts for it (by its place among them), and returns when the
    /// server has answered on all of them. `greet` must put nothing that is answered.
    pub(crate) fn connect_many(
        &mut self,
        count: usize,
        mut greet: impl FnMut(&mut Vec<u8>, usize),
    ) -> Result<Vec<PeerId>> {
        let mut peers = Vec::with_capacity(count);
        while peers.len() < count {
            let group = CONNECT_TOGETHER.min(count - peers.len());
            for _ in 0..group {
                let peer = self.connect()?;
                greet(self.out(peer), peers.len());
                peers.push(peer);
            }
            self.echo_all(&peers[peers.len() - group..])?;
        }
        Ok(peers)
    }

    /// Makes sure that the server has dealt with everything that has been sent on `peers`.
    pub(crate) fn echo_all(&mut self, peers: &[PeerId]) -> Result<()> {
        for peer in peers {
            self.language.put_echo(self.out(*peer));
        }
        let mut echoes = Echoes { missing: peers.len() };
        let until = clock::now() + CONNECT_PATIENCE;
        while echoes.missing > 0 {
            let left = until.saturating_duration_since(self.now);
            if left.is_zero() {
                return Err(format!("no answer on {} connections for {CONNECT_PATIENCE:?}", echoes.missing));
            }
            self.turn(&mut echoes, left)?;
        }
        Ok(())
    }

    /// Where to put what is to be sent to `peer` at the end of the turn.
    pub(crate) fn out(&mut self, id: PeerId) -> &mut Vec<u8> {
        let peer = self.peers[id].as_mut().expect("the load does not write to what it has closed");
        if !peer.listed {
            peer.listed = true;
            self.dirty.push(id);
        }
        &mut peer.output
    }

    /// From here on `peer` speaks text.
    pub(crate) fn expect_text(&mut self, id: PeerId) {
        if let Some(peer) = &mut self.peers[id] {
            peer.text = true;
        }
    }

    /// Closes `peer` after everything has been sent.
    pub(crate) fn leave(&mut self, id: PeerId) {
        self.out(id);
        if let Some(peer) = &mut self.peers[id] {
            peer.leaving = true;
        }
    }

    /// Sends what there is to send, waits for at most `wait` until something arrives, and hands it to `receiver`.
    pub(crate) fn turn(&mut self, receiver: &mut impl Receive, wait: Duration) -> Result<()> {
        self.flush()?;
        let wait = match receiver.alarm() {
            Some(due) => wait.min(due.saturating_duration_since(clock::now())),
            None => wait,
        };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(format!("cannot poll: {error}"));
            }
            _ => self.now = clock::now(),
        }
        if receiver.alarm().is_some_and(|due| due <= self.now) {
            receiver.due(self)?;
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut result = Ok(());
        for event in &events {
            result = self.event(receiver, event);
            if result.is_err() {
                break;
            }
        }
        self.events = events;
        result?;
        self.flush()
    }

    fn event(&mut self, receiver: &mut impl Receive, event: &Event) -> Result<()> {
        let Token(id) = event.token();
        let Some(peer) = &mut self.peers[id] else { return Ok(()) };
        if !peer.connected {
            match peer.stream.take_error() {
                Ok(None) if event.is_writable() => {}
                Ok(None) => return Ok(()),
                Ok(Some(error)) | Err(error) => {
                    return Err(format!("cannot connect to {}: {error}", self.address));
                }
            }
            peer.connected = true;
            peer.stream.set_nodelay(true).map_err(|error| format!("cannot set TCP_NODELAY: {error}"))?;
        }
        if event.is_writable() && !peer.listed && !peer.output.is_empty() {
            peer.listed = true;
            self.dirty.push(id);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(receiver, id)
        } else {
            Ok(())
        }
    }

    /// Reads until nothing is left. Less than a whole chunk means that nothing is: whatever comes later is a new event.
    fn read(&mut self, receiver: &mut impl Receive, id: PeerId) -> Result<()> {
        let mut chunk = std::mem::take(&mut self.chunk);
        let result = loop {
            let Some(peer) = &mut self.peers[id] else { break Ok(()) };
            match peer.stream.read(&mut chunk) {
                Ok(0) => break Err("the server closed a connection".into()),
                Ok(length) => match self.receive(receiver, id, &chunk[..length]) {
                    Ok(()) if length == chunk.len() => {}
                    result => break result,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(format!("the server dropped a connection: {error}")),
            }
        };
        self.chunk = chunk;
        result
    }

    fn receive(&mut self, receiver: &mut impl Receive, id: PeerId, bytes: &[u8]) -> Result<()> {
        let Some(peer) = &mut self.peers[id] else { return Ok(()) };
        if peer.text {
            return receiver.packet(self, id, Packet { kind: wire::TEXT, body: bytes });
        }
        if peer.input.is_empty() {
            let used = self.packets(receiver, id, bytes)?;
            if let Some(peer) = &mut self.peers[id] {
                peer.input.extend_from_slice(&bytes[used..]);
            }
            return Ok(());
        }
        let mut input = std::mem::take(&mut peer.input);
        input.extend_from_slice(bytes);
        let used = self.packets(receiver, id, &input)?;
        input.drain(..used);
        if let Some(peer) = &mut self.peers[id] {
            peer.input = input;
        }
        Ok(())
    }

    /// Hands on all whole packets; says how many bytes they take.
    fn packets(&mut self, receiver: &mut impl Receive, id: PeerId, bytes: &[u8]) -> Result<usize> {
        let mut used = 0;
        while let Some((packet, length)) = self.language.packet(&bytes[used..])? {
            receiver.packet(self, id, packet)?;
            used += length;
        }
        Ok(used)
    }

    fn flush(&mut self) -> Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(peer) = &mut self.peers[id] else { continue };
            peer.listed = false;
            if !peer.connected {
                continue;
            }
            peer.send()?;
            if peer.leaving && peer.output.is_empty() {
                // Dropping it closes it, and with that the poll forgets it.
                self.peers[id] = None;
                self.free.push(id);
            }
        }
        self.dirty = dirty;
        Ok(())
    }
}

impl Peer {
    fn send(&mut self) -> Result<()> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("the server takes nothing more: {error}")),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Counts the answers to [`Net::echo_all`].
struct Echoes {
    missing: usize,
}

impl Receive for Echoes {
    fn packet(&mut self, _net: &mut Net, _peer: PeerId, packet: Packet<'_>) -> Result<()> {
        if !packet.is_echo() {
            return Err(packet.unexpected("while connecting"));
        }
        self.missing -= 1;
        Ok(())
    }
}
