//! What a client's new tasks call.

use super::with;
use crate::abi::{
    gearman_actions_t, gearman_client_st, gearman_context_free_callback, gearman_task_callback,
};

/// Sets the function that is there for tasks whose workload is not known when they are added. gearman_client_add_task()
/// makes no such task, so it is never called.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_workload_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.workload_fn = function) }
}

/// Sets the function that is called when the server has taken a task's job. Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_created_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.created_fn = function) }
}

/// Sets the function that is called when a piece of a result has arrived; see gearman_task_data(). Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_data_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.data_fn = function) }
}

/// Sets the function that is called when a worker has warned. Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_warning_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.warning_fn = function) }
}

/// Sets the function that is called when a worker has said how far it is, or the server has answered a task that asks for that. Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_status_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.status_fn = function) }
}

/// Sets the function that is called when a job is done. Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_complete_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.complete_fn = function) }
}

/// Sets the function that is called when a worker has ended a job with an exception. Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_exception_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.exception_fn = function) }
}

/// Sets the function that is called when a job has failed. Tasks that
/// exist already keep theirs. Whatever it answers but GEARMAN_SUCCESS ends gearman_client_run_tasks().
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_fail_fn(
    client: *mut gearman_client_st,
    function: gearman_task_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions.fail_fn = function) }
}

/// Forgets the eight functions that are called for tasks. Tasks that exist already keep theirs.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_clear_fn(client: *mut gearman_client_st) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.actions = gearman_actions_t::default()) }
}

/// Sets the function that is called with a task and its context where a task that has a context is freed.
///
/// # Safety
/// `client` is NULL or a client of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_client_set_task_context_free_fn(
    client: *mut gearman_client_st,
    function: gearman_context_free_callback,
) {
    // SAFETY: the caller's promise.
    unsafe { with(client, (), |client| client.context_free = function) }
}
