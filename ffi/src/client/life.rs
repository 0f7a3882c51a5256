//! How clients come and go.

use std::ptr::null_mut;
use std::time::Duration;

use super::drive::free_all;
use super::{Client, inner};
use crate::abi::{HandleOptions, gearman_client_st};
use crate::panic::fence;
use crate::universal::Universal;

/// How long a server may take in what it has been sent while the client is being freed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Makes a client. `client` NULL lets the library allocate it; otherwise it is memory of the program, which need not be
/// cleared. Either way gearman_client_free() ends it.
///
/// Adds the servers that the environment variable GEARMAN_SERVERS names. NULL where one of them cannot be added, or
/// there is no memory.
///
/// # Safety
/// `client` is NULL or has room for a gearman_client_st.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_create(client: *mut gearman_client_st) -> *mut gearman_client_st {
    fence(null_mut(), || {
        let mut made = Client::default();
        if !made.universal.add_servers_of_environment() {
            return null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { install(client, made) }
    })
}

/// Puts a client behind a handle.
///
/// # Safety
/// `shell` is NULL or has room for a handle. What it holds is not read.
unsafe fn install(shell: *mut gearman_client_st, mut client: Client) -> *mut gearman_client_st {
    client.flags.is_allocated = shell.is_null();
    let options = HandleOptions { is_allocated: shell.is_null(), is_initialized: true };
    let handle = gearman_client_st { options, _impl: Box::into_raw(Box::new(client)) };
    if shell.is_null() {
        return Box::into_raw(Box::new(handle));
    }
    // SAFETY: the caller's promise.
    unsafe { shell.write(handle) };
    shell
}

/// A client with a worker's servers, in their order, and its namespace, timeout and log function. It blocks, as everything that is
/// called from a worker's function.
pub(crate) fn client_of<P: Default>(worker: &Universal<P>) -> *mut gearman_client_st {
    let mut client = Client { universal: worker.copy(), ..Client::default() };
    client.universal.connections.reverse();
    client.universal.non_blocking = false;
    // SAFETY: the library allocates the handle.
    unsafe { install(null_mut(), client) }
}

/// Makes a client like `from`: with its options, servers, callbacks, timeout, namespace, identifier and log function, but
/// without its tasks, context, allocators and the options that servers were asked for. The servers come out in reversed
/// order. Without `from` this is gearman_client_create().
///
/// # Safety
/// `client` is NULL or has room for a gearman_client_st; `from` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_clone(
    client: *mut gearman_client_st,
    from: *const gearman_client_st,
) -> *mut gearman_client_st {
    // SAFETY: the caller's promise.
    unsafe {
        if from.is_null() {
            return gearman_client_create(client);
        }
        fence(null_mut(), || match inner(from).as_ref() {
            Some(from) => install(client, from.copy()),
            None => null_mut(),
        })
    }
}

impl Client {
    /// Lets jobs that nobody has waited for reach their servers.
    fn farewell(&mut self) {
        for connection in &mut self.universal.connections {
            if connection.peer.owed() > 0 {
                connection.line.finish(FAREWELL);
            }
        }
    }

    /// See gearman_client_clone().
    fn copy(&self) -> Self {
        Self {
            universal: self.universal.copy(),
            flags: self.flags,
            actions: self.actions,
            context_free: self.context_free,
            ..Self::default()
        }
    }
}

/// Frees a client with all its tasks and closes its connections. NULL is allowed; a client in memory of the program may be
/// freed twice, its memory itself is never freed.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_free(client: *mut gearman_client_st) {
    // SAFETY: the caller's promise.
    let object = unsafe { inner(client) };
    if object.is_null() {
        return;
    }
    // SAFETY: made from a box by `install`, and forgotten by the handle before anything can look at it again.
    unsafe {
        free_all(object);
        fence((), || (*object).farewell());
        fence((), || {
            (*client)._impl = null_mut();
            (*client).options.is_initialized = false;
            drop(Box::from_raw(object));
            if (*client).options.is_allocated {
                drop(Box::from_raw(client));
            }
        });
    }
}
