//! The one function with a C++ name.

use crate::abi::{gearman_actions_t, gearman_return_t, gearman_task_st};
use crate::client::pause_once;
use crate::panic::fence;
use crate::returns::{PAUSE, SUCCESS};

/// Answers GEARMAN_PAUSE the first time and GEARMAN_SUCCESS the second time that it is called for the same event of a task.
unsafe extern "C-unwind" fn pause(task: *mut gearman_task_st) -> gearman_return_t {
    // SAFETY: called by a client with a task of its own.
    if fence(false, || unsafe { pause_once(task) }) { PAUSE } else { SUCCESS }
}

static PAUSING: gearman_actions_t = gearman_actions_t {
    workload_fn: Some(pause),
    created_fn: Some(pause),
    data_fn: Some(pause),
    warning_fn: Some(pause),
    status_fn: Some(pause),
    complete_fn: Some(pause),
    exception_fn: Some(pause),
    fail_fn: Some(pause),
};

/// `const gearman_actions_t &gearman_actions_pause()`: callbacks that pause once for every event. Static.
#[unsafe(no_mangle)]
pub extern "C" fn _Z21gearman_actions_pausev() -> *const gearman_actions_t {
    &raw const PAUSING
}
