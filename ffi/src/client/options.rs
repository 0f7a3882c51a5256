//! What a client can be told to do differently.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use super::{Client, with};
use crate::abi::{
    gearman_calloc_callback, gearman_client_options_t, gearman_client_st, gearman_free_callback,
    gearman_log_callback, gearman_malloc_callback, gearman_realloc_callback, gearman_return_t,
    gearman_verbose_t,
};
use crate::pointer::c_bytes;
use crate::returns::{FATAL, INVALID_ARGUMENT, SUCCESS};
use crate::universal::EXCEPTIONS;

pub(crate) const ALLOCATED: gearman_client_options_t = 1;
pub(crate) const NON_BLOCKING: gearman_client_options_t = 2;
pub(crate) const UNBUFFERED_RESULT: gearman_client_options_t = 8;
pub(crate) const FREE_TASKS: gearman_client_options_t = 32;
pub(crate) const GENERATE_UNIQUE: gearman_client_options_t = 64;
pub(crate) const EXCEPTION: gearman_client_options_t = 128;
pub(crate) const SSL: gearman_client_options_t = 256;
pub(crate) const STOP_WAIT_ON_SIGNAL: gearman_client_options_t = 1024;
/// What can be taken back.
const REMOVABLE: gearman_client_options_t =
    NON_BLOCKING | UNBUFFERED_RESULT | FREE_TASKS | GENERATE_UNIQUE | SSL | STOP_WAIT_ON_SIGNAL;

/// The options that are not part of [`Universal`](crate::universal::Universal).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) is_allocated: bool,
    pub(crate) unbuffered_result: bool,
    pub(crate) free_tasks: bool,
    pub(crate) generate_unique: bool,
}

impl Client {
    fn options(&self) -> gearman_client_options_t {
        let Flags { is_allocated, unbuffered_result, free_tasks, generate_unique } = self.flags;
        [
            (is_allocated, ALLOCATED),
            (self.universal.non_blocking, NON_BLOCKING),
            (unbuffered_result, UNBUFFERED_RESULT),
            (free_tasks, FREE_TASKS),
            (generate_unique, GENERATE_UNIQUE),
            (self.universal.greeting.tls.on, SSL),
            (self.universal.stop_wait_on_signal, STOP_WAIT_ON_SIGNAL),
        ]
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |bits, (_, bit)| bits | bit)
    }

    fn switch(&mut self, options: gearman_client_options_t, on: bool) {
        let places = [
            (&mut self.universal.non_blocking, NON_BLOCKING),
            (&mut self.flags.unbuffered_result, UNBUFFERED_RESULT),
            (&mut self.flags.free_tasks, FREE_TASKS),
            (&mut self.flags.generate_unique, GENERATE_UNIQUE),
            (&mut self.universal.greeting.tls.on, SSL),
            (&mut self.universal.stop_wait_on_signal, STOP_WAIT_ON_SIGNAL),
        ];
        for (place, bit) in places {
            if options & bit != 0 {
                *place = on;
            }
        }
        if on && options & EXCEPTION != 0 {
            self.universal.set_server_option(EXCEPTIONS);
        }
    }
}

/// The options that are set, as bits of gearman_client_options_t; GEARMAN_CLIENT_EXCEPTION is never among them.
/// 4096 for NULL.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_options(
    client: *const gearman_client_st,
) -> gearman_client_options_t {
    // SAFETY: the caller's promise.
    unsafe { with(client, 4096, |client| client.options()) }
}

/// Sets the options in `options` and takes all others back, but for GEARMAN_CLIENT_EXCEPTION, which stays.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_set_options(
    client: *mut gearman_client_st,
    options: gearman_client_options_t,
) {
    // SAFETY: the caller's promise.
    unsafe {
        with(client, (), |client| {
            client.switch(!options & REMOVABLE, false);
            client.switch(options, true);
        });
    }
}

/// Sets the options in `options`. GEARMAN_CLIENT_EXCEPTION asks all servers at once: add them first.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_client_add_options(
    client: *mut gearman_client_st,
    options: gearman_client_options_t,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.switch(options, true)) }
}

/// Takes the options in `options` back. GEARMAN_CLIENT_EXCEPTION stays.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_remove_options(
    client: *mut gearman_client_st,
    options: gearman_client_options_t,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.switch(options & REMOVABLE, false)) }
}

/// True where one option is set; GEARMAN_CLIENT_EXCEPTION where all servers have taken it.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_has_option(
    client: *mut gearman_client_st,
    option: gearman_client_options_t,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        with(client, false, |client| match option {
            EXCEPTION => client.universal.has_server_option(EXCEPTIONS),
            0 => false,
            option => option.is_power_of_two() && client.options() & option != 0,
        })
    }
}

/// How long one wait for the servers may last, in milliseconds; -1, the default, is without limit. -1 for NULL.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_timeout(client: *mut gearman_client_st) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { with(client, -1, |client| client.universal.timeout) }
}

/// Sets how long one wait for the servers may last, in milliseconds; a call may wait several times. With 0 whatever has to
/// wait fails at once with GEARMAN_TIMEOUT; a negative number is without limit.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_timeout(client: *mut gearman_client_st, timeout: c_int) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.universal.timeout = timeout) }
}

/// The pointer that gearman_client_set_context() has stored; NULL where none has been.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_context(client: *const gearman_client_st) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { with(client, null_mut(), |client| client.universal.context) }
}

/// Stores a pointer of the program's.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_context(client: *mut gearman_client_st, context: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.universal.context = context) }
}

/// Sets the function that gets a line for every error, where `verbose` is GEARMAN_VERBOSE_ERROR or more.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_log_fn(
    client: *mut gearman_client_st,
    function: gearman_log_callback,
    context: *mut c_void,
    verbose: gearman_verbose_t,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.universal.report.set_log(function, context, verbose)) }
}

/// Sets what allocates the memory that calls of this client give away, such as the result of gearman_client_do(). NULL is
/// malloc(). `context` is that of both functions: the later setter counts.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_workload_malloc_fn(
    client: *mut gearman_client_st,
    function: gearman_malloc_callback,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.universal.allocator.set_malloc(function, context)) }
}

/// Sets what frees the memory that calls of this client take over. NULL is free().
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_workload_free_fn(
    client: *mut gearman_client_st,
    function: gearman_free_callback,
    context: *mut c_void,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.universal.allocator.set_free(function, context)) }
}

/// Sets all four functions that allocate, or with four NULLs those of libc. Only some of them is GEARMAN_FATAL.
///
/// # Safety
/// As for gearman_client_options().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_memory_allocators(
    client: *mut gearman_client_st,
    malloc_fn: gearman_malloc_callback,
    free_fn: gearman_free_callback,
    realloc_fn: gearman_realloc_callback,
    calloc_fn: gearman_calloc_callback,
    context: *mut c_void,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        with(client, INVALID_ARGUMENT, |client| {
            let allocator = &mut client.universal.allocator;
            match allocator.set_all(malloc_fn, free_fn, realloc_fn, calloc_fn, context) {
                true => SUCCESS,
                false => FATAL,
            }
        })
    }
}

/// Turns TLS on or off, and names the files for the next connection: certificates of trusted authorities, the client's certificate
/// and its key, all as PEM.
///
/// NULL or empty stands for what GEARMAND_CA_CERTIFICATE, GEARMAN_CLIENT_PEM and GEARMAN_CLIENT_KEY name, or else gearmand-ca.pem,
/// gearman.pem and gearman.key in /etc/ssl/certs; without a client certificate there the client shows none. A file that cannot be
/// used ends calls with GEARMAN_INVALID_ARGUMENT. The server has to show a certificate for the name under which it was added.
///
/// # Safety
/// As for gearman_client_options(); the files are NULL or texts that end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_ssl(
    client: *mut gearman_client_st,
    ssl: bool,
    ca_file: *const c_char,
    certificate: *const c_char,
    key_file: *const c_char,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let [ca, certificate, key] =
            [ca_file, certificate, key_file].map(|file| c_bytes(file).unwrap_or_default());
        with(client, (), |client| {
            client.universal.greeting.tls.set_files(ca, certificate, key);
            client.switch(SSL, ssl);
        });
    }
}
