//! Who a peer has shown to be.

use std::fmt;
use std::sync::Arc;

/// Who a peer has shown to be, which decides what it may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular: it came by TCP and has shown no certificate.
    #[default]
    Anonymous,
    /// It came by a Unix socket: the file's permissions let it in.
    Unix,
    /// It is part of the server's own process.
    Local,
    /// The names of the certificate that it has proved to hold, and that the server has verified: the common name of the subject
    /// first, where there is one, then the alternative names (DNS names, addresses, mail addresses, URIs).
    Certificate(Arc<[Box<str>]>),
}

impl Identity {
    /// The names of its certificate; none where it has shown none.
    pub fn names(&self) -> &[Box<str>] {
        match self {
            Self::Certificate(names) => names,
            _ => &[],
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Unix => f.write_str("unix"),
            Self::Local => f.write_str("local"),
            // A certificate's owner chooses these letters: none of them is to break a line or to look like something else.
            Self::Certificate(names) => match names.first() {
                Some(name) => write!(f, "certificate {}", name.escape_debug()),
                None => f.write_str("a certificate without names"),
            },
        }
    }
}
