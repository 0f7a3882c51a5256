//! What MySQL and MariaDB say, as errors of the store.

use mysql_async::Error;

use crate::store::{StoreError, StoreErrorKind};

/// `error` of the store at `place`.
pub(super) fn error(place: &str, error: &Error) -> StoreError {
    let (kind, text, hint) = match error {
        Error::Server(said) => {
            let (kind, hint) = kind_of(said.code);
            (kind, said.message.clone(), hint)
        }
        other => (StoreErrorKind::Unavailable, other.to_string(), ""),
    };
    let stop = if hint.is_empty() { "" } else { "; " };
    StoreError::new(kind, format!("{place}: {text}{stop}{hint}"))
}

/// By the numbers in the server's manual.
fn kind_of(code: u16) -> (StoreErrorKind, &'static str) {
    match code {
        // ER_ACCESS_DENIED_ERROR and its kin.
        1045 | 1698 | 1251 => (StoreErrorKind::Settings, "see the user and the password"),
        // ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR.
        1044 | 1142 | 1143 => (
            StoreErrorKind::Settings,
            "the user has to be allowed to create the tables, and to select, insert, update and delete there",
        ),
        // ER_BAD_DB_ERROR.
        1049 => (StoreErrorKind::Settings, "make the database, or name another"),
        // ER_UNKNOWN_STORAGE_ENGINE.
        1286 => (StoreErrorKind::Settings, "the server has to have InnoDB"),
        // ER_DISK_FULL, ER_RECORD_FILE_FULL.
        1021 | 1114 => (StoreErrorKind::Unavailable, "make room on the database's disk"),
        // ER_OPTION_PREVENTS_STATEMENT.
        1290 => (StoreErrorKind::Unavailable, "a server that only reads is no place for a queue"),
        // ER_LOCK_WAIT_TIMEOUT.
        1205 => (StoreErrorKind::Unavailable, "somebody else has locked the table"),
        // ER_NET_PACKET_TOO_LARGE.
        1153 => (StoreErrorKind::Unavailable, "the server's max_allowed_packet has become smaller"),
        _ => (StoreErrorKind::Unavailable, ""),
    }
}
