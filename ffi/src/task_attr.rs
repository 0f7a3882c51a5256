//! What `gearman_execute` is told of a job: `gearman_task_attr_t` and `gearman_argument_t`.

use std::ffi::c_char;

use crate::abi::{gearman_argument_t, gearman_job_priority_t, gearman_string_t, gearman_task_attr_t, time_t};

pub(crate) const FOREGROUND: u32 = 0;
pub(crate) const BACKGROUND: u32 = 1;
pub(crate) const EPOCH: u32 = 2;

/// A foreground job.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_task_attr_init(priority: gearman_job_priority_t) -> gearman_task_attr_t {
    gearman_task_attr_t { kind: FOREGROUND, priority, epoch: 0 }
}

/// A background job.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_task_attr_init_background(priority: gearman_job_priority_t) -> gearman_task_attr_t {
    gearman_task_attr_t { kind: BACKGROUND, priority, epoch: 0 }
}

/// A background job that runs when `epoch`, in seconds since 1970, has come. The protocol has no priority for it.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_task_attr_init_epoch(
    epoch: time_t,
    priority: gearman_job_priority_t,
) -> gearman_task_attr_t {
    gearman_task_attr_t { kind: EPOCH, priority, epoch }
}

/// A workload for gearman_execute(): `value_size` bytes at `value`, which stay the program's. The name is not used.
///
/// # Safety
/// `value` has `value_size` bytes for as long as the argument is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_argument_make(
    _name: *const c_char,
    _name_length: usize,
    value: *const c_char,
    value_size: usize,
) -> gearman_argument_t {
    gearman_argument_t {
        name: gearman_string_t::NONE,
        value: gearman_string_t { c_str: value, size: value_size },
    }
}
