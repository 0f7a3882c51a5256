//! Where peers are and how bytes get there: addresses, sockets, and the way into a broker of the same process.

mod address;
mod link;

pub use address::Address;
pub use link::{LinkClosed, LocalBroker, LocalLink};
