//! What a client's new tasks call.

use super::with;
use crate::abi::{gearman_client_st, gearman_task_callback};

/// Sets the function that is called when the server has taken a task's job. Tasks that exist already keep theirs.
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
