//! Where a server is.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::LocalBroker;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::DEFAULT_PORT;

/// Where a server is, or shall listen.
///
/// As text: `host`, `host:port`, `[::1]:4730`, `unix:/run/lineshaft.sock`. The port is 4730 where none is given.
///
/// ```
/// use lineshaft::net::Address;
///
/// let address: Address = "[::1]:4731".parse()?;
/// assert_eq!(address, Address::Tcp { host: "::1".into(), port: 4731 });
/// assert_eq!("queue".parse::<Address>()?.to_string(), "queue:4730");
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Address {
    /// A TCP port. The host is resolved anew for every connection, and all its addresses are tried.
    Tcp {
        /// A name or a number; an IPv6 number without brackets.
        host: String,
        /// The port; 0 lets a listener choose a free one.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// A broker in this process: no socket is involved.
    Local(Arc<dyn LocalBroker>),
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp { host: a, port: p }, Self::Tcp { host: b, port: q }) => a == b && p == q,
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Local(a), Self::Local(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Address {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Local(_) => f.write_str("local"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Address {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where `text` is no address; the error says what is wrong with it.
    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::new(ErrorKind::InvalidArgument, "address", format!("`{text}`: {why}"));
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(bad("a path is missing behind unix:")),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| bad("the closing ] is missing"))?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err(bad("between [ and ] stands no IPv6 address"));
                }
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err(bad("after ] only :port can follow")),
                }
            }
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(bad("an IPv6 address with a port is written [address]:port"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(bad("a host is missing; write host, host:port, [ipv6]:port or unix:/path"));
        }
        if host.contains(|c: char| c.is_whitespace() || c == '/' || c.is_control()) {
            return Err(bad(
                "a host name holds no blanks and no slashes; a Unix socket is written unix:/path",
            ));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().map_err(|_| bad("the port is not a number from 0 to 65535"))?,
        };
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_address_are_the_same_thing() {
        for (text, shown) in [
            ("localhost", "localhost:4730"),
            ("127.0.0.1:7003", "127.0.0.1:7003"),
            ("[::1]:4731", "[::1]:4731"),
            ("[fe80::1]", "[fe80::1]:4730"),
            ("::1", "[::1]:4730"),
            ("h:0", "h:0"),
            ("unix:/run/a b.sock", "unix:/run/a b.sock"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn bad_addresses_are_refused_with_a_reason() {
        for (text, reason) in [
            ("", "host is missing"),
            (":4730", "host is missing"),
            ("host:", "port is not a number"),
            ("host:65536", "port is not a number"),
            ("host:http", "port is not a number"),
            ("::1:4730:x", "[address]:port"),
            ("[::1", "closing ]"),
            ("[::1]4730", "only :port"),
            ("[host]:1", "no IPv6 address"),
            ("unix:", "path is missing"),
            ("a b", "no blanks"),
            ("/run/lineshaft.sock", "unix:/path"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
