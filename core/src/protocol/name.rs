//! What can be sent as the name of a function.

use super::Limits;
use crate::error::{Error, ErrorKind, Result};

/// Looks whether `name` can be sent; `operation` is for the error.
///
/// # Errors
/// [`ErrorKind::InvalidFunctionName`]: it is empty, holds a NUL, or is longer than [`Limits::max_function`].
pub fn check_function(operation: &'static str, name: &[u8], limits: &Limits) -> Result<()> {
    let limit = limits.max_function;
    let why = match name {
        [] => "the name is empty".to_owned(),
        _ if name.len() > limit => format!("the name has {} bytes, the limit is {limit}", name.len()),
        _ if memchr::memchr(0, name).is_some() => "the name holds a NUL byte".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidFunctionName, operation, why))
}
