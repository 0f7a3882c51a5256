//! Letting peers in by TLS. A handshake is its own task, so that nobody waits for a silent one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::log::Kind;
use super::state::Shared;
use super::stream::Stream;
use crate::error::Result;
use crate::net::ServerTls;
use crate::net::tls::{identity, of_server};
use crate::types::Identity;

/// What a TLS conversation begins with: a record of the handshake.
const HANDSHAKE: u8 = 0x16;

/// TLS of a server's listeners.
#[derive(Debug)]
pub(super) struct Tls {
    /// For connections that come from now on.
    config: Mutex<Arc<ServerConfig>>,
    max_handshakes: usize,
    handshake_timeout: Duration,
    /// Handshakes under way.
    under_way: AtomicUsize,
}

/// Counts one handshake.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Tls {
    /// # Errors
    /// What cannot be used of the settings.
    pub(super) fn new(settings: &ServerTls) -> Result<Arc<Self>> {
        let (max_handshakes, handshake_timeout) = settings.handshakes();
        Ok(Arc::new(Self {
            config: Mutex::new(settings.config()?),
            max_handshakes,
            handshake_timeout,
            under_way: AtomicUsize::new(0),
        }))
    }

    /// Has connections that come from now on use `settings`, whose limits do not count. Where they cannot be used all stays as it is.
    ///
    /// # Errors
    /// What cannot be used.
    pub(super) fn reload(&self, settings: &ServerTls) -> Result<()> {
        let config = settings.config()?;
        *self.config.lock() = config;
        Ok(())
    }

    /// Does the handshake. `None` where the peer is not let in: the log says why, and so does what the peer is sent.
    pub(super) async fn secure(
        &self,
        shared: &Shared,
        stream: TcpStream,
        peer: &str,
    ) -> Option<(Stream, Identity)> {
        if self.under_way.fetch_add(1, Relaxed) >= self.max_handshakes {
            self.under_way.fetch_sub(1, Relaxed);
            let limit = self.max_handshakes;
            shared.report(Kind::Handshakes, || {
                format!(
                    "connection from {peer} refused: {limit} TLS handshakes are under way (max_handshakes)"
                )
            });
            return None;
        }
        let under_way = UnderWay(&self.under_way);
        let limit = self.handshake_timeout;
        let (error, stream) = match timeout(limit, self.handshake(stream)).await {
            Ok(Ok(secured)) => return Some(secured),
            Ok(Err(failed)) => failed,
            Err(_) => {
                shared.report(Kind::Silent, || {
                    let why = "the TLS handshake was not finished within";
                    format!("connection from {peer} refused: {why} {limit:?} (handshake_timeout)")
                });
                return None;
            }
        };
        drop(under_way);
        match error {
            Failure::Gone => {
                tracing::debug!(target: "lineshaft::tls", "{peer} has gone before a TLS handshake")
            }
            Failure::Plain => {
                shared.report(Kind::SpeaksPlain, || {
                    let why = "it does not speak TLS, and this port takes nothing else; turn TLS on in that client or worker";
                    format!("connection from {peer} refused: {why}")
                });
                shared.farewells.tell(Stream::Tcp(stream), "TLS_REQUIRED", "This port takes TLS only").await;
            }
            Failure::Handshake(error) => {
                shared.report(Kind::Handshake, || {
                    format!("connection from {peer} refused: {}", of_server(&error))
                });
                // TLS has sent an alert.
                shared.farewells.close(Stream::Tcp(stream)).await;
            }
        }
        None
    }

    async fn handshake(&self, stream: TcpStream) -> Result<(Stream, Identity), (Failure, TcpStream)> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first[0] == HANDSHAKE => {}
            Ok(1) => return Err((Failure::Plain, stream)),
            _ => return Err((Failure::Gone, stream)),
        }
        let acceptor = TlsAcceptor::from(self.config.lock().clone());
        match acceptor.accept(stream).into_fallible().await {
            Ok(secured) => {
                let identity = identity(secured.get_ref().1.peer_certificates());
                Ok((Stream::Tls(Box::new(secured)), identity))
            }
            Err((error, stream)) => Err((Failure::Handshake(error), stream)),
        }
    }
}

/// Why there is no TLS with a peer.
#[derive(Debug)]
enum Failure {
    /// It has not said anything.
    Gone,
    /// It speaks something else.
    Plain,
    Handshake(io::Error),
}
