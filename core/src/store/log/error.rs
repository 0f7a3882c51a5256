//! What goes wrong with files, in sentences: what, where, and what to do.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::store::{StoreError, StoreErrorKind};

/// An error of the operating system while the log does something: `doing` goes on after "cannot".
pub(super) fn io(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "The disk is full: make room on it, nothing that was acknowledged is lost"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "The file system is read-only: make it writable, or choose another directory"
        }
        ErrorKind::PermissionDenied => {
            "Let the user that the server runs as own the directory and all that is in it, or choose another directory"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "A file is in its way: choose another directory, or move the file"
        }
        ErrorKind::NotFound => "It has gone: was the directory removed, or is its disk not mounted?",
        _ => "See the kernel's log about the disk",
    };
    let kind = match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => StoreErrorKind::Settings,
        _ => StoreErrorKind::Io,
    };
    StoreError::new(kind, format!("cannot {doing} in the log {}: {error}. {advice}.", path.display()))
}

/// A newer version's file.
pub(super) fn newer(path: &Path, name: &str, version: u32) -> StoreError {
    StoreError::new(
        StoreErrorKind::Newer,
        format!(
            "{} of the log {} has format version {version}; this program reads versions up to {}. \
             Nothing was changed: start the version that wrote it, or a newer one.",
            name,
            path.display(),
            super::format::VERSION
        ),
    )
}

/// A record that holds by its CRC, and says nothing to this version.
pub(super) fn unreadable(path: &Path, name: &str, error: &crate::store::RecordError) -> StoreError {
    StoreError::new(
        StoreErrorKind::Damaged,
        format!(
            "{name} of the log {} cannot be used: {error}, although its checksum holds. \
             Nothing was changed: was it written by another program or version?",
            path.display()
        ),
    )
}

/// A segment that was well when the log was opened.
pub(super) fn damaged(path: &Path, name: &str, offset: u64) -> StoreError {
    StoreError::new(
        StoreErrorKind::Damaged,
        format!(
            "{name} of the log {} is damaged from byte {offset} on, and was whole when it was opened. The file is kept: \
             see the kernel's log about the disk.",
            path.display()
        ),
    )
}

/// A segment that was written anew, and has not all that it should have.
pub(super) fn incomplete(path: &Path, name: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Damaged,
        format!(
            "{name} of the log {} would not have all that is needed of the segments before it. These are kept, and nothing is \
             cleared away any more: see the kernel's log about the disk, and start the server again.",
            path.display()
        ),
    )
}

/// Nothing is cleared away any more.
pub(super) fn stopped(path: &Path) -> StoreError {
    StoreError::new(
        StoreErrorKind::Damaged,
        format!(
            "the log {} clears nothing away since an error that was told before, and takes more and more room. Nothing \
             that was acknowledged is lost: start the server again when the disk is well.",
            path.display()
        ),
    )
}

/// There is no room on the disk, or none for this user.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
