//! A connection to the broker, for one request.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;

use super::super::local::{Entrance, Link};
use super::super::state::Shared;
use super::answer::Problem;
use super::listen::House;
use crate::net::{LinkClosed, LocalLink as _};
use crate::protocol::{Decoder, OutBuf, Request, Response, ResponseStep, Work};
use crate::types::Identity;

/// What the broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The job has this handle.
    Created(Bytes),
    /// A piece of the result.
    Data(Bytes),
    /// Something that people should know.
    Warning(Bytes),
    /// The end, with the rest of the result.
    Complete(Bytes),
    /// The end without one.
    Fail,
    /// The end, with the worker's exception.
    Exception(Bytes),
    /// It refuses: the code and the sentence.
    Refused(String, String),
}

/// The server is ending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone;

impl From<LinkClosed> for Gone {
    fn from(_: LinkClosed) -> Self {
        Self
    }
}

impl From<Gone> for Problem {
    fn from(Gone: Gone) -> Self {
        let text = "The server is being stopped, or has its limit of connections (max-connections)";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text)
    }
}

/// Who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Who {
    /// Its address.
    pub(super) peer: String,
    /// What it has shown to be, which decides what it may ask for where rights are set.
    pub(super) identity: Identity,
}

/// Has somebody send a line of the admin protocol, without its end; answers the line that comes back.
pub(super) async fn order(house: &House, who: &Who, line: &[u8]) -> Result<Vec<u8>, Problem> {
    let patience = house.settings.patience;
    let mut caller = Caller::open(house.view.shared(), who)?;
    match tokio::time::timeout(patience, caller.admin(line)).await {
        Ok(said) => {
            let said = said?;
            match said.strip_prefix(b"ERR PERMISSION_DENIED ") {
                None => Ok(said),
                Some(why) => {
                    let why = String::from_utf8_lossy(why).replace('+', " ");
                    Err(Problem::new(StatusCode::FORBIDDEN, "refused", why))
                }
            }
        }
        Err(_) => {
            let text = format!("The store did not answer within {} s (http-patience)", patience.as_secs());
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", text))
        }
    }
}

/// A connection to the broker. Dropping it closes it, as the loss of a socket would: a job that only it waits for, and that nobody
/// has begun, is gone then.
pub(super) struct Caller {
    link: Link,
    decoder: Decoder,
    input: OutBuf,
}

impl Caller {
    /// A connection of somebody.
    pub(super) fn open(shared: &Arc<Shared>, who: &Who) -> Result<Self, Gone> {
        let (link, decoder) =
            (Entrance(shared.clone()).open(&who.peer, &who.identity)?, *shared.decoder.lock());
        Ok(Self { link, decoder, input: OutBuf::new() })
    }

    pub(super) fn request(&mut self, request: &Request<'_>) -> Result<(), Gone> {
        Ok(self.link.exchange(std::slice::from_ref(request), &mut self.input)?)
    }

    /// Waits for the end of a job that is there, and whatever comes before it.
    pub(super) fn watch(&mut self, handle: &[u8]) -> Result<(), Gone> {
        Ok(self.link.watch(handle, &mut self.input)?)
    }

    /// A line of the admin protocol, without its end, and the line that answers it, which may take as long as a store takes.
    async fn admin(&mut self, line: &[u8]) -> Result<Vec<u8>, Gone> {
        self.link.text(line, &mut self.input)?;
        loop {
            let said = self.input.to_vec();
            if let Some(end) = said.iter().position(|byte| *byte == b'\n') {
                return Ok(said[..end].trim_ascii_end().to_vec());
            }
            self.wait().await?;
        }
    }

    async fn wait(&mut self) -> Result<(), Gone> {
        poll_fn(|cx| self.link.poll_readable(cx)).await;
        Ok(self.link.exchange(&[], &mut self.input)?)
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Result<Said, Gone> {
        loop {
            while let Some(response) = self.take()? {
                if let Some(said) = response {
                    return Ok(said);
                }
            }
            self.wait().await?;
        }
    }

    /// The packet in front: `None` where there is none, and inside it where it says nothing of interest.
    fn take(&mut self) -> Result<Option<Option<Said>>, Gone> {
        if self.input.is_empty() {
            return Ok(None);
        }
        if self.input.contiguous().is_none() {
            // Large data stands apart from its header.
            let whole = self.input.to_vec();
            self.input = OutBuf::with_memory(Vec::new());
            self.input.put(&whole);
        }
        let bytes = self.input.contiguous().unwrap_or_default();
        match self.decoder.next_response(bytes) {
            Ok(ResponseStep::Packet { length, response }) => {
                let said = said(&response);
                self.input.advance(length);
                Ok(Some(said))
            }
            // The broker writes whole packets; what it has not written so cannot be read on.
            Ok(ResponseStep::Need { .. }) | Err(_) => Err(Gone),
        }
    }
}

fn said(response: &Response<'_>) -> Option<Said> {
    Some(match response {
        Response::JobCreated { handle } => Said::Created(Bytes::copy_from_slice(handle)),
        Response::Work { work, .. } => match work {
            Work::Data(data) => Said::Data(data.to_bytes()),
            Work::Warning(data) => Said::Warning(data.to_bytes()),
            Work::Status { .. } => return None,
            Work::Complete(data) => Said::Complete(data.to_bytes()),
            Work::Fail => Said::Fail,
            Work::Exception(data) => Said::Exception(data.to_bytes()),
        },
        Response::Error { code, text } => {
            let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Said::Refused(text_of(code), text_of(text))
        }
        _ => return None,
    })
}
