//! `lineshaft.h`: the broker itself, inside a C program.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{null, null_mut};
use std::time::Duration;

use lineshaft::net::{Address, Servers};
use lineshaft::server::Server;
use lineshaft::{Error, ErrorKind, store};

use crate::abi::{gearman_client_st, gearman_return_t, gearman_worker_st};
use crate::client::with;
use crate::connection::Connection;
use crate::panic::fence;
use crate::pointer::{c_bytes, c_text};
use crate::returns::{INVALID_ARGUMENT, SUCCESS};
use crate::universal::Universal;

/// A running broker.
#[derive(Debug)]
pub struct lineshaft_server {
    server: Server,
    /// Where it listens, as texts for C.
    addresses: Vec<Box<CStr>>,
}

impl lineshaft_server {
    fn start(listen: Option<&[u8]>, store: Option<&[u8]>) -> Result<Self, Error> {
        let text = |bytes| {
            let why = |_| Error::new(ErrorKind::InvalidArgument, "start server", "addresses are UTF-8");
            std::str::from_utf8(bytes).map_err(why)
        };
        let mut builder = Server::builder();
        if let Some(list) = listen.filter(|list| !list.is_empty()) {
            for address in text(list)?.parse::<Servers>()?.iter() {
                builder = builder.listen(address.clone());
            }
        }
        if let Some(place) = store.filter(|place| !matches!(*place, b"" | b"memory")) {
            let opened = store::open(text(place)?);
            let why = |error: store::StoreError| {
                Error::new(ErrorKind::QueueError, "start server", error.to_string())
            };
            builder = builder.store(opened.map_err(why)?);
        }
        let server = builder.start()?;
        let addresses = server.addresses().iter().map(|it| c_text(it.to_string().as_bytes())).collect();
        Ok(Self { server, addresses })
    }

    /// Makes the broker the one server of a client or worker that has none.
    fn serve<P: Default>(&self, universal: &mut Universal<P>) -> gearman_return_t {
        if !universal.connections.is_empty() {
            let why = "a broker of this process stands alone: remove the other servers first";
            return universal.report.record("lineshaft", INVALID_ARGUMENT, why);
        }
        universal.connections.push(Connection::new("local".into(), 0, Address::Local(self.server.local())));
        SUCCESS
    }
}

/// The version of Lineshaft, as text. Static.
#[unsafe(no_mangle)]
pub extern "C" fn lineshaft_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Starts a broker in this process, with threads of its own; when this returns it listens.
///
/// `listen` is where: addresses separated by commas, `127.0.0.1:4730`, `[::1]:4730` or `unix:/path`; port 0 takes any free one. NULL
/// or empty is nowhere: only this process reaches it, by lineshaft_client_add_broker() and lineshaft_worker_add_broker().
///
/// `store` is where background jobs are kept, so that they survive the process: `sqlite:/path`, as the daemon's `--store` takes it.
/// NULL, empty or `memory` keeps them nowhere.
///
/// NULL where it cannot be started; the reason is then copied into `error`, `error_size` bytes with their NUL at the most. Do
/// not fork() a process with a broker in it.
///
/// # Safety
/// The texts are NULL or end with a NUL; `error` is NULL or has room for `error_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lineshaft_server_start(
    listen: *const c_char,
    store: *const c_char,
    error: *mut c_char,
    error_size: usize,
) -> *mut lineshaft_server {
    // SAFETY: the caller's promise.
    unsafe {
        fence(null_mut(), || match lineshaft_server::start(c_bytes(listen), c_bytes(store)) {
            Ok(server) => Box::into_raw(Box::new(server)),
            Err(why) => {
                let text = c_text(why.to_string().as_bytes());
                let size = text.to_bytes().len().min(error_size.saturating_sub(1));
                if !error.is_null() && error_size > 0 {
                    std::ptr::copy_nonoverlapping(text.as_ptr(), error, size);
                    error.add(size).write(0);
                }
                null_mut()
            }
        })
    }
}

/// Where the broker listens, by number from 0 on: `127.0.0.1:40123`, with the port that was free. NULL behind the last. Lives
/// as long as the broker.
///
/// # Safety
/// `server` is NULL or a broker that has not been stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lineshaft_server_address(
    server: *const lineshaft_server,
    number: usize,
) -> *const c_char {
    // SAFETY: the caller's promise.
    let server = unsafe { server.as_ref() };
    server.and_then(|server| server.addresses.get(number)).map_or(null(), |address| address.as_ptr())
}

/// How many jobs the broker has: queued, running, and not yet due. 0 for NULL.
///
/// # Safety
/// As for lineshaft_server_address().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lineshaft_server_jobs(server: *const lineshaft_server) -> usize {
    // SAFETY: the caller's promise.
    fence(0, || unsafe { server.as_ref() }.map_or(0, |server| server.server.jobs()))
}

/// Stops the broker and frees it. Jobs that run have `patience` milliseconds to end, new ones are refused meanwhile; what runs then
/// is given up, and so are queued jobs unless they are stored. True where nothing was running any more. Clients and workers
/// that still have it as their server see a lost connection. NULL is allowed.
///
/// # Safety
/// As for lineshaft_server_address(); it is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lineshaft_server_stop(server: *mut lineshaft_server, patience: c_int) -> bool {
    if server.is_null() {
        return true;
    }
    fence(false, || {
        // SAFETY: made from a box by lineshaft_server_start(); the caller's promise.
        let server = unsafe { Box::from_raw(server) };
        server.server.shutdown(Duration::from_millis(u64::try_from(patience).unwrap_or(0)))
    })
}

/// Makes a broker of this process the server of a client, without a socket. GEARMAN_INVALID_ARGUMENT where the client has other
/// servers.
///
/// # Safety
/// `client` is NULL or a client of this library; `server` is NULL or a broker that has not been stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn lineshaft_client_add_broker(
    client: *mut gearman_client_st,
    server: *const lineshaft_server,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(server) = server.as_ref() else { return INVALID_ARGUMENT };
        with(client, INVALID_ARGUMENT, |client| server.serve(&mut client.universal))
    }
}

/// Makes a broker of this process the server of a worker, without a socket. GEARMAN_INVALID_ARGUMENT where the worker has other
/// servers.
///
/// # Safety
/// `worker` is NULL or a worker of this library; `server` is NULL or a broker that has not been stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn lineshaft_worker_add_broker(
    worker: *mut gearman_worker_st,
    server: *const lineshaft_server,
) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(server) = server.as_ref() else { return INVALID_ARGUMENT };
        crate::worker::with(worker, INVALID_ARGUMENT, |worker| server.serve(&mut worker.universal))
    }
}
