//! What PostgreSQL says, as errors of the store.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::{StoreError, StoreErrorKind};

/// `error` of the store at `place`.
pub(super) fn error(place: &str, error: &Error) -> StoreError {
    let (kind, hint) = match error.code() {
        Some(code) => kind_of(code),
        None if error.to_string().contains("TLS") => {
            (StoreErrorKind::Settings, "this build does not speak TLS to databases: leave sslmode out")
        }
        // Neither the settings nor the server have told enough to prove who we are.
        None if causes(error).contains("authentication") || causes(error).contains("password") => {
            (StoreErrorKind::Settings, "see the user and the password")
        }
        None => (StoreErrorKind::Unavailable, ""),
    };
    let stop = if hint.is_empty() { "" } else { "; " };
    StoreError::new(kind, format!("{place}: {}{stop}{hint}", causes(error)))
}

fn kind_of(code: &SqlState) -> (StoreErrorKind, &'static str) {
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            (StoreErrorKind::Settings, "see the user and the password, and the server's pg_hba.conf")
        }
        SqlState::INVALID_CATALOG_NAME => {
            (StoreErrorKind::Settings, "make the database with createdb, or name another")
        }
        SqlState::INSUFFICIENT_PRIVILEGE => (
            StoreErrorKind::Settings,
            "the user has to be allowed to create the tables, and to select, insert, update and delete there",
        ),
        SqlState::DISK_FULL => (StoreErrorKind::Unavailable, "make room on the database's disk"),
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            (StoreErrorKind::Unavailable, "this is a standby: connect to the primary")
        }
        SqlState::LOCK_NOT_AVAILABLE => (StoreErrorKind::Unavailable, "somebody else has locked the table"),
        _ => (StoreErrorKind::Unavailable, ""),
    }
}

/// The error with what has caused it, in one line.
pub(super) fn causes(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
