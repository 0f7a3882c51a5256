//! The little of the protocol that the load needs, at the least cost: it shares the machine with what is measured.

use lineshaft::protocol::{Command, HEADER_LEN, REQUEST_MAGIC, RESPONSE_MAGIC};
use memchr::memchr;

use crate::Result;

/// A packet of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    /// Its type: [`Command::number`]; [`TEXT`] for bytes of an answer in text.
    pub(crate) kind: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
}

/// Stands for a type where a connection speaks text.
pub(crate) const TEXT: u32 = 0;

/// The types that the load reads.
pub(crate) mod kind {
    use lineshaft::protocol::Command;

    pub(crate) const NOOP: u32 = Command::Noop.number();
    pub(crate) const NO_JOB: u32 = Command::NoJob.number();
    pub(crate) const JOB_CREATED: u32 = Command::JobCreated.number();
    pub(crate) const JOB_ASSIGN: u32 = Command::JobAssign.number();
    pub(crate) const JOB_ASSIGN_UNIQ: u32 = Command::JobAssignUniq.number();
    pub(crate) const JOB_ASSIGN_ALL: u32 = Command::JobAssignAll.number();
    pub(crate) const WORK_COMPLETE: u32 = Command::WorkComplete.number();
    pub(crate) const ECHO_RES: u32 = Command::EchoRes.number();
    pub(crate) const ERROR: u32 = Command::Error.number();

    /// Redis: a number.
    pub(crate) const NUMBER: u32 = 0x1_0000;
    /// Redis: a value.
    pub(crate) const VALUE: u32 = 0x1_0001;
    /// Redis: there is no value.
    pub(crate) const NIL: u32 = 0x1_0002;
    /// Redis: a word.
    pub(crate) const WORD: u32 = 0x1_0003;
    /// Redis: an error.
    pub(crate) const REFUSED: u32 = 0x1_0004;
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Gearman,
    Redis,
}

impl Language {
    /// The packet in front of `buffer` and its length; `None` where it has not arrived whole.
    pub(crate) fn packet(self, buffer: &[u8]) -> Result<Option<(Packet<'_>, usize)>> {
        match self {
            Self::Gearman => packet(buffer),
            Self::Redis => reply(buffer),
        }
    }

    /// Appends a request whose answer [`Packet::is_echo`]: when it comes, all that was sent before has been dealt with.
    pub(crate) fn put_echo(self, out: &mut Vec<u8>) {
        match self {
            Self::Gearman => put(out, Command::EchoReq, &[b"all"]),
            Self::Redis => put_redis(out, &[b"PING"]),
        }
    }
}

/// Appends a packet whose body is `parts` with a NUL between each two: the protocol's form of arguments and data.
pub(crate) fn put(out: &mut Vec<u8>, command: Command, parts: &[&[u8]]) {
    let size = parts.iter().map(|part| part.len()).sum::<usize>() + parts.len().saturating_sub(1);
    out.extend_from_slice(&REQUEST_MAGIC);
    out.extend_from_slice(&command.number().to_be_bytes());
    out.extend_from_slice(&(size as u32).to_be_bytes());
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(0);
        }
        out.extend_from_slice(part);
    }
}

/// Gearman's packet in front of `buffer` and its length; `None` where it has not arrived whole.
pub(crate) fn packet(buffer: &[u8]) -> Result<Option<(Packet<'_>, usize)>> {
    let Some(header) = buffer.get(..HEADER_LEN) else { return Ok(None) };
    if header[..4] != RESPONSE_MAGIC {
        return Err(format!("the server sent no packet: {}", header.escape_ascii()));
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = HEADER_LEN + number(8) as usize;
    Ok(buffer.get(HEADER_LEN..length).map(|body| (Packet { kind: number(4), body }, length)))
}

/// Appends a command of Redis.
pub(crate) fn put_redis(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// The reply of Redis in front of `buffer` and its length; `None` where it has not arrived whole. Lists are not among those
/// that the load asks for.
fn reply(buffer: &[u8]) -> Result<Option<(Packet<'_>, usize)>> {
    let Some(end) = memchr(b'\n', buffer).filter(|end| *end > 0) else { return Ok(None) };
    let (line, start) = (&buffer[1..end.max(2) - 1], end + 1);
    let kind = match buffer[0] {
        b':' => kind::NUMBER,
        b'+' => kind::WORD,
        b'-' => kind::REFUSED,
        b'$' if line == b"-1" => kind::NIL,
        b'$' => {
            let length = std::str::from_utf8(line).ok().and_then(|digits| digits.parse::<usize>().ok());
            let length =
                length.ok_or_else(|| format!("the server sent no length: {}", line.escape_ascii()))?;
            let value = buffer.get(start..start + length + 2);
            let packet = value.map(|value| Packet { kind: kind::VALUE, body: &value[..length] });
            return Ok(packet.map(|packet| (packet, start + length + 2)));
        }
        _ => return Err(format!("the server sent no reply: {}", buffer[..end].escape_ascii())),
    };
    Ok(Some((Packet { kind, body: line }, start)))
}

/// Splits `body` at its first NULs into `N` parts; the last one may hold more NULs.
pub(crate) fn parts<const N: usize>(body: &[u8]) -> Result<[&[u8]; N]> {
    let mut parts = [body; N];
    let mut rest = body;
    for part in parts.iter_mut().take(N - 1) {
        let end = memchr(0, rest).ok_or("the server sent a packet with too few arguments")?;
        (*part, rest) = (&rest[..end], &rest[end + 1..]);
    }
    parts[N - 1] = rest;
    Ok(parts)
}

impl<'a> Packet<'a> {
    /// Handle and workload, where the packet assigns a job.
    pub(crate) fn assigned(&self) -> Result<Option<(&'a [u8], &'a [u8])>> {
        Ok(match self.kind {
            kind::JOB_ASSIGN => {
                let [handle, _, workload] = parts(self.body)?;
                Some((handle, workload))
            }
            kind::JOB_ASSIGN_UNIQ => {
                let [handle, _, _, workload] = parts(self.body)?;
                Some((handle, workload))
            }
            kind::JOB_ASSIGN_ALL => {
                let [handle, _, _, _, workload] = parts(self.body)?;
                Some((handle, workload))
            }
            _ => None,
        })
    }

    /// The answer to [`Language::put_echo`].
    pub(crate) fn is_echo(&self) -> bool {
        matches!(self.kind, kind::ECHO_RES | kind::WORD)
    }

    /// The sentence for a packet that nobody expects here.
    pub(crate) fn unexpected(&self, what: &str) -> String {
        let shown = &self.body[..self.body.len().min(200)];
        match self.kind {
            kind::ERROR | kind::REFUSED => {
                format!("{what}: the server answered ERROR {}", shown.escape_ascii())
            }
            other => format!("{what}: unexpected packet {}", lineshaft::protocol::RawCommand(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_only_when_it_is_whole() {
        let bytes = b"\0RES\0\0\0\x0b\0\0\0\x09H:1\0f\0\0wx";
        for cut in 0..bytes.len() {
            assert!(packet(&bytes[..cut]).unwrap().is_none());
        }
        let (assign, length) = packet(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!(assign.assigned().unwrap(), Some((&b"H:1"[..], &b"\0wx"[..])));
    }

    #[test]
    fn a_reply_is_read_only_when_it_is_whole() {
        let bytes = b":12\r\n$5\r\na\r\nbc\r\n$-1\r\n+PONG\r\n-ERR no\r\n$0\r\n\r\n";
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let cut = (0..=rest.len()).find(|cut| reply(&rest[..*cut]).unwrap().is_some()).unwrap();
            let (packet, length) = reply(rest).unwrap().unwrap();
            assert_eq!(length, cut);
            seen.push((packet.kind, packet.body));
            rest = &rest[length..];
        }
        let all: [(u32, &[u8]); 6] = [
            (kind::NUMBER, b"12"),
            (kind::VALUE, b"a\r\nbc"),
            (kind::NIL, b"-1"),
            (kind::WORD, b"PONG"),
            (kind::REFUSED, b"ERR no"),
            (kind::VALUE, b""),
        ];
        assert_eq!(seen, all);
        assert!(reply(b"\r\n").is_err() && reply(b"$x\r\n").is_err());
    }

    #[test]
    fn what_is_put_is_what_the_library_reads() {
        use lineshaft::protocol::{Decoder, Frame, Limits, Request, Step};
        let mut out = Vec::new();
        put(&mut out, Command::SubmitJobBg, &[b"f", b"u", b"a\0b"]);
        let decoder = Decoder::new(Limits::default());
        let Ok(Step::Frame { length, frame: Frame::Request(Request::Submit(submit)) }) = decoder.next(&out)
        else {
            panic!("a submission");
        };
        assert_eq!(length, out.len());
        assert_eq!(
            (submit.function, submit.unique, &submit.workload[..]),
            (&b"f"[..], &b"u"[..], &b"a\0b"[..])
        );
    }
}
