//! From bytes to packets, as they arrive.

use bytes::Bytes;
use memchr::memchr;

use super::request::{Arguments, MAX_HANDLE, Refusal, Request};
use super::response::Response;
use super::{Command, Data, HEADER_LEN, Limits, REQUEST_MAGIC, RESPONSE_MAGIC, RawCommand, Sender};

/// What stands in front of a server's read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing whole yet. The buffer must hold `total` bytes before it is worth asking again; for text lines, whose length
    /// nobody announces, that is one byte more than now.
    Need {
        /// Bytes the buffer must hold, counted from its front.
        total: usize,
    },
    /// A whole packet or line.
    Frame {
        /// How many bytes of the buffer it takes.
        length: usize,
        /// What it says.
        frame: Frame<'a>,
    },
}

/// One message to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A packet.
    Request(Request<'a>),
    /// A packet that is to be answered by an ERROR.
    Refused(Refusal),
    /// A text line, without its line end (LF or CR LF).
    Text(&'a [u8]),
}

/// What stands in front of a client's read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseStep<'a> {
    /// As [`Step::Need`].
    Need {
        /// Bytes the buffer must hold, counted from its front.
        total: usize,
    },
    /// A whole packet.
    Packet {
        /// How many bytes of the buffer it takes.
        length: usize,
        /// What it says.
        response: Response<'a>,
    },
}

/// Bytes that are not the protocol. The connection cannot go on: where the next packet begins is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first byte is NUL (or, from a server, anything), but the first four are no magic.
    BadMagic,
    /// A packet type outside the table.
    UnknownCommand(RawCommand),
    /// A body above [`Limits::max_packet`].
    PacketTooLarge {
        /// The type.
        command: Command,
        /// The announced body, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// An argument above [`Limits::max_argument`].
    ArgumentTooLarge {
        /// The type.
        command: Command,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Fewer arguments than the type needs.
    TooFewArguments(Command),
    /// A text line above [`Limits::max_line`].
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A type that servers do not send.
    NotAResponse(Command),
    /// The peer begins a TLS handshake, and nobody has undone the TLS.
    Tls,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadMagic => f.write_str("not the Gearman protocol: a packet begins with \\0REQ or \\0RES"),
            Self::UnknownCommand(raw) => write!(f, "unknown packet {raw}"),
            Self::PacketTooLarge { command, size, limit } => {
                write!(f, "{command} of {size} bytes: the limit (max_packet) is {limit} bytes")
            }
            Self::ArgumentTooLarge { command, limit } => {
                write!(f, "an argument of {command} is too long: the limit (max_argument) is {limit} bytes")
            }
            Self::TooFewArguments(command) => {
                write!(f, "{command} needs {} arguments, each ended by a NUL", command.arguments())
            }
            Self::LineTooLong { limit } => {
                write!(f, "a text line is too long: the limit (max_line) is {limit} bytes")
            }
            Self::Tls => f.write_str("the peer speaks TLS to a port that takes none"),
            Self::NotAResponse(command) => write!(f, "{command} is not a packet that servers send"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The first twelve bytes of a packet, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The magic is [`RESPONSE_MAGIC`].
    pub response: bool,
    /// The type.
    pub command: Command,
    /// Bytes that follow the header.
    pub size: usize,
}

// The functions below hand a large value from one to the next. Inlined, it is built where it ends up: that halves the time of decoding.

/// Takes packets apart. It keeps nothing but the limits: what has arrived stays in the reader's own buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder {
    limits: Limits,
}

impl Decoder {
    /// A decoder that refuses what exceeds `limits`.
    pub const fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// The limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads the header in front of `buffer`; `None` where twelve bytes have not arrived. Limits are checked here, so that
    /// nobody reserves memory for a body that will be refused.
    ///
    /// # Errors
    /// Whatever [`DecodeError`] the header shows.
    #[inline(always)]
    pub fn header(&self, buffer: &[u8]) -> Result<Option<Header>, DecodeError> {
        let magic = &buffer[..buffer.len().min(4)];
        let response = match magic.len() {
            4 if magic == REQUEST_MAGIC => false,
            4 if magic == RESPONSE_MAGIC => true,
            0..4 if REQUEST_MAGIC.starts_with(magic) || RESPONSE_MAGIC.starts_with(magic) => return Ok(None),
            _ => return Err(DecodeError::BadMagic),
        };
        let Some(header) = buffer.get(..HEADER_LEN) else { return Ok(None) };
        let number =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let command = Command::try_from(RawCommand(number(4))).map_err(DecodeError::UnknownCommand)?;
        let size = number(8) as usize;
        let Limits { max_packet, max_argument, .. } = self.limits;
        // What a server passes on is longer than what it took by as much as a handle.
        let limit = if response { max_packet.saturating_add(MAX_HANDLE) } else { max_packet };
        if size > limit {
            return Err(DecodeError::PacketTooLarge { command, size, limit });
        }
        let arguments = command.arguments().max(1).saturating_mul(max_argument.saturating_add(1));
        if !command.has_data() && size > arguments {
            return Err(DecodeError::ArgumentTooLarge { command, limit: max_argument });
        }
        Ok(Some(Header { response, command, size }))
    }

    /// What stands in front of a server's read buffer.
    ///
    /// # Errors
    /// [`DecodeError`] where the connection cannot go on.
    pub fn next<'a>(&self, buffer: &'a [u8]) -> Result<Step<'a>, DecodeError> {
        match buffer.first() {
            None => return Ok(Step::Need { total: 1 }),
            // "00 starts a binary packet, anything else starts a text line that ends at LF."
            Some(0) => {}
            Some(_) => return self.line(buffer),
        }
        let Some(header) = self.header(buffer)? else { return Ok(Step::Need { total: HEADER_LEN }) };
        let length = HEADER_LEN + header.size;
        let Some(packet) = buffer.get(..length) else { return Ok(Step::Need { total: length }) };
        let frame = self.request(header, &packet[HEADER_LEN..], None)?;
        Ok(Step::Frame { length, frame })
    }

    /// Reads a whole packet that has a buffer of its own; large data is then shared with it instead of copied.
    ///
    /// # Errors
    /// As [`Decoder::next`]; [`DecodeError::BadMagic`] too where `packet` is not exactly one packet.
    pub fn whole<'a>(&self, packet: &'a Bytes) -> Result<Frame<'a>, DecodeError> {
        let header = self.header(packet)?.ok_or(DecodeError::BadMagic)?;
        if packet.len() != HEADER_LEN + header.size {
            return Err(DecodeError::BadMagic);
        }
        self.request(header, &packet[HEADER_LEN..], Some(packet))
    }

    /// What stands in front of a client's read buffer.
    ///
    /// # Errors
    /// [`DecodeError`] where the connection cannot go on.
    pub fn next_response<'a>(&self, buffer: &'a [u8]) -> Result<ResponseStep<'a>, DecodeError> {
        let Some(header) = self.header(buffer)? else { return Ok(ResponseStep::Need { total: HEADER_LEN }) };
        let length = HEADER_LEN + header.size;
        let Some(packet) = buffer.get(..length) else { return Ok(ResponseStep::Need { total: length }) };
        let response = self.response(header, &packet[HEADER_LEN..], None)?;
        Ok(ResponseStep::Packet { length, response })
    }

    /// As [`Decoder::whole`], for packets of a server.
    ///
    /// # Errors
    /// As [`Decoder::whole`].
    pub fn whole_response<'a>(&self, packet: &'a Bytes) -> Result<Response<'a>, DecodeError> {
        let header = self.header(packet)?.ok_or(DecodeError::BadMagic)?;
        if packet.len() != HEADER_LEN + header.size {
            return Err(DecodeError::BadMagic);
        }
        self.response(header, &packet[HEADER_LEN..], Some(packet))
    }

    fn line<'a>(&self, buffer: &'a [u8]) -> Result<Step<'a>, DecodeError> {
        // A TLS record of the handshake, version 3 point something. No command begins so.
        if let [0x16, 0x03, ..] = buffer {
            return Err(DecodeError::Tls);
        }
        let limit = self.limits.max_line;
        // One byte more for the CR, one for the LF.
        let window = &buffer[..buffer.len().min(limit.saturating_add(2))];
        match memchr(b'\n', window) {
            Some(end) => {
                let line = &window[..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if line.len() > limit {
                    return Err(DecodeError::LineTooLong { limit });
                }
                Ok(Step::Frame { length: end + 1, frame: Frame::Text(line) })
            }
            None if window.len() > limit.saturating_add(1) => Err(DecodeError::LineTooLong { limit }),
            None => Ok(Step::Need { total: buffer.len() + 1 }),
        }
    }

    #[inline(always)]
    fn request<'a>(
        &self,
        header: Header,
        body: &'a [u8],
        owner: Option<&'a Bytes>,
    ) -> Result<Frame<'a>, DecodeError> {
        let command = header.command;
        if header.response {
            return Ok(Frame::Refused(Refusal::WRONG_MAGIC));
        }
        if matches!(command.sender(), Sender::Server | Sender::Nobody) {
            return Ok(Frame::Refused(Refusal::NOT_EXPECTED));
        }
        let (args, data) = self.take_apart(command, body, owner)?;
        Ok(match Request::parse(command, &args, data, &self.limits) {
            Ok(request) => Frame::Request(request),
            Err(refusal) => Frame::Refused(refusal),
        })
    }

    #[inline(always)]
    fn response<'a>(
        &self,
        header: Header,
        body: &'a [u8],
        owner: Option<&'a Bytes>,
    ) -> Result<Response<'a>, DecodeError> {
        let command = header.command;
        if !header.response {
            return Err(DecodeError::BadMagic);
        }
        if matches!(command.sender(), Sender::Peer | Sender::Nobody) {
            return Err(DecodeError::NotAResponse(command));
        }
        let (args, data) = self.take_apart(command, body, owner)?;
        Response::parse(command, &args, data).ok_or(DecodeError::NotAResponse(command))
    }

    #[inline(always)]
    fn take_apart<'a>(
        &self,
        command: Command,
        body: &'a [u8],
        owner: Option<&'a Bytes>,
    ) -> Result<(Arguments<'a>, Data<'a>), DecodeError> {
        let limit = self.limits.max_argument;
        let split = match command {
            // Perl's worker leaves out the NUL where the data is empty or "0"; other workers do for exceptions.
            Command::WorkComplete | Command::WorkException | Command::WorkData | Command::WorkWarning => {
                Arguments::lenient(body)
            }
            _ => Arguments::split(body, command.arguments(), !command.has_data(), limit),
        };
        let Some((args, data_at)) = split else {
            return Err(if body.len() > limit {
                DecodeError::ArgumentTooLarge { command, limit }
            } else {
                DecodeError::TooFewArguments(command)
            });
        };
        let data = match owner {
            Some(packet) if body.len() - data_at >= Data::SHARE_FROM => {
                Data::Shared(packet.slice(HEADER_LEN + data_at..))
            }
            _ => Data::Borrowed(&body[data_at..]),
        };
        Ok((args, data))
    }
}
