//! Where callbacks about tasks are called. The functions here hold pointers and numbers, nothing that has to be dropped: a
//! callback may leave through them.

use std::ffi::c_void;
use std::ptr::null_mut;

use super::Client;
use super::run::{Goal, Step};
use super::tasks::TaskId;
use crate::abi::{ContextFreeFn, gearman_return_t, gearman_task_st};
use crate::panic::fence;
use crate::report::tell;
use crate::returns::ERROR;

/// Runs a client until `goal`, or until there is a reason to return.
///
/// # Safety
/// `client` is valid, and nothing of it is borrowed: callbacks use it.
pub(crate) unsafe fn drive(client: *mut Client, goal: Goal) -> gearman_return_t {
    // SAFETY: all uses of `client` below: it is the caller's promise that it is valid, and every reference ends before
    // something of the program runs. A callback may free tasks, but not the client that runs it.
    unsafe {
        let mut next = fence(Step::Done(ERROR), || (*client).step(goal));
        loop {
            tell(&raw mut (*client).universal.report);
            let after = match next {
                Step::Call { function, task, delivery } => {
                    let code = function(task);
                    fence(Some(Step::Done(ERROR)), || (*client).called(delivery, code))
                }
                Step::Free(task) => {
                    free(client, task);
                    None
                }
                Step::Done(code) => return code,
            };
            next = match after {
                Some(step) => step,
                None => fence(Step::Done(ERROR), || (*client).step(goal)),
            };
        }
    }
}

/// What is called before a task goes.
#[derive(Clone, Copy)]
struct Farewell {
    function: ContextFreeFn,
    task: *mut gearman_task_st,
    context: *mut c_void,
}

/// Frees a task; the program's function for its context is called first.
///
/// # Safety
/// As for [`drive`].
pub(crate) unsafe fn free(client: *mut Client, id: TaskId) {
    // SAFETY: as in `drive`.
    unsafe {
        let farewell = fence(None, || {
            let client = &mut *client;
            let task = client.tasks.get_mut(id)?;
            let function =
                client.context_free.filter(|_| !task.context.is_null() && !task.shell.is_null())?;
            // Once only, even where the function frees the task itself.
            let context = std::mem::replace(&mut task.context, null_mut());
            Some(Farewell { function, task: task.shell, context })
        });
        if let Some(Farewell { function, task, context }) = farewell {
            function(task, context);
        }
        fence((), || (*client).remove(id));
    }
}

/// Frees every task that the program knows.
///
/// # Safety
/// As for [`drive`].
pub(crate) unsafe fn free_all(client: *mut Client) {
    // SAFETY: as in `drive`.
    unsafe {
        while let Some(id) = fence(None, || (*client).tasks.first().map(|task| task.id)) {
            free(client, id);
        }
    }
}
