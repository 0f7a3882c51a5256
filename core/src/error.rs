//! The error of the public API, and the one table of Gearman return codes.

use std::fmt;

macro_rules! error_kinds {
    ($($variant:ident = $code:literal, $name:literal, $doc:literal;)*) => {
        /// What went wrong, with libgearman's number and name for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $(#[doc = $doc] $variant,)* }

        impl ErrorKind {
            /// Every kind, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// libgearman's `gearman_return_t` number.
            pub const fn code(self) -> u32 { match self { $(Self::$variant => $code),* } }

            /// The name as it stands in an ERROR packet: libgearman's, without the `GEARMAN_` in front.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name),* } }

            /// One sentence for people.
            pub const fn describe(self) -> &'static str { match self { $(Self::$variant => $doc),* } }
        }
    };
}

error_kinds! {
    Closed = 2, "SHUTDOWN", "The client, worker or server has been stopped.";
    Io = 4, "ERRNO", "The operating system reported an error.";
    InvalidMagic = 8, "INVALID_MAGIC", "A packet began with the wrong magic.";
    InvalidCommand = 9, "INVALID_COMMAND", "A packet of a type that the receiver does not take.";
    InvalidPacket = 10, "INVALID_PACKET", "A packet could not be read.";
    UnexpectedPacket = 11, "UNEXPECTED_PACKET", "A packet that makes no sense at this point of the conversation.";
    Resolve = 12, "GETADDRINFO", "A server's name could not be resolved.";
    NoServers = 13, "NO_SERVERS", "No server is configured.";
    LostConnection = 14, "LOST_CONNECTION", "The peer went away in mid-request.";
    QueueFull = 17, "JOB_QUEUE_FULL", "A limit of the queue has been reached.";
    Server = 18, "SERVER_ERROR", "The server refused the request.";
    WorkException = 23, "WORK_EXCEPTION", "The worker ended the job with an exception.";
    WorkFail = 24, "WORK_FAIL", "The worker reported that the job failed.";
    NotConnected = 25, "NOT_CONNECTED", "There is no connection to a server.";
    CouldNotConnect = 26, "COULD_NOT_CONNECT", "No server could be reached.";
    DataTooLarge = 30, "DATA_TOO_LARGE", "A workload or packet exceeds the limit for packets.";
    InvalidFunctionName = 31, "INVALID_FUNCTION_NAME", "A function name that cannot be sent.";
    NoRegisteredFunctions = 34, "NO_REGISTERED_FUNCTIONS", "The worker has no functions.";
    EchoMismatch = 36, "ECHO_DATA_CORRUPTION", "An echo came back changed.";
    QueueError = 42, "QUEUE_ERROR", "The server could not keep the job.";
    UnknownOption = 46, "UNKNOWN_OPTION", "The server does not know the option.";
    Timeout = 47, "TIMEOUT", "The deadline passed; the job may still run.";
    ArgumentTooLarge = 48, "ARGUMENT_TOO_LARGE", "An argument exceeds its limit.";
    InvalidArgument = 49, "INVALID_ARGUMENT", "An argument is not acceptable.";
    JobNotFound = 52, "JOB_NOT_FOUND", "The job is not known here, or not held by this connection.";
}

/// The numbers of `gearman_return_t` that are no errors of this crate: states, and errors of other programs.
const OTHER_RETURNS: [(u32, &str); 29] = [
    (0, "SUCCESS"),
    (1, "IO_WAIT"),
    (3, "SHUTDOWN_GRACEFUL"),
    (5, "EVENT"),
    (6, "TOO_MANY_ARGS"),
    (7, "NO_ACTIVE_FDS"),
    (15, "MEMORY_ALLOCATION_FAILURE"),
    (16, "JOB_EXISTS"),
    (19, "WORK_ERROR"),
    (20, "WORK_DATA"),
    (21, "WORK_WARNING"),
    (22, "WORK_STATUS"),
    (27, "SEND_IN_PROGRESS"),
    (28, "RECV_IN_PROGRESS"),
    (29, "NOT_FLUSHING"),
    (32, "INVALID_WORKER_FUNCTION"),
    (33, "NO_REGISTERED_FUNCTION"),
    (35, "NO_JOBS"),
    (37, "NEED_WORKLOAD_FN"),
    (38, "PAUSE"),
    (39, "UNKNOWN_STATE"),
    (40, "PTHREAD"),
    (41, "PIPE_EOF"),
    (43, "FLUSH_DATA"),
    (44, "SEND_BUFFER_TOO_SMALL"),
    (45, "IGNORE_PACKET"),
    (50, "IN_PROGRESS"),
    (51, "INVALID_SERVER_OPTION"),
    (53, "MAX_RETURN"),
];

/// libgearman's name for a `gearman_return_t` number, without the `GEARMAN_` in front; `None` above its table (0 to 53).
pub const fn return_name(code: u32) -> Option<&'static str> {
    let mut at = 0;
    while at < ErrorKind::ALL.len() {
        if ErrorKind::ALL[at].code() == code {
            return Some(ErrorKind::ALL[at].name());
        }
        at += 1;
    }
    at = 0;
    while at < OTHER_RETURNS.len() {
        if OTHER_RETURNS[at].0 == code {
            return Some(OTHER_RETURNS[at].1);
        }
        at += 1;
    }
    None
}

impl ErrorKind {
    /// The kind that an ERROR packet's code names; a name that the table does not have is [`ErrorKind::Server`].
    pub fn from_name(name: &[u8]) -> Self {
        Self::ALL.iter().copied().find(|kind| kind.name().as_bytes() == name).unwrap_or(Self::Server)
    }

    /// True where the same request may succeed when it is made again, perhaps at another server.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Io
                | Self::LostConnection
                | Self::NotConnected
                | Self::CouldNotConnect
                | Self::QueueFull
                | Self::QueueError
                | Self::Timeout
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error of every fallible call of this crate: what went wrong ([`ErrorKind`]), in which operation, and with what.
///
/// `Display` is one line, made for a log: `submit resize: COULD_NOT_CONNECT: 127.0.0.1:4730: connection refused`.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    detail: Box<str>,
    data: bytes::Bytes,
    os_error: Option<i32>,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` in `operation` (a word or two: `submit`, `connect`); `detail` says with what, and what to do.
    pub fn new(kind: ErrorKind, operation: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            detail: detail.into().into_boxed_str(),
            data: bytes::Bytes::new(),
            os_error: None,
        }
    }

    /// Attaches bytes of the peer: the exception of a WORK_EXCEPTION.
    #[must_use]
    pub fn with_data(mut self, data: bytes::Bytes) -> Self {
        self.data = data;
        self
    }

    /// Attaches the number of the operating system's error, where it has one.
    #[must_use]
    pub const fn with_os_error(mut self, number: Option<i32>) -> Self {
        self.os_error = number;
        self
    }

    /// The `errno` behind this error; `None` where the operating system had no part in it.
    pub const fn os_error(&self) -> Option<i32> {
        self.os_error
    }

    /// What went wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation in which it went wrong.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// With what it went wrong; may be empty.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The exception's bytes, as the worker sent them, where the kind is [`ErrorKind::WorkException`]; else empty.
    pub fn data(&self) -> &bytes::Bytes {
        &self.data
    }

    /// See [`ErrorKind::is_retryable`].
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.kind.name())?;
        match &*self.detail {
            "" => write!(f, ": {}", self.kind.describe()),
            detail => write!(f, ": {detail}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name_and_code() {
        for (i, a) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(ErrorKind::from_name(a.name().as_bytes()), *a);
            assert!(ErrorKind::ALL[i + 1..].iter().all(|b| a.code() != b.code() && a.name() != b.name()));
        }
        assert_eq!(ErrorKind::from_name(b"NOBODY_KNOWS"), ErrorKind::Server);
    }

    #[test]
    fn every_return_code_has_one_name() {
        let names: Vec<_> = (0..=53).map(|code| return_name(code).unwrap()).collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
        assert_eq!(ErrorKind::ALL.len() + OTHER_RETURNS.len(), names.len());
        assert_eq!(return_name(54), None);
    }
}
