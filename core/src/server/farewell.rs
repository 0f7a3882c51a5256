//! A peer that is not let in hears why.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::stream::Stream;
use crate::error::ErrorKind;
use crate::protocol::{OutBuf, Response};

/// Peers that are told at a time; further ones are closed without a word, so that refusing many costs little.
const AT_ONCE: usize = 64;
/// How long a peer may take to say the byte that shows whether it speaks packets or lines, and then to read what it is told.
const PATIENCE: Duration = Duration::from_secs(1);
/// What it may send meanwhile, in bytes: what is left unread when a socket is closed takes along what was sent.
const DISCARD: u64 = 64 << 10;

/// Counts the peers that are being told.
#[derive(Debug, Default)]
pub(super) struct Farewells(AtomicUsize);

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Farewells {
    /// Tells a peer `why`, as an ERROR packet or, to one that speaks in lines, as `ERR` and `word`; then closes.
    pub(super) async fn tell(&self, mut stream: Stream, word: &str, why: &str) {
        let place = Place(&self.0);
        if place.0.fetch_add(1, Relaxed) >= AT_ONCE {
            return;
        }
        let mut first = [0];
        // Who has nothing to say is a worker or client that waits: these speak packets.
        let read = timeout(PATIENCE, stream.read(&mut first)).await;
        if matches!(read, Ok(Ok(0) | Err(_))) {
            return;
        }
        let mut out = OutBuf::new();
        if first[0] == 0 {
            Response::error(ErrorKind::Server, why).encode(&mut out);
        } else {
            let line = format!("ERR {word} {}\r\n", why.replace(' ', "+"));
            Response::Text(line.as_bytes()).encode(&mut out);
        }
        // Whoever is gone already needs no answer.
        let _ = timeout(PATIENCE, send(stream, &out.to_vec())).await;
    }
}

impl Farewells {
    /// Closes a connection whose peer has been told already, when it has read that.
    #[cfg(feature = "tls")]
    pub(super) async fn close(&self, stream: Stream) {
        let place = Place(&self.0);
        if place.0.fetch_add(1, Relaxed) < AT_ONCE {
            // Whoever is gone already needs no answer.
            let _ = timeout(PATIENCE, send(stream, b"")).await;
        }
    }
}

async fn send(mut stream: Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(DISCARD), &mut tokio::io::sink()).await.map(|_| ())
}
