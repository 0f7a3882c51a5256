//! Letting peers in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Phase;
use super::builder::Keepalive;
use super::connection::Connection;
use super::listener::Listener;
use super::log::Kind;
use super::state::{Refusal, Shared};
use super::stream::Stream;
use super::tls::Tls;
use crate::protocol::Decoder;
use crate::types::Identity;

/// How long accepting pauses when the system has no descriptors or memory for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What an accepted connection needs.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) shared: Arc<Shared>,
    pub(super) keepalive: Keepalive,
    /// Where all connections of this listener use TLS.
    pub(super) tls: Option<Arc<Tls>>,
    /// The runtimes of the I/O threads; connections are dealt out to them in turn. The first is the one that accepts.
    pub(super) handles: Arc<[Handle]>,
}

/// Lets peers in until the server stops listening.
pub(super) async fn accept(acceptor: Acceptor, listener: Listener, mut phase: watch::Receiver<Phase>) {
    let mut turn = 0;
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener) => accepted,
            _ = phase.wait_for(|phase| *phase > Phase::Serving) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let thread = turn % acceptor.handles.len();
                turn = turn.wrapping_add(1);
                if let Err(error) = acceptor.admit(stream, peer, thread) {
                    tracing::debug!(target: "lineshaft::net", "a connection went before it was let in: {error}");
                }
            }
            Err(error) => shortage(&acceptor.shared, &error).await,
        }
    }
}

/// What to do where accepting fails: says what is wrong, and pauses where the system lacks something.
pub(super) async fn shortage(shared: &Shared, error: &io::Error) {
    if !is_shortage(error) {
        tracing::debug!(target: "lineshaft::net", "a connection could not be accepted: {error}");
        return;
    }
    shared.report(Kind::Shortage, || format!("no more connections can be accepted: {error}"));
    tokio::time::sleep(PAUSE).await;
}

/// A connection and who it is.
pub(super) async fn next(listener: &Listener) -> io::Result<(Stream, String)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, peer) = listener.accept().await?;
            Ok((Stream::Tcp(stream), peer.ip().to_string()))
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            Ok((Stream::Unix(stream), "unix".to_owned()))
        }
    }
}

/// The system lacks something that others will give back: accepting again at once would spin.
fn is_shortage(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | WouldBlock)
}

impl Acceptor {
    fn admit(&self, stream: Stream, peer: String, thread: usize) -> io::Result<()> {
        if let Stream::Tcp(stream) = &stream {
            stream.set_nodelay(true)?;
            self.set_keepalive(stream)?;
        }
        tracing::debug!(target: "lineshaft::net", "Accepted connection from {peer}");
        let (shared, decoder) = (self.shared.clone(), *self.shared.decoder.lock());
        let identity = match &stream {
            Stream::Unix(_) => Identity::Unix,
            _ => Identity::Anonymous,
        };
        if let Some(tls) = self.tls.clone() {
            self.handles[thread].spawn(admit_by_tls(tls, Moved::from(stream)?, shared, decoder, peer));
            return Ok(());
        }
        if thread == 0 {
            match Connection::open(shared, decoder, stream, &peer, &identity) {
                Ok(connection) => _ = self.handles[0].spawn(connection),
                Err((refusal, stream)) => {
                    let shared = self.shared.clone();
                    self.handles[0].spawn(async move { turn_away(&shared, stream, &peer, refusal).await });
                }
            }
            return Ok(());
        }
        let moved = Moved::from(stream)?;
        self.handles[thread].spawn(async move {
            let Ok(stream) = moved.register() else { return };
            match Connection::open(shared.clone(), decoder, stream, &peer, &identity) {
                Ok(connection) => connection.await,
                Err((refusal, stream)) => turn_away(&shared, stream, &peer, refusal).await,
            }
        });
        Ok(())
    }

    fn set_keepalive(&self, stream: &TcpStream) -> io::Result<()> {
        let Keepalive { idle, interval, count } = self.keepalive;
        let socket = SockRef::from(stream);
        if idle.is_none() && interval.is_none() && count.is_none() {
            return socket.set_keepalive(true);
        }
        let mut keepalive = TcpKeepalive::new();
        if let Some(idle) = idle {
            keepalive = keepalive.with_time(idle);
        }
        if let Some(interval) = interval {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(count) = count {
            keepalive = keepalive.with_retries(count);
        }
        socket.set_tcp_keepalive(&keepalive)
    }
}

/// Does the handshake, and serves the connection as a task of its own: one that serves is not to be as large as one that greets.
async fn admit_by_tls(tls: Arc<Tls>, moved: Moved, shared: Arc<Shared>, decoder: Decoder, peer: String) {
    let Ok(Stream::Tcp(stream)) = moved.register() else { return };
    let Some((stream, identity)) = tls.secure(&shared, stream, &peer).await else { return };
    match Connection::open(shared.clone(), decoder, stream, &peer, &identity) {
        Ok(connection) => _ = tokio::spawn(connection),
        Err((refusal, stream)) => turn_away(&shared, stream, &peer, refusal).await,
    }
}

async fn turn_away(shared: &Shared, stream: Stream, peer: &str, refusal: Refusal) {
    match refusal {
        Refusal::Full(limit) => {
            let why = format!("The limit of {limit} connections (max_connections) has been reached");
            shared.report(Kind::Full, || format!("connection from {peer} refused: {why}"));
            shared.farewells.tell(stream, "TOO_MANY_CONNECTIONS", &why).await;
        }
        Refusal::Ending => {
            tracing::debug!(target: "lineshaft::net", "connection from {peer} refused: the server ends");
        }
    }
}

/// A socket on its way to another thread's runtime.
enum Moved {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Moved {
    fn from(stream: Stream) -> io::Result<Self> {
        Ok(match stream {
            Stream::Tcp(stream) => Self::Tcp(stream.into_std()?),
            Stream::Unix(stream) => Self::Unix(stream.into_std()?),
            #[cfg(feature = "tls")]
            Stream::Tls(_) => return Err(io::ErrorKind::Unsupported.into()),
        })
    }

    fn register(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => Stream::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Stream::Unix(UnixStream::from_std(stream)?),
        })
    }
}
