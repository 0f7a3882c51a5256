//! What goes wrong with stores.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Which kind of trouble a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Reading or writing failed: the disk is full, or broken, or may not be written.
    Io,
    /// The database cannot be reached, or refuses work for now.
    Unavailable,
    /// What is stored cannot be read: damaged, or not a queue at all.
    Damaged,
    /// A newer version has written it.
    Newer,
    /// Somebody else uses it.
    Locked,
    /// A setting cannot be used.
    Settings,
}

/// Why a store does not do what it was told. `Display` is one or two sentences: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    kind: StoreErrorKind,
    text: Box<str>,
}

impl StoreError {
    /// An error; `text` says what, where, and what to do.
    pub fn new(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into().into_boxed_str() }
    }

    /// Which kind of trouble it is.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(ErrorKind::QueueError, "open queue", error.to_string())
    }
}
