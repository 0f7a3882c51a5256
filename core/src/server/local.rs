//! The way into the broker without a socket.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::state::{Shared, Tools, Turn};
use crate::broker::Input;
use crate::net::{LinkClosed, LocalBroker, LocalLink};
use crate::protocol::{Frame, OutBuf, Request};
use crate::types::{ConnId, Identity};

/// The broker of a running server, for callers in the same process.
pub(super) struct Entrance(pub(super) Arc<Shared>);

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entrance")
    }
}

impl LocalBroker for Entrance {
    fn connect(&self) -> Result<Arc<dyn LocalLink>, LinkClosed> {
        Ok(Arc::new(self.open("local", &Identity::Local)?))
    }
}

impl Entrance {
    /// A new connection of `peer`, who has shown to be `identity`.
    pub(super) fn open(&self, peer: &str, identity: &Identity) -> Result<Link, LinkClosed> {
        let mut tools = Tools::default();
        let conn = self.0.open(&mut tools, peer, false, identity).map_err(|_| LinkClosed)?;
        Ok(Link { shared: self.0.clone(), conn, tools: Mutex::new(tools) })
    }
}

/// A connection without a socket.
pub(super) struct Link {
    shared: Arc<Shared>,
    conn: ConnId,
    tools: Mutex<Tools>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({:?})", self.conn)
    }
}

impl Link {
    /// Enters `waker` unless there is something to read already.
    fn register(&self, waker: &Waker) -> bool {
        let mut state = self.shared.state.lock();
        let stopped = state.stopped;
        let Some(conn) = state.conn(self.conn) else { return true };
        if stopped || conn.closing || !conn.out.is_empty() {
            return true;
        }
        if !conn.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            conn.waker = Some(waker.clone());
        }
        false
    }
}

impl Link {
    /// One turn of this connection; what has arrived by its end goes to `into`.
    fn turn(&self, into: &mut OutBuf, apply: impl FnOnce(&mut Turn<'_>)) -> Result<(), LinkClosed> {
        self.shared.turn(&mut self.tools.lock(), Some(self.conn), |turn| {
            let stopped = turn.state.stopped;
            if !stopped {
                apply(turn);
            }
            let Some(own) = turn.state.conn(self.conn) else { return Err(LinkClosed) };
            if !own.out.is_empty() {
                into.append(&mut own.out);
            }
            if stopped || own.closing { Err(LinkClosed) } else { Ok(()) }
        })
    }
}

impl Link {
    /// Waits for the result of a job that is there already; JOB_CREATED says that it is, an ERROR that it is not.
    #[cfg(feature = "http")]
    pub(super) fn watch(&self, handle: &[u8], into: &mut OutBuf) -> Result<(), LinkClosed> {
        let conn = self.conn;
        self.turn(into, |turn| turn.input(Input::Watched { conn, handle }))
    }
}

impl LocalLink for Link {
    fn exchange(&self, requests: &[Request<'_>], into: &mut OutBuf) -> Result<(), LinkClosed> {
        let conn = self.conn;
        self.turn(into, |turn| {
            for request in requests {
                turn.input(Input::Requested { conn, request });
            }
        })
    }

    fn text(&self, line: &[u8], into: &mut OutBuf) -> Result<(), LinkClosed> {
        let conn = self.conn;
        self.turn(into, |turn| turn.input(Input::Received { conn, frame: &Frame::Text(line) }))
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.register(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> bool {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let until = timeout.map(|timeout| self.shared.clock.now().mono.saturating_add(timeout));
        loop {
            if self.register(&waker) {
                return true;
            }
            match until {
                None => std::thread::park(),
                Some(until) => match until.checked_sub(self.shared.clock.now().mono) {
                    None | Some(Duration::ZERO) => return false,
                    Some(left) => std::thread::park_timeout(left),
                },
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.close(self.tools.get_mut(), self.conn);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
