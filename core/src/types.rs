//! The words that every room uses.

mod data;
mod identity;
mod log;

use std::fmt;

pub use data::Data;
pub use identity::Identity;
pub use log::{LogLevel, LogLevels, LogTarget, UnknownName};

/// A connection to the broker, of whatever transport. Numbers are never used twice by one broker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// The place in the tables of connections.
    pub(crate) slot: u32,
    /// Which of the connections that have used this place.
    pub(crate) generation: u32,
}

impl ConnId {
    /// The connection at `slot`; `generation` tells it from earlier ones at the same place.
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// The place in the tables of connections: small, dense, used again after the connection has ended.
    pub const fn slot(self) -> u32 {
        self.slot
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// How urgent a job is among the jobs of its function (and, with `--compat 2.0`, among all that a worker can do).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Before all others.
    High = 0,
    /// The default.
    #[default]
    Normal = 1,
    /// After all others.
    Low = 2,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The place in a table of three.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How far a job has come, in units of the worker's own choice. `0/0` where the worker has said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub numerator: u32,
    /// What there is to do. Nothing makes it the larger of the two.
    pub denominator: u32,
}

/// The server's name for a job, as it came: opaque bytes, usually `H:<host>:<number>`, at most 63.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobHandle(bytes::Bytes);

impl JobHandle {
    /// The handle with these bytes; nothing is checked, a server is free in its choice.
    pub fn new(bytes: impl Into<bytes::Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, as they travel.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobHandle({self})")
    }
}

impl From<&str> for JobHandle {
    fn from(text: &str) -> Self {
        Self(bytes::Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<&[u8]> for JobHandle {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes::Bytes::copy_from_slice(bytes))
    }
}
