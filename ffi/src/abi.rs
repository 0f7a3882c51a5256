//! The types that C programs see. Sizes and offsets are asserted here, and in C by `tests/c/layout.c`.
//!
//! Numbers that come from C are taken as they are (`u32`), never as a Rust enum: a program may pass anything.

use std::ffi::{c_char, c_int, c_void};

use crate::client::{Client, Task};
use crate::job::Job;
use crate::worker::Worker;

/// A result code; see [`crate::returns`].
pub type gearman_return_t = u32;
/// 0 high, 1 normal, 2 low.
pub type gearman_job_priority_t = u32;
/// 0 never, 1 fatal, 2 error, 3 info, 4 debug, 5 crazy.
pub type gearman_verbose_t = u32;
/// 0 check, 1 interrupt, 2 kill, 3 kill and wait.
pub type gearman_signal_t = u32;
/// Bits; see `constants.h`.
pub type gearman_client_options_t = u32;
/// Bits; see `constants.h`.
pub type gearman_worker_options_t = u32;
/// A port in the byte order of this machine.
pub type in_port_t = u16;
/// Seconds since 1970.
pub type time_t = i64;

/// What stands in front of a client, worker or job.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct HandleOptions {
    /// The handle is the library's memory.
    pub is_allocated: bool,
    /// The handle is in use.
    pub is_initialized: bool,
}

/// What stands in front of a task.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct TaskOptions {
    /// The handle is the library's memory.
    pub is_allocated: bool,
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident { $options:ident, $inner:ident })*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        #[repr(C)]
        pub struct $name {
            /// Where the memory comes from.
            pub options: $options,
            /// The object itself; NULL after it has been freed.
            pub _impl: *mut $inner,
        }

        const _: () = assert!(size_of::<$name>() == 16 && align_of::<$name>() == 8);
        const _: () = assert!(std::mem::offset_of!($name, _impl) == 8);
    )* };
}

handles! {
    /// A client.
    gearman_client_st { HandleOptions, Client }
    /// A worker.
    gearman_worker_st { HandleOptions, Worker }
    /// A job that a worker has.
    gearman_job_st { HandleOptions, Job }
    /// A client's task.
    gearman_task_st { TaskOptions, Task }
}

/// Bytes that are somebody else's.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct gearman_string_t {
    /// Where they are; NULL where there are none.
    pub c_str: *const c_char,
    /// How many.
    pub size: usize,
}

impl gearman_string_t {
    /// Nothing.
    pub const NONE: Self = Self { c_str: std::ptr::null(), size: 0 };
}

/// What `gearman_execute` hands to a function.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct gearman_argument_t {
    /// Not used: always nothing.
    pub name: gearman_string_t,
    /// The workload.
    pub value: gearman_string_t,
}

/// How `gearman_execute` runs a job.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct gearman_task_attr_t {
    /// 0 foreground, 1 background, 2 at a time.
    pub kind: u32,
    /// How urgent it is.
    pub priority: gearman_job_priority_t,
    /// The time, where the kind is 2.
    pub epoch: time_t,
}

/// A worker function of one of three kinds.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct gearman_function_t {
    /// 0 none, 1 first version, 2 second version, 3 with an aggregator.
    pub kind: u32,
    /// The function itself.
    pub function: *const c_void,
    /// The aggregator of kind 3.
    pub aggregator: *const c_void,
}

/// The answer of `gearman_client_unique_status`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct gearman_status_t {
    /// 0.
    pub version: u32,
    /// What became of the question.
    pub result_rc: gearman_return_t,
    /// The server has the job.
    pub is_known: bool,
    /// A worker has it.
    pub is_running: bool,
    /// What is done.
    pub numerator: u32,
    /// What there is to do.
    pub denominator: u32,
    /// How many clients wait for it.
    pub client_count: u32,
}

/// A worker's wake-up pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct gearman_id_t {
    /// The worker's end.
    pub read_fd: c_int,
    /// The end of those who wake it.
    pub write_fd: c_int,
}

/// The callbacks of a task.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct gearman_actions_t {
    /// A workload is wanted.
    pub workload_fn: Option<TaskFn>,
    /// The server has the job.
    pub created_fn: Option<TaskFn>,
    /// A piece of the result is there.
    pub data_fn: Option<TaskFn>,
    /// A warning is there.
    pub warning_fn: Option<TaskFn>,
    /// A status is there.
    pub status_fn: Option<TaskFn>,
    /// The job is done.
    pub complete_fn: Option<TaskFn>,
    /// The job has ended by an exception.
    pub exception_fn: Option<TaskFn>,
    /// The job has failed.
    pub fail_fn: Option<TaskFn>,
}

const _: () = assert!(size_of::<gearman_string_t>() == 16 && size_of::<gearman_argument_t>() == 32);
const _: () = assert!(size_of::<gearman_task_attr_t>() == 16 && size_of::<gearman_function_t>() == 24);
const _: () = assert!(size_of::<gearman_status_t>() == 24 && align_of::<gearman_status_t>() == 4);
const _: () = assert!(std::mem::offset_of!(gearman_status_t, numerator) == 12);
const _: () = assert!(size_of::<gearman_id_t>() == 8 && size_of::<gearman_actions_t>() == 64);

/// Bytes of a job handle with its NUL.
pub const GEARMAN_JOB_HANDLE_SIZE: usize = 64;
/// The longest name of a function, in bytes.
pub const GEARMAN_FUNCTION_MAX_SIZE: usize = 512;
/// The longest unique, in bytes, with its NUL where it is sent.
pub const GEARMAN_MAX_UNIQUE_SIZE: usize = 64;
/// The longest identifier, in bytes.
pub const GEARMAN_MAX_IDENTIFIER: usize = 254;
/// How long a worker waits at most where it has no timeout of its own, in milliseconds.
pub const GEARMAN_WORKER_WAIT_TIMEOUT: c_int = 10_000;

/// A callback about a task.
pub type TaskFn = unsafe extern "C-unwind" fn(*mut gearman_task_st) -> gearman_return_t;
/// Called where a task with a context is freed.
pub type ContextFreeFn = unsafe extern "C-unwind" fn(*mut gearman_task_st, *mut c_void);
/// Takes a line of the log.
pub type LogFn = unsafe extern "C-unwind" fn(*const c_char, gearman_verbose_t, *mut c_void);
/// `malloc` with a context.
pub type MallocFn = unsafe extern "C-unwind" fn(usize, *mut c_void) -> *mut c_void;
/// `free` with a context.
pub type FreeFn = unsafe extern "C-unwind" fn(*mut c_void, *mut c_void);
/// `realloc` with a context.
pub type ReallocFn = unsafe extern "C-unwind" fn(*mut c_void, usize, *mut c_void) -> *mut c_void;
/// `calloc` with a context.
pub type CallocFn = unsafe extern "C-unwind" fn(usize, usize, *mut c_void) -> *mut c_void;
/// Takes one server of a list.
pub type ParseServerFn =
    unsafe extern "C-unwind" fn(*const c_char, in_port_t, *mut c_void) -> gearman_return_t;
/// A worker function of the first version: gives its result back as memory.
pub type WorkerFn = unsafe extern "C-unwind" fn(
    *mut gearman_job_st,
    *mut c_void,
    *mut usize,
    *mut gearman_return_t,
) -> *mut c_void;
/// A worker function of the second version: sends its results itself.
pub type FunctionFn = unsafe extern "C-unwind" fn(*mut gearman_job_st, *mut c_void) -> gearman_return_t;
/// Puts the results of the pieces together.
pub type AggregatorFn =
    unsafe extern "C-unwind" fn(*mut c_void, *mut gearman_task_st, *mut c_void) -> gearman_return_t;

// The same types under the names that the header has for them.
/// See [`TaskFn`].
pub type gearman_task_callback = Option<TaskFn>;
/// See [`LogFn`].
pub type gearman_log_callback = Option<LogFn>;
/// See [`MallocFn`].
pub type gearman_malloc_callback = Option<MallocFn>;
/// See [`FreeFn`].
pub type gearman_free_callback = Option<FreeFn>;
/// See [`ReallocFn`].
pub type gearman_realloc_callback = Option<ReallocFn>;
/// See [`CallocFn`].
pub type gearman_calloc_callback = Option<CallocFn>;
/// See [`ContextFreeFn`].
pub type gearman_context_free_callback = Option<ContextFreeFn>;
/// See [`ParseServerFn`].
pub type gearman_parse_server_callback = Option<ParseServerFn>;
/// See [`WorkerFn`].
pub type gearman_worker_callback = Option<WorkerFn>;
/// See [`FunctionFn`].
pub type gearman_function_callback = Option<FunctionFn>;
/// See [`AggregatorFn`].
pub type gearman_aggregator_callback = Option<AggregatorFn>;
