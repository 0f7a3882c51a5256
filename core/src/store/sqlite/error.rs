//! SQLite's errors in sentences.

use rusqlite::types::FromSqlError;
use rusqlite::{Error, ErrorCode, Row};
use std::path::Path;

use super::{StoreError, StoreErrorKind};

/// What can be wrong with one file.
#[derive(Debug)]
pub(super) struct Trouble {
    file: Box<str>,
}

impl Trouble {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.display().to_string().into() }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn opening(&self, error: &Error) -> StoreError {
        self.tell("open", error)
    }

    pub(super) fn reading(&self, error: &Error) -> StoreError {
        self.tell("read", error)
    }

    pub(super) fn writing(&self, error: &Error) -> StoreError {
        self.tell("write", error)
    }

    fn tell(&self, verb: &str, error: &Error) -> StoreError {
        use StoreErrorKind::{Damaged, Io, Locked};
        let file = &self.file;
        let (kind, text) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                Locked,
                format!(
                    "{file} is in use by another process: stop that one, or give each server a file of its own"
                ),
            ),
            Some(ErrorCode::NotADatabase) => (
                Damaged,
                format!(
                    "{file} is not an SQLite database, or is encrypted: name another file, or move this one away. \
                     It was not changed"
                ),
            ),
            Some(ErrorCode::DatabaseCorrupt) => (
                Damaged,
                format!(
                    "{file} is damaged ({error}): put it aside with its -wal file and get out what can be read with \
                     `sqlite3 FILE .recover`"
                ),
            ),
            Some(ErrorCode::DiskFull) => {
                (Io, format!("cannot {verb} {file}: the disk or the user's share of it is full; make room"))
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => return self.read_only(),
            Some(ErrorCode::CannotOpen) => (
                Io,
                format!(
                    "cannot {verb} {file}: its folder must be there, and this user must have the right to read and \
                     write both ({error})"
                ),
            ),
            Some(ErrorCode::SystemIoFailure) => (
                Io,
                format!(
                    "cannot {verb} {file}: the disk or the file system failed ({error}); the system's log says more"
                ),
            ),
            _ => (Io, format!("cannot {verb} {file}: {error}")),
        };
        StoreError::new(kind, text)
    }

    pub(super) fn read_only(&self) -> StoreError {
        let file = &self.file;
        let text = format!(
            "{file} may only be read: this user must have the right to write it and to make files in its folder"
        );
        StoreError::new(StoreErrorKind::Io, text)
    }

    pub(super) fn newer(&self, version: i64, known: i64) -> StoreError {
        let file = &self.file;
        let text = format!(
            "{file} holds a queue of version {version}, and this program knows no version after {known}: use the \
             newer Lineshaft that has written it. It was not changed"
        );
        StoreError::new(StoreErrorKind::Newer, text)
    }

    pub(super) fn strange(&self, version: i64) -> StoreError {
        let file = &self.file;
        let text = format!(
            "{file} has a table lineshaft_meta with the version {version}, which no Lineshaft has written: it was not \
             changed"
        );
        StoreError::new(StoreErrorKind::Damaged, text)
    }

    /// A row of our table that we have not written so.
    pub(super) fn row(&self, row: &Row<'_>, error: &FromSqlError) -> StoreError {
        let number: Option<i64> = row.get(0).ok();
        let number = number.unwrap_or_default();
        let text = format!(
            "{}: the row of lineshaft_job with the number {number} is no job ({error}): correct or delete it",
            self.file
        );
        StoreError::new(StoreErrorKind::Damaged, text)
    }

    /// A table or row of gearmand's that cannot be taken over.
    pub(super) fn takeover(&self, text: &str) -> StoreError {
        StoreError::new(StoreErrorKind::Damaged, format!("{}: {text}. Nothing was changed", self.file))
    }
}
