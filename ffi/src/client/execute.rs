//! `gearman_execute`: a task that keeps its result.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use bytes::Bytes;

use super::add::{Job, priority};
use super::drive::drive;
use super::run::Goal;
use super::task::{Request, Role};
use super::{Client, inner};
use crate::abi::{
    gearman_argument_t, gearman_client_st, gearman_return_t, gearman_task_attr_t, gearman_task_st,
};
use crate::panic::fence;
use crate::pointer::{bytes, c_text};
use crate::report::tell;
use crate::returns::{ERROR, INVALID_ARGUMENT, SUCCESS};
use crate::task_attr::{BACKGROUND, EPOCH};

/// What a program says of a job whose result is kept.
struct Execution<'a> {
    function: &'a [u8],
    unique: &'a [u8],
    attributes: Option<gearman_task_attr_t>,
    workload: &'a [u8],
    context: *mut c_void,
    reducer: Option<&'a [u8]>,
}

impl Client {
    /// Adds a task that keeps its result.
    fn add_execution(&mut self, what: &Execution<'_>) -> Result<*mut gearman_task_st, gearman_return_t> {
        let attributes = what.attributes.unwrap_or(gearman_task_attr_t { kind: 0, priority: 1, epoch: 0 });
        let request = Request::Submit {
            priority: priority(attributes.priority),
            background: attributes.kind == BACKGROUND,
            epoch: (attributes.kind == EPOCH).then_some(attributes.epoch),
            reducer: what.reducer.map(|reducer| c_text(&self.universal.full_name(reducer))),
        };
        let Execution { function, unique, workload, .. } = *what;
        let pointer = if workload.is_empty() { std::ptr::null() } else { workload.as_ptr().cast() };
        let job =
            Job { function: Some(function), unique: Some(unique), workload: pointer, size: workload.len() };
        let mut task = self.make(job, workload, request)?;
        task.role = Role::Execute;
        task.workload = Bytes::copy_from_slice(workload);
        // SAFETY: the task gets a handle of its own.
        Ok(unsafe { self.add(task, null_mut(), what.context) })
    }

    /// Adds a foreground job for a piece of a map job. The reducer's name is complete: no namespace goes in front of it.
    pub(crate) fn add_piece(&mut self, reducer: &[u8], piece: &[u8]) -> Result<(), gearman_return_t> {
        let (function, workload) = (reducer, piece);
        let namespace = self.universal.namespace.take();
        let added = self.add_execution(&Execution {
            function,
            unique: &[],
            attributes: None,
            workload,
            context: null_mut(),
            reducer: None,
        });
        self.universal.namespace = namespace;
        added.map(|_| ())
    }

    /// The first task, for an aggregator; NULL without tasks.
    pub(crate) fn first_task(&self) -> *mut gearman_task_st {
        self.tasks.first().map_or(null_mut(), |task| task.shell)
    }

    /// What has become of the first task that has not succeeded.
    pub(crate) fn first_failure(&self) -> Option<gearman_return_t> {
        self.tasks.iter().map(|task| task.outcome).find(|&outcome| outcome != SUCCESS)
    }
}

/// Runs all tasks of a client.
///
/// # Safety
/// `client` is valid, and nothing of it is borrowed: callbacks use it.
pub(crate) unsafe fn run_all(client: *mut Client) -> gearman_return_t {
    // SAFETY: the caller's promise.
    unsafe {
        match fence(Some(ERROR), || (*client).begin_run()) {
            Some(code) => code,
            None => drive(client, Goal::All),
        }
    }
}

/// Adds a task for a job and runs all tasks of the client once. The task keeps the result: see gearman_task_return() and
/// gearman_task_result(). It belongs to the client.
///
/// `workload` says how the job runs: NULL is in the foreground with normal priority, and `context` is not used then. The value of
/// `arguments` is the job's workload. NULL only where the task could not be made.
///
/// # Safety
/// `client` is NULL or a client of this library; the names have as many bytes as is said; the others are NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_execute(
    client: *mut gearman_client_st,
    function_name: *const c_char,
    function_name_length: usize,
    unique: *const c_char,
    unique_length: usize,
    workload: *mut gearman_task_attr_t,
    arguments: *mut gearman_argument_t,
    context: *mut c_void,
) -> *mut gearman_task_st {
    // SAFETY: the caller's promise; no reference lives while callbacks run.
    unsafe {
        let object = inner(client);
        if object.is_null() {
            return null_mut();
        }
        let added = fence(Err(ERROR), || {
            (*object).universal.report.reset();
            let value = arguments.as_ref().map(|arguments| arguments.value);
            (*object).add_execution(&Execution {
                function: bytes(function_name.cast(), function_name_length),
                unique: bytes(unique.cast(), unique_length),
                attributes: workload.as_ref().copied(),
                workload: value.map_or(&[], |value| bytes(value.c_str.cast(), value.size)),
                context: if workload.is_null() { null_mut() } else { context },
                reducer: None,
            })
        });
        tell(&raw mut (*object).universal.report);
        if added.is_ok() {
            run_all(object);
        }
        added.unwrap_or(null_mut())
    }
}

/// Runs a job in pieces: the worker of `partition_function` sends pieces, each of which is a job of the function
/// `function_name`, and puts their results together. Otherwise as gearman_execute(); the workload must not be empty, and a job at
/// a time is refused. NULL where running fails.
///
/// # Safety
/// As for gearman_execute().
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_execute_by_partition(
    client: *mut gearman_client_st,
    partition_function: *const c_char,
    partition_function_length: usize,
    function_name: *const c_char,
    function_name_length: usize,
    unique_str: *const c_char,
    unique_length: usize,
    workload: *mut gearman_task_attr_t,
    arguments: *mut gearman_argument_t,
    context: *mut c_void,
) -> *mut gearman_task_st {
    // SAFETY: the caller's promise; no reference lives while callbacks run.
    unsafe {
        let object = inner(client);
        if object.is_null() {
            *libc::__errno_location() = libc::EINVAL;
            return null_mut();
        }
        let added = fence(Err(ERROR), || {
            let report = &mut (*object).universal.report;
            report.reset();
            let value = arguments.as_ref().map(|arguments| arguments.value);
            let what = Execution {
                function: bytes(partition_function.cast(), partition_function_length),
                unique: bytes(unique_str.cast(), unique_length),
                attributes: workload.as_ref().copied(),
                workload: value.map_or(&[], |value| bytes(value.c_str.cast(), value.size)),
                context,
                reducer: Some(bytes(function_name.cast(), function_name_length)),
            };
            let why = if what.workload.is_empty() {
                "the workload is empty"
            } else if what.reducer.is_none_or(<[u8]>::is_empty) {
                "there is no function for the pieces"
            } else if what.attributes.is_some_and(|attributes| attributes.kind == EPOCH) {
                "a job in pieces runs at once"
            } else {
                return (*object).add_execution(&what);
            };
            Err(report.record("execute_by_partition", INVALID_ARGUMENT, why))
        });
        tell(&raw mut (*object).universal.report);
        match added {
            Ok(task) if run_all(object) == SUCCESS => task,
            _ => null_mut(),
        }
    }
}
