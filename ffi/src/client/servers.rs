//! A client's servers.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null;

use super::{inner, with};
use crate::abi::{gearman_client_st, gearman_return_t, in_port_t};
use crate::panic::fence;
use crate::pointer::{bytes, c_bytes};
use crate::returns::{INVALID_ARGUMENT, SUCCESS};
use crate::universal::Waited;

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

/// Adds the servers of a list, `host` or `host:port` separated by commas, in its order, up to the first that cannot be added.
///
/// # Safety
/// `client` is NULL or a client of this library; `servers` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_servers(
    client: *mut gearman_client_st,
    servers: *const c_char,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let list = c_bytes(servers).unwrap_or_default();
        with(client, INVALID_ARGUMENT, |client| client.universal.add_servers(list))
    }
}

/// Closes all connections and forgets the servers. Tasks that were under way have lost their jobs.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_remove_servers(client: *mut gearman_client_st) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), super::Client::remove_servers) }
}

/// Waits until gearman_client_run_tasks() can go on: GEARMAN_SUCCESS. GEARMAN_TIMEOUT when the client's timeout has passed,
/// GEARMAN_NO_ACTIVE_FDS where there is no connection to wait for.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_wait(client: *mut gearman_client_st) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        with(client, INVALID_ARGUMENT, |client| match client.universal.wait(None) {
            Waited::Ready | Waited::Other => SUCCESS,
            Waited::Over(code) => code,
        })
    }
}

/// Lets every server send `workload` back, and stops at the first that does not: GEARMAN_ECHO_DATA_CORRUPTION, or what is
/// wrong with the connection. Waits also in non-blocking mode.
///
/// # Safety
/// `client` is NULL or a client of this library; `workload` is NULL or has `workload_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_echo(
    client: *mut gearman_client_st,
    workload: *const c_void,
    workload_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let workload = bytes(workload, workload_size);
        with(client, INVALID_ARGUMENT, |client| client.universal.echo(workload))
    }
}

/// Asks every server for an option, such as `exceptions`; true where all take it. It is asked for again with every new
/// connection. Waits also in non-blocking mode.
///
/// # Safety
/// `self_` is NULL or a client of this library; `option_arg` is NULL or has `option_arg_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_set_server_option(
    self_: *mut gearman_client_st,
    option_arg: *const c_char,
    option_arg_size: usize,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let name = bytes(option_arg.cast(), option_arg_size);
        with(self_, false, |client| client.universal.set_server_option(name))
    }
}

/// Sets what stands in front of the name of every function from now on; NULL takes it away.
///
/// # Safety
/// As for gearman_client_set_server_option().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_namespace(
    self_: *mut gearman_client_st,
    namespace_key: *const c_char,
    namespace_key_size: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let prefix = bytes(namespace_key.cast(), namespace_key_size);
        with(self_, (), |client| client.universal.set_namespace(Some(prefix)));
    }
}

/// Sets the name under which servers list this client: 1 to 254 printable letters, digits and signs. Servers are told now
/// and with every new connection; that one cannot be told is no error.
///
/// # Safety
/// `client` is NULL or a client of this library; `id` is NULL or has `id_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_set_identifier(
    client: *mut gearman_client_st,
    id: *const c_char,
    id_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let id = bytes(id.cast(), id_size);
        with(client, INVALID_ARGUMENT, |client| client.universal.set_identifier(id))
    }
}

/// True where the servers that both clients try first are the same. False where one has none.
///
/// # Safety
/// Both are NULL or clients of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_compare(
    first: *const gearman_client_st,
    second: *const gearman_client_st,
) -> bool {
    // SAFETY: the caller's promise. Both may be the same client: nothing is changed.
    unsafe {
        let (first, second) = (inner(first), inner(second));
        fence(false, || match (first.as_ref(), second.as_ref()) {
            (Some(first), Some(second)) => first.universal.same_first_server(&second.universal),
            _ => false,
        })
    }
}

/// What went wrong last, as text; lives until the next call. NULL where nothing has.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_error(client: *const gearman_client_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { with(client, null(), |client| client.universal.report.text()) }
}

/// What went wrong last; GEARMAN_UNKNOWN_STATE after a call that went well, GEARMAN_SUCCESS before the first.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_error_code(client: *const gearman_client_st) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe { with(client, INVALID_ARGUMENT, |client| client.universal.report.code()) }
}

/// The errno of what went wrong last; 0 where the system had no part in it, EINVAL for NULL.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_errno(client: *const gearman_client_st) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { with(client, libc::EINVAL, |client| client.universal.report.errno()) }
}
