//! What a client asks of a server beside submitting.

use bytes::Bytes;

use crate::client::event::JobStatus;
use crate::error::{Error, ErrorKind};
use crate::protocol::Limits;

/// A question that is not a submission.
#[derive(Clone, Debug)]
pub enum Question<'a> {
    /// GET_STATUS.
    Status(&'a [u8]),
    /// GET_STATUS_UNIQUE.
    StatusUnique(&'a [u8]),
    /// ECHO_REQ.
    Echo(&'a [u8]),
    /// OPTION_REQ.
    Option(&'a [u8]),
}

impl Question<'_> {
    /// Looks whether a server with these limits takes the question: another one would end the connection, with all its tasks.
    ///
    /// # Errors
    /// [`ErrorKind::ArgumentTooLarge`], [`ErrorKind::DataTooLarge`].
    pub fn check(&self, limits: &Limits) -> Result<(), Error> {
        let (operation, kind, what, length, limit) = match self {
            Self::Status(handle) => {
                ("status", ErrorKind::ArgumentTooLarge, "the handle", handle.len(), limits.max_argument)
            }
            Self::StatusUnique(unique) => {
                ("status", ErrorKind::ArgumentTooLarge, "the unique", unique.len(), limits.max_argument)
            }
            Self::Option(name) => {
                ("option", ErrorKind::ArgumentTooLarge, "the name", name.len(), limits.max_argument)
            }
            Self::Echo(data) => ("echo", ErrorKind::DataTooLarge, "the data", data.len(), limits.max_packet),
        };
        if length <= limit {
            return Ok(());
        }
        Err(Error::new(kind, operation, format!("{what} has {length} bytes, the limit is {limit}")))
    }
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// STATUS_RES, STATUS_RES_UNIQUE.
    Status(JobStatus),
    /// ECHO_RES.
    Echo(Bytes),
    /// OPTION_RES.
    Option,
}
