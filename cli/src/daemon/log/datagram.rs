//! Lines to other logs of the system, as datagrams: syslog's, and systemd's journal.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::format::message;
use super::levels::level_of;
use crate::surroundings;

/// syslog's facility `user`, gearmand's.
const FACILITY: u8 = 1;

/// What the datagrams look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `<12>Nov 21 20:20:19 gearmand[4711]: WARNING text`, as the C library writes to /dev/log.
    Syslog,
    /// Fields, a line each: systemd's native protocol.
    Journal,
}

/// A log of the system. Nobody waits for it: what it does not take at once is lost, counted, and told with the next line that it
/// does take.
#[derive(Debug)]
pub(super) struct Datagrams {
    kind: Kind,
    socket: UnixDatagram,
    to: PathBuf,
    ident: &'static str,
    lost: AtomicU64,
}

impl Datagrams {
    /// Prepares to send to the socket at `to`, which need not be there yet and may be made anew at any time.
    ///
    /// # Errors
    /// No socket can be had at all.
    pub(super) fn new(kind: Kind, to: &Path, ident: &'static str) -> std::io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { kind, socket, to: to.to_owned(), ident, lost: AtomicU64::new(0) })
    }

    fn send(&self, level: lineshaft::types::LogLevel, target: &str, text: &str) -> bool {
        let datagram = match self.kind {
            Kind::Syslog => {
                let time = surroundings::local_time().strftime("%b %e %H:%M:%S").to_string();
                let (priority, ident, pid) = (FACILITY * 8 + level as u8, self.ident, std::process::id());
                let text = text.replace('\n', "\\n");
                format!("<{priority}>{time} {ident}[{pid}]: {level} {text}").into_bytes()
            }
            Kind::Journal => {
                let mut fields = Vec::new();
                let priority = (level as u8).to_string();
                for (name, value) in [
                    ("PRIORITY", priority.as_str()),
                    ("SYSLOG_IDENTIFIER", self.ident),
                    ("LINESHAFT_TARGET", target),
                    ("THREAD_NAME", std::thread::current().name().unwrap_or_default()),
                    ("MESSAGE", text),
                ] {
                    field(&mut fields, name, value);
                }
                fields
            }
        };
        self.socket.send_to(&datagram, &self.to).is_ok()
    }
}

/// `NAME=value`, or where the value has several lines its name, its length in eight bytes and the value.
fn field(to: &mut Vec<u8>, name: &str, value: &str) {
    to.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        to.push(b'\n');
        to.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        to.push(b'=');
    }
    to.extend_from_slice(value.as_bytes());
    to.push(b'\n');
}

impl<S: Subscriber> Layer<S> for Datagrams {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        let (level, target) = (level_of(about), about.target());
        // Several threads log at once: what one of them tells, no other does.
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            let text = format!("{lost} lines before this one could not be logged here");
            if !self.send(lineshaft::types::LogLevel::Warning, target, &text) {
                self.lost.fetch_add(lost, Relaxed);
            }
        }
        if !self.send(level, target, &message(event)) {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}
