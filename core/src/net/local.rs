//! The caller's end of a link into a broker of the same process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::LocalLink;
use super::wire::{closed_by_server, decode_error};
use crate::error::Result;
use crate::protocol::{Decoder, OutBuf, Request, Response, ResponseStep};

/// A link with what has arrived on it.
#[derive(Debug)]
pub(crate) struct LocalWire {
    link: Arc<dyn LocalLink>,
    input: OutBuf,
    /// Takes turns with `input`: what arrives while `input` is being read goes there.
    spare: OutBuf,
    ended: bool,
}

impl LocalWire {
    pub(crate) const fn new(link: Arc<dyn LocalLink>) -> Self {
        Self { link, input: OutBuf::new(), spare: OutBuf::new(), ended: false }
    }

    /// Applies requests. That the link has ended is told by the next [`LocalWire::fill`].
    pub(crate) fn send(&mut self, requests: &[Request<'_>]) {
        self.ended |= self.link.exchange(requests, &mut self.input).is_err();
    }

    /// Lets the broker answer a line of the admin protocol.
    pub(crate) fn send_text(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        self.ended |= self.link.text(line, &mut self.input).is_err();
    }

    /// Collects what has arrived. False when nothing has.
    ///
    /// # Errors
    /// `UnexpectedEof` where the link has ended and everything before has been read.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        if !self.ended {
            self.ended = self.link.exchange(&[], &mut self.input).is_err();
        }
        match (self.input.is_empty(), self.ended) {
            (false, _) => Ok(true),
            (true, true) => Err(closed_by_server()),
            (true, false) => Ok(false),
        }
    }

    pub(crate) const fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Takes out what has arrived, to be read while the link is used.
    pub(crate) fn take_input(&mut self) -> OutBuf {
        std::mem::replace(&mut self.input, std::mem::take(&mut self.spare))
    }

    /// Puts back what has not been read.
    pub(crate) fn put_back(&mut self, mut rest: OutBuf) {
        if rest.is_empty() {
            self.spare = rest;
        } else {
            rest.append(&mut self.input);
            self.spare = std::mem::replace(&mut self.input, rest);
        }
    }

    /// Hands everything that has arrived to `each`.
    pub(crate) fn drain(&mut self, decoder: &Decoder, mut each: impl FnMut(Response<'_>)) -> Result<()> {
        while next_local(&mut self.input, decoder, &mut each)?.is_some() {}
        Ok(())
    }

    /// Hands the packet in front to `take`, where one is there.
    pub(crate) fn next<R>(
        &mut self,
        decoder: &Decoder,
        take: impl FnOnce(Response<'_>) -> R,
    ) -> Result<Option<R>> {
        next_local(&mut self.input, decoder, take)
    }

    /// Waits on the caller's thread. False when `timeout` has passed first.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        self.has_input() || self.link.wait_readable(timeout)
    }
}

/// Hands the response in front of what a broker of this process has left to `take`.
pub(super) fn next_local<R>(
    input: &mut OutBuf,
    decoder: &Decoder,
    take: impl FnOnce(Response<'_>) -> R,
) -> Result<Option<R>> {
    if input.is_empty() {
        return Ok(None);
    }
    if input.contiguous().is_none() {
        // Large data stands apart from its header.
        let whole = input.to_vec();
        input.advance(whole.len());
        input.put(&whole);
    }
    let bytes = input.contiguous().unwrap_or_default();
    match decoder.next_response(bytes).map_err(|error| decode_error(&error))? {
        ResponseStep::Packet { length, response } => {
            let result = take(response);
            input.advance(length);
            Ok(Some(result))
        }
        ResponseStep::Need { .. } => Err(decode_error(&"the broker has left a packet unfinished")),
    }
}
