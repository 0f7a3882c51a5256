//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::error::{Error, ErrorKind, Result};
use crate::net::Address;

/// A socket that listens, not yet part of a runtime.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf, Option<SocketFile>),
}

/// A socket that listens already, made by somebody else.
#[derive(Debug)]
pub enum Passed {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl From<TcpListener> for Passed {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Passed {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Passed {
    pub(super) fn adopt(self) -> io::Result<Bound> {
        let socket = match &self {
            Self::Tcp(listener) => SockRef::from(listener),
            Self::Unix(listener) => SockRef::from(listener),
        };
        // Whoever made it decides what it is: one of a connection, for instance, of a socket unit with Accept=yes.
        if !socket.is_listener()? {
            let text = "it does not listen: pass sockets that do (of a socket unit with Accept=no)";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Bound::Tcp(listener)
            }
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                // One in the abstract namespace, or without a name, has no path.
                let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
                Bound::Unix(listener, path.unwrap_or_default(), None)
            }
        })
    }
}

/// The file of a Unix socket that this server has made; removed when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Bound {
    /// Where it listens.
    pub(super) fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => listener.local_addr()?.into(),
            Self::Unix(_, path, _) => Address::Unix(path.clone()),
        })
    }

    /// Makes it part of the runtime that the caller has entered. With it comes the file that is to live for as long as it
    /// listens.
    pub(super) fn register(self) -> io::Result<(Listener, Option<SocketFile>)> {
        Ok(match self {
            Self::Tcp(listener) => (Listener::Tcp(tokio::net::TcpListener::from_std(listener)?), None),
            Self::Unix(listener, _, file) => {
                (Listener::Unix(tokio::net::UnixListener::from_std(listener)?), file)
            }
        })
    }
}

/// Binds every address that `addresses` name.
pub(super) fn bind_all(addresses: &[Address], backlog: u32) -> Result<Vec<Bound>> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let mut bound = Vec::new();
    for address in addresses {
        let failed = |error: io::Error| Error::new(ErrorKind::Io, "listen", format!("{address}: {error}"));
        match address {
            Address::Tcp { host, port } => {
                let unresolved =
                    |why: String| Error::new(ErrorKind::Resolve, "listen", format!("{address}: {why}"));
                let found = (host.as_str(), *port).to_socket_addrs();
                let found: Vec<_> = found.map_err(|error| unresolved(error.to_string()))?.collect();
                if found.is_empty() {
                    return Err(unresolved("the name has no address".into()));
                }
                for address in found {
                    bound.push(Bound::Tcp(bind_tcp(address, backlog).map_err(failed)?));
                }
            }
            Address::Unix(path) => {
                let listener = bind_unix(path).map_err(failed)?;
                bound.push(Bound::Unix(listener, path.clone(), Some(SocketFile(path.clone()))));
            }
            Address::Local(_) => {
                let text =
                    "a server does not listen on a local address; without addresses it is reached by local()";
                return Err(Error::new(ErrorKind::InvalidArgument, "listen", text));
            }
        }
    }
    Ok(bound)
}

fn bind_tcp(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `::` and `0.0.0.0` are two listeners, as in gearmand.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // A socket file that nobody listens on was left behind by a process that was killed. Any other file is not ours.
            if !is_abandoned(path) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn is_abandoned(path: &Path) -> bool {
    let socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
