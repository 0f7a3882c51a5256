//! Where peers are and how bytes get there: addresses, sockets, and the way into a broker of the same process.

mod link;

pub use link::{LinkClosed, LocalBroker, LocalLink};
