//! Lists of servers as text.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;

use crate::abi::{gearman_parse_server_callback, gearman_return_t, in_port_t};
use crate::panic::fence;
use crate::pointer::{c_bytes, c_text};
use crate::returns::{INVALID_ARGUMENT, SUCCESS};

/// What one entry of a list says: the host, empty for this machine, and the port, 0 for the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) host: Box<CStr>,
    pub(crate) port: u16,
}

/// The entries of a list: `host`, `host:port`, separated by commas. Behind the port's digits anything may stand.
/// An IPv6 address cannot be written, its colons would begin a port. A port keeps its lowest 16 bits.
pub(crate) fn entries(list: &[u8]) -> impl Iterator<Item = Entry> {
    list.split(|&byte| byte == b',').map(|entry| {
        let colon = entry.iter().position(|&byte| byte == b':');
        let (host, port) = entry.split_at(colon.unwrap_or(entry.len()));
        let digits = port.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
        let port =
            digits.fold(0u16, |port, digit| port.wrapping_mul(10).wrapping_add(u16::from(digit - b'0')));
        Entry { host: c_text(host), port }
    })
}

/// Calls `callback` once for every entry of `servers`, a list of `host` or `host:port` separated by commas, and stops at
/// the first that does not answer GEARMAN_SUCCESS.
///
/// The host is empty and the port is 0 where the entry has none. NULL as `servers` makes one call with NULL and 0.
/// Returns what the last call has returned; GEARMAN_INVALID_ARGUMENT without a callback.
///
/// # Safety
/// `servers` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_parse_servers(
    servers: *const c_char,
    callback: gearman_parse_server_callback,
    context: *mut c_void,
) -> gearman_return_t {
    let Some(callback) = callback else { return INVALID_ARGUMENT };
    // SAFETY: the caller's promise.
    let Some(list) = (unsafe { c_bytes(servers) }) else {
        // SAFETY: the program's own function.
        return unsafe { callback(null(), 0, context) };
    };
    // The longest host name is 255 bytes; the memory is the frame's own, so that the callback may leave in any way.
    let mut host = [0u8; 1025];
    let mut number = 0;
    loop {
        let port = fence(None::<in_port_t>, || {
            let entry = entries(list).nth(number)?;
            let bytes = entry.host.to_bytes();
            let length = bytes.len().min(host.len() - 1);
            host[..length].copy_from_slice(&bytes[..length]);
            host[length] = 0;
            Some(entry.port)
        });
        let Some(port) = port else { return SUCCESS };
        // SAFETY: the program's own function; the host ends with a NUL.
        let rc = unsafe { callback(host.as_ptr().cast(), port, context) };
        if rc != SUCCESS {
            return rc;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_libgearman_reads_them() {
        for (list, expected) in [
            ("a", &[("a", 0)][..]),
            ("a:1,b:2", &[("a", 1), ("b", 2)]),
            ("a:", &[("a", 0)]),
            ("", &[("", 0)]),
            ("a,,b", &[("a", 0), ("", 0), ("b", 0)]),
            ("a:99999", &[("a", 34463)]),
            ("host:4730/?exceptions", &[("host", 4730)]),
            ("a b:7", &[("a b", 7)]),
            ("::1:5", &[("", 0)]),
            ("[::1]:5", &[("[", 0)]),
        ] {
            let found: Vec<_> = entries(list.as_bytes()).map(|it| (it.host, it.port)).collect();
            let expected: Vec<_> =
                expected.iter().map(|&(host, port)| (c_text(host.as_bytes()), port)).collect();
            assert_eq!(found, expected, "{list}");
        }
    }
}
