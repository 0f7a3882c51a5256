//! A worker's servers, names and waits.

use std::ffi::{c_char, c_void};
use std::ptr::null;

use super::{Worker, inner, with};
use crate::abi::{gearman_id_t, gearman_return_t, gearman_worker_st, in_port_t};
use crate::kill::NO_ID;
use crate::pointer::{bytes, c_bytes};
use crate::returns::{INVALID_ARGUMENT, SUCCESS};
use crate::universal::Waited;

/// Adds a server, which is asked before those that were added earlier. Its name is looked up now, the connection is made later.
///
/// `host` NULL or empty means localhost, `port` 0 means 4730. Answers GEARMAN_GETADDRINFO where the name has no address.
///
/// # Safety
/// `worker` is NULL or a worker of this library; `host` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_add_server(
    worker: *mut gearman_worker_st,
    host: *const c_char,
    port: in_port_t,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let host = c_bytes(host).unwrap_or_default();
        with(worker, INVALID_ARGUMENT, |worker| worker.universal.add_server(host, port))
    }
}

/// Adds the servers of a list, `host` or `host:port` separated by commas, up to the first that cannot be added.
///
/// # Safety
/// `worker` is NULL or a worker of this library; `servers` is NULL or a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_add_servers(
    worker: *mut gearman_worker_st,
    servers: *const c_char,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let servers = c_bytes(servers).unwrap_or_default();
        with(worker, INVALID_ARGUMENT, |worker| worker.universal.add_servers(servers))
    }
}

/// Closes the connections to all servers and forgets them.
///
/// # Safety
/// `worker` is NULL or a worker of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_remove_servers(worker: *mut gearman_worker_st) {
    // SAFETY: the caller's promise.
    unsafe { with(worker, (), |worker| worker.universal.connections.clear()) }
}

/// Waits until a server has something to say, up to the timeout.
///
/// Answers GEARMAN_SUCCESS, GEARMAN_TIMEOUT, GEARMAN_NO_ACTIVE_FDS where there is nothing to wait for, and from
/// gearman_kill() on GEARMAN_SHUTDOWN_GRACEFUL or GEARMAN_SHUTDOWN.
///
/// # Safety
/// As for gearman_worker_remove_servers().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_wait(worker: *mut gearman_worker_st) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe { with(worker, INVALID_ARGUMENT, Worker::wait) }
}

impl Worker {
    fn wait(&mut self) -> gearman_return_t {
        self.universal.report.reset();
        if let Some(code) = self.ended() {
            return code;
        }
        // What another call has kept is not told by any socket.
        if self.universal.connections.iter().any(|connection| connection.line.has_kept()) {
            return SUCCESS;
        }
        match self.universal.wait(self.wake.descriptor()) {
            Waited::Ready => SUCCESS,
            Waited::Other => self.ended().unwrap_or(SUCCESS),
            Waited::Over(code) => code,
        }
    }
}

/// Lets every server send a workload back. Answers GEARMAN_ECHO_DATA_CORRUPTION where one sends something else, and
/// GEARMAN_INVALID_ARGUMENT for an empty workload.
///
/// # Safety
/// As for gearman_worker_remove_servers(); `workload` is NULL or has `workload_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_echo(
    worker: *mut gearman_worker_st,
    workload: *const c_void,
    workload_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let workload = bytes(workload, workload_size);
        with(worker, INVALID_ARGUMENT, |worker| match worker.ended() {
            Some(code) => code,
            None => worker.universal.echo(workload),
        })
    }
}

/// Asks every server for an option, now and with every new connection; true where all take it.
///
/// # Safety
/// As for gearman_worker_remove_servers(); `option_arg` is NULL or has `option_arg_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_set_server_option(
    worker: *mut gearman_worker_st,
    option_arg: *const c_char,
    option_arg_size: usize,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let name = bytes(option_arg.cast(), option_arg_size);
        with(worker, false, |worker| worker.universal.set_server_option(name))
    }
}

/// Sets what stands in front of the names of functions that are added from now on; NULL or an empty text for nothing.
///
/// # Safety
/// As for gearman_worker_remove_servers(); `namespace_key` is NULL or has `namespace_key_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_set_namespace(
    worker: *mut gearman_worker_st,
    namespace_key: *const c_char,
    namespace_key_size: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let prefix = (!namespace_key.is_null()).then(|| bytes(namespace_key.cast(), namespace_key_size));
        with(worker, (), |worker| worker.universal.set_namespace(prefix));
    }
}

/// What stands in front of the names of functions; NULL for nothing. Stays until it is set anew.
///
/// # Safety
/// As for gearman_worker_remove_servers().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_namespace(worker: *mut gearman_worker_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { with(worker, null(), |worker| worker.universal.namespace()) }
}

/// Sets the name that servers show for this worker, now and with every new connection: 1 to 254 printable letters, digits and
/// signs. GEARMAN_INVALID_ARGUMENT or GEARMAN_ARGUMENT_TOO_LARGE otherwise.
///
/// # Safety
/// As for gearman_worker_remove_servers(); `id` is NULL or has `id_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_worker_set_identifier(
    worker: *mut gearman_worker_st,
    id: *const c_char,
    id_size: usize,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let id = bytes(id.cast(), id_size);
        with(worker, INVALID_ARGUMENT, |worker| worker.universal.set_identifier(id))
    }
}

/// Names the worker for gearman_kill(). -1 and -1 for NULL.
///
/// # Safety
/// As for gearman_worker_remove_servers().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_worker_id(worker: *mut gearman_worker_st) -> gearman_id_t {
    // SAFETY: the caller's promise.
    unsafe { inner(worker).as_ref() }.map_or(NO_ID, |worker| worker.wake.id())
}
