//! From events to a result.

use bytes::Bytes;

use super::Event;
use crate::error::{Error, ErrorKind, Result};

/// How much of an exception an error's text shows, in bytes; all of it is in [`Error::data`].
const SHOWN: usize = 200;

/// Puts the result of a task together.
#[derive(Debug, Default)]
pub(super) struct Gather(Vec<u8>);

impl Gather {
    /// Takes one event; answers the result when it was the last.
    pub(super) fn take(&mut self, event: Event) -> Option<Result<Bytes>> {
        match event {
            Event::Data(data) => self.0.extend_from_slice(&data),
            Event::Complete(data) if self.0.is_empty() => return Some(Ok(data)),
            Event::Complete(data) => {
                self.0.extend_from_slice(&data);
                return Some(Ok(std::mem::take(&mut self.0).into()));
            }
            Event::Fail => return Some(Err(Error::new(ErrorKind::WorkFail, "task", ""))),
            Event::Exception(data) => {
                let text = String::from_utf8_lossy(&data[..data.len().min(SHOWN)]).into_owned();
                return Some(Err(Error::new(ErrorKind::WorkException, "task", text).with_data(data)));
            }
            Event::Created(_) | Event::Warning(_) | Event::Status(_) => {}
        }
        None
    }
}
