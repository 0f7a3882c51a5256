//! What can be sent as the name of a function.

use crate::error::{Error, ErrorKind, Result};

/// The longest function name that our clients and workers send, in bytes: libgearman's limit, so that everybody can take part.
pub const MAX_FUNCTION: usize = 512;

/// Looks whether `name` can be sent; `operation` is for the error.
///
/// # Errors
/// [`ErrorKind::InvalidFunctionName`]: it is empty, has more than [`MAX_FUNCTION`] bytes, or holds a NUL.
pub fn check_function(operation: &'static str, name: &[u8]) -> Result<()> {
    let why = match name {
        [] => "the name is empty".to_owned(),
        _ if name.len() > MAX_FUNCTION => {
            format!("the name has {} bytes, the limit is {MAX_FUNCTION}", name.len())
        }
        _ if memchr::memchr(0, name).is_some() => "the name holds a NUL byte".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidFunctionName, operation, why))
}
