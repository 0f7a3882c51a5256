//! What a lost connection means.

use crate::error::{Error, ErrorKind};

/// The error of everything that was under way on a connection that has ended for `reason`. What the server had to say
/// before it hung up explains more than the hang-up.
pub(super) fn lost_because(reason: &Error, complaint: Option<Error>) -> Error {
    let kind = match reason.kind() {
        ErrorKind::Io => ErrorKind::LostConnection,
        kind => kind,
    };
    let detail = match complaint {
        Some(complaint) => format!("{}; before that: {complaint}; the job may have run", reason.detail()),
        None => format!("{}; the job may have run", reason.detail()),
    };
    Error::new(kind, reason.operation(), detail)
}
