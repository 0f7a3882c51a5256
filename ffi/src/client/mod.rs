//! The client: `gearman_client_st`.

mod add;
mod callbacks;
mod calls;
mod drive;
mod execute;
mod life;
mod options;
mod peer;
mod questions;
mod queue;
mod receive;
mod run;
mod servers;
mod task;
mod task_access;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ptr::null_mut;

use crate::abi::{ContextFreeFn, gearman_actions_t, gearman_client_st};
use crate::panic::fence;
use crate::report::tell;
use crate::universal::Universal;

pub(crate) use execute::run_all;
#[cfg(test)]
pub(crate) use life::gearman_client_create;
pub(crate) use life::{client_of, gearman_client_free};
use options::Flags;
use peer::Peer;
#[cfg(test)]
pub(crate) use queue::gearman_client_add_task;
use run::Delivery;
use task::Handle;
pub use task::Task;
pub(crate) use task_access::pause_once;
use tasks::{TaskId, Tasks};

/// What a `gearman_client_st` stands for.
#[derive(Debug, Default)]
pub struct Client {
    pub(crate) universal: Universal<Peer>,
    pub(crate) flags: Flags,
    /// What new tasks get.
    pub(crate) actions: gearman_actions_t,
    pub(crate) context_free: Option<ContextFreeFn>,
    pub(crate) tasks: Tasks,
    /// Tasks that have not been sent, oldest first.
    queue: VecDeque<TaskId>,
    /// What callbacks have not been told, oldest first. More than one only where callbacks run the client themselves.
    deliveries: VecDeque<Delivery>,
    /// Tasks of the program that have not come to an end.
    under_way: usize,
    /// The server whose turn it is while a connection is being opened.
    round: usize,
    /// Of the last background job.
    last_handle: Handle,
}

/// The object behind a handle; NULL where there is none.
///
/// # Safety
/// `client` is NULL or a handle that this library has initialised.
pub(crate) unsafe fn inner(client: *const gearman_client_st) -> *mut Client {
    // SAFETY: the caller's promise.
    unsafe { client.as_ref() }.map_or(null_mut(), |client| client._impl)
}

/// Runs `body` with the object behind a handle, then hands what it has recorded to the log function. `otherwise` is the
/// answer for NULL and for a panic.
///
/// # Safety
/// As [`inner`]; `body` calls nothing of the program's.
pub(crate) unsafe fn with<T: Copy>(
    client: *const gearman_client_st,
    otherwise: T,
    body: impl FnOnce(&mut Client) -> T,
) -> T {
    // SAFETY: the caller's promise.
    let object = unsafe { inner(client) };
    if object.is_null() {
        return otherwise;
    }
    // SAFETY: the object lives as long as its handle, and nothing else runs while this does.
    let answer = fence(otherwise, || body(unsafe { &mut *object }));
    // SAFETY: the reference has ended.
    unsafe { tell(&raw mut (*object).universal.report) };
    answer
}
