//! Lineshaft for Node.js, the native half. The JavaScript half in `lib/` is what people call; this here is called by it alone.
//!
//! JavaScript's thread polls the futures of clients and workers itself (see [`executor`]); one thread of a shared runtime does
//! the I/O. Nothing here blocks JavaScript's thread.

mod admin;
mod client;
mod executor;
mod inbox;
mod output;
mod runtime;
mod server;
mod servers;
mod task;
mod worker;

use lineshaft::ErrorKind;
use napi_derive::napi;

/// A row of the table of errors.
#[napi(object)]
#[derive(Debug)]
pub struct ErrorRow {
    /// The stable name, which JavaScript's errors carry as their `code`.
    pub code: String,
    /// libgearman's number.
    pub number: u32,
    /// One sentence for people.
    pub description: String,
    /// Whether the same request may succeed when it is made again.
    pub retryable: bool,
}

/// Every kind of error.
#[napi]
pub fn error_kinds() -> Vec<ErrorRow> {
    let row = |kind: &ErrorKind| ErrorRow {
        code: kind.name().into(),
        number: kind.code(),
        description: kind.describe().into(),
        retryable: kind.is_retryable(),
    };
    ErrorKind::ALL.iter().map(row).collect()
}
