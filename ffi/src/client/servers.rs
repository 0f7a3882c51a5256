//! A client's servers.

use std::ffi::c_char;

use super::with;
use crate::abi::{gearman_client_st, gearman_return_t, in_port_t};
use crate::pointer::c_bytes;
use crate::returns::INVALID_ARGUMENT;

/// Adds a server, which is tried before those that were added earlier. Its name is looked up now, the connection is made later.
///
/// `host` NULL or empty means localhost, `port` 0 means 4730. Answers GEARMAN_GETADDRINFO where the name has no address.
///
/// # Safety
/// `client` is NULL or a client of this library; `host` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_server(
    client: *mut gearman_client_st,
    host: *const c_char,
    port: in_port_t,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let host = c_bytes(host).unwrap_or_default();
        with(client, INVALID_ARGUMENT, |client| client.universal.add_server(host, port))
    }
}
