//! What a client can be told to do differently.

use std::ffi::{c_char, c_int, c_void};

use super::{Client, with};
use crate::abi::{
    gearman_calloc_callback, gearman_client_options_t, gearman_client_st, gearman_free_callback,
    gearman_log_callback, gearman_malloc_callback, gearman_realloc_callback, gearman_return_t,
};
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
    pub(crate) ssl: bool,
}

impl Client {
    fn options(&self) -> gearman_client_options_t {
        let Flags { is_allocated, unbuffered_result, free_tasks, generate_unique, ssl } = self.flags;
        [
            (is_allocated, ALLOCATED),
            (self.universal.non_blocking, NON_BLOCKING),
            (unbuffered_result, UNBUFFERED_RESULT),
            (free_tasks, FREE_TASKS),
            (generate_unique, GENERATE_UNIQUE),
            (ssl, SSL),
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
            (&mut self.flags.ssl, SSL),
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
