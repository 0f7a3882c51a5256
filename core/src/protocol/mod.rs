//! The Gearman protocol: bytes to packets and back. No sockets, no clock, no state.
//!
//! A reader keeps what has arrived in a buffer and asks [`Decoder::next`] what stands in front of it. A server reads
//! [`Request`]s and text lines and writes [`Response`]s; a client or worker the other way round.
//!
//! ```
//! use lineshaft::protocol::{Decoder, Frame, Limits, OutBuf, Request, Step};
//!
//! let mut out = OutBuf::new();
//! Request::Echo { data: b"hi".into() }.encode(&mut out);
//!
//! let bytes = out.to_vec();
//! let decoder = Decoder::new(Limits::default());
//! let Ok(Step::Frame { length, frame }) = decoder.next(&bytes) else { panic!("a whole packet") };
//! assert_eq!(length, bytes.len());
//! assert!(matches!(frame, Frame::Request(Request::Echo { data }) if &data[..] == b"hi"));
//! ```

mod command;
mod decode;
mod limits;
mod name;
mod outbuf;
mod outgoing;
mod request;
mod response;

pub use crate::types::Data;
pub use command::{Command, RawCommand, Sender};
pub use decode::{DecodeError, Decoder, Frame, Header, ResponseStep, Step};
pub use limits::Limits;
pub use name::check_function;
pub use outbuf::OutBuf;
pub use outgoing::Outgoing;
pub use request::{Grab, Refusal, Request, Schedule, Submit, When};
pub(crate) use request::{decimal, leading_number};
pub use response::{Assign, Response, StatusReport, Work};

/// Four bytes in front of everything a client or worker sends.
pub const REQUEST_MAGIC: [u8; 4] = *b"\0REQ";
/// Four bytes in front of everything a server sends.
pub const RESPONSE_MAGIC: [u8; 4] = *b"\0RES";
/// Magic, type and size: what stands in front of every body.
pub const HEADER_LEN: usize = 12;
/// The port that IANA has given to Gearman.
pub const DEFAULT_PORT: u16 = 4730;
