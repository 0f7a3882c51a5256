//! Bytes that have arrived from a server.

use bytes::Bytes;

use crate::protocol::{DecodeError, Decoder, Response, ResponseStep};

/// Room that is made for one read, in bytes.
const READ_SIZE: usize = 64 << 10;
/// Packets from this size on keep the buffer they arrived in, so that their data is not copied.
const OWN_BUFFER_FROM: usize = 64 << 10;
/// An empty buffer above this size is given back.
const KEEP_AT_MOST: usize = 256 << 10;

/// The read buffer of one connection. What stands in it is bounded by the decoder's limit of a packet and one read.
#[derive(Debug, Default)]
pub(crate) struct InBuf {
    bytes: Vec<u8>,
    /// How much of `bytes` has been taken apart.
    start: usize,
    /// What the packet in front will need, counted from `start`.
    need: usize,
}

impl InBuf {
    /// Where the next read goes: a vector with room behind its end.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let missing = self.need.saturating_sub(self.bytes.len());
        if self.bytes.capacity() - self.bytes.len() < missing.max(READ_SIZE / 2) {
            self.bytes.reserve_exact(missing.max(READ_SIZE));
        }
        &mut self.bytes
    }

    /// Takes everything out, for a reader of text.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..std::mem::take(&mut self.start));
        bytes
    }

    /// Hands the packet in front to `take`, where a whole one is there.
    pub(crate) fn next<R>(
        &mut self,
        decoder: &Decoder,
        take: impl FnOnce(Response<'_>) -> R,
    ) -> Result<Option<R>, DecodeError> {
        if self.start == self.bytes.len() {
            self.start = 0;
            self.need = 0;
            if self.bytes.capacity() > KEEP_AT_MOST {
                self.bytes = Vec::new();
            }
            self.bytes.clear();
            return Ok(None);
        }
        if let Some(large) = self.take_large(decoder)? {
            return decoder.whole_response(&large).map(|response| Some(take(response)));
        }
        match decoder.next_response(&self.bytes[self.start..])? {
            ResponseStep::Need { total } => {
                self.need = total;
                Ok(None)
            }
            ResponseStep::Packet { length, response } => {
                let result = take(response);
                self.start += length;
                Ok(Some(result))
            }
        }
    }

    /// Hands all whole packets to `each`, oldest first.
    pub(crate) fn drain(
        &mut self,
        decoder: &Decoder,
        mut each: impl FnMut(Response<'_>),
    ) -> Result<(), DecodeError> {
        while self.next(decoder, &mut each)?.is_some() {}
        Ok(())
    }

    /// The packet in front, in a buffer of its own, where it is large and whole.
    fn take_large(&mut self, decoder: &Decoder) -> Result<Option<Bytes>, DecodeError> {
        let rest = &self.bytes[self.start..];
        if rest.len() < OWN_BUFFER_FROM {
            return Ok(None);
        }
        let Some(header) = decoder.header(rest)? else { return Ok(None) };
        let length = crate::protocol::HEADER_LEN + header.size;
        if length < OWN_BUFFER_FROM || rest.len() < length {
            return Ok(None);
        }
        let after = rest[length..].to_vec();
        let whole = Bytes::from(std::mem::replace(&mut self.bytes, after));
        let large = whole.slice(self.start..self.start + length);
        self.start = 0;
        Ok(Some(large))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Limits, OutBuf, Work};

    #[test]
    fn packets_are_the_same_wherever_the_stream_is_cut() {
        let big = vec![7; OWN_BUFFER_FROM + 5];
        let mut out = OutBuf::new();
        Response::Noop.encode(&mut out);
        Response::Work { handle: b"H:1", work: Work::Data((&big[..]).into()) }.encode(&mut out);
        Response::JobCreated { handle: b"H:2" }.encode(&mut out);
        let stream = out.to_vec();

        let decoder = Decoder::new(Limits::default());
        let owned = |response: Response<'_>| match response {
            Response::Work { handle, work: Work::Data(data) } => (handle.to_vec(), data.to_bytes()),
            Response::JobCreated { handle } => (handle.to_vec(), Bytes::new()),
            other => (format!("{other:?}").into_bytes(), Bytes::new()),
        };
        let last = stream.len();
        for cut in (0..60).chain(last - 60..=last) {
            let (mut seen, mut input) = (Vec::new(), InBuf::default());
            for part in [&stream[..cut], &stream[cut..]] {
                input.room().extend_from_slice(part);
                input.drain(&decoder, |response| seen.push(owned(response))).unwrap();
            }
            assert_eq!(seen.len(), 3);
            assert_eq!(seen[0].0, b"Noop");
            assert!(seen[1] == (b"H:1".to_vec(), Bytes::from(big.clone())));
            assert_eq!(seen[2], (b"H:2".to_vec(), Bytes::new()));
            assert!(input.bytes.is_empty());
        }
    }

    #[test]
    fn a_wrong_magic_is_an_error() {
        let mut input = InBuf::default();
        input.room().extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n");
        let result = input.drain(&Decoder::default(), |_| {});
        assert_eq!(result, Err(DecodeError::BadMagic));
    }
}
