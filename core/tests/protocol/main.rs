//! The protocol: every packet both ways, cut everywhere, malformed, at its limits; and the out-buffer.

mod cuts;
mod malformed;
mod outbuf;
mod packets;
