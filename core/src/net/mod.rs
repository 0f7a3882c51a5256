//! Where peers are and how bytes get there: addresses, sockets, and the way into a broker of the same process.

mod address;
mod backoff;
mod clock;
mod connection;
mod connector;
mod dial;
mod inbuf;
mod link;
mod local;
mod secure;
mod servers;
pub(crate) mod stream;
mod timer;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_absent.rs"]
pub(crate) mod tls;
mod wire;

pub use address::Address;
pub(crate) use backoff::Backoff;
pub(crate) use clock::Clock;
pub use connection::{Connection, Woken, wait as wait_for};
pub(crate) use connector::{Connecting, Connector, all_failed};
pub(crate) use inbuf::InBuf;
pub use link::{LinkClosed, LocalBroker, LocalLink};
pub(crate) use local::LocalWire;
pub use servers::{IntoServers, Servers};
pub(crate) use timer::Timer;
pub use tls::ClientTls;
#[cfg(feature = "tls")]
pub use tls::{ClientTlsBuilder, Pem, ServerTls, Verify};
pub use wire::Interest;
pub(crate) use wire::{Input, Wire, decode_error, wait};
