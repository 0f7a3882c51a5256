//! A task: what a client knows about one of its jobs.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use bytes::Bytes;

use super::Client;
use super::tasks::TaskId;
use crate::abi::{
    GEARMAN_JOB_HANDLE_SIZE, TaskOptions, gearman_actions_t, gearman_return_t, gearman_task_st,
};
use crate::returns::UNKNOWN_STATE;

/// How far a task has come, as `gearman_task_strstate` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    New,
    Submit,
    Work,
    Created,
    Data,
    Warning,
    Status,
    Complete,
    Exception,
    Fail,
    Finished,
}

impl State {
    /// True where nothing more will come from the server.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Exception | Self::Fail | Self::Finished)
    }

    pub(crate) const fn name(self) -> &'static CStr {
        match self {
            Self::New => c"GEARMAN_TASK_STATE_NEW",
            Self::Submit => c"GEARMAN_TASK_STATE_SUBMIT",
            Self::Work => c"GEARMAN_TASK_STATE_WORK",
            Self::Created => c"GEARMAN_TASK_STATE_CREATED",
            Self::Data => c"GEARMAN_TASK_STATE_DATA",
            Self::Warning => c"GEARMAN_TASK_STATE_WARNING",
            Self::Status => c"GEARMAN_TASK_STATE_STATUS",
            Self::Complete => c"GEARMAN_TASK_STATE_COMPLETE",
            Self::Exception => c"GEARMAN_TASK_STATE_EXCEPTION",
            Self::Fail => c"GEARMAN_TASK_STATE_FAIL",
            Self::Finished => c"GEARMAN_TASK_STATE_FINISHED",
        }
    }
}

/// A job handle as C sees it: at most 63 bytes and a NUL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle([u8; GEARMAN_JOB_HANDLE_SIZE]);

impl Default for Handle {
    fn default() -> Self {
        Self([0; GEARMAN_JOB_HANDLE_SIZE])
    }
}

impl Handle {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut handle = Self::default();
        let length = bytes.len().min(GEARMAN_JOB_HANDLE_SIZE - 1);
        handle.0[..length].copy_from_slice(&bytes[..length]);
        handle
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// All of it, its NULs included: what a program's `gearman_job_handle_t` holds.
    pub(crate) const fn as_array(&self) -> &[u8; GEARMAN_JOB_HANDLE_SIZE] {
        &self.0
    }

    pub(crate) const fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// What a `gearman_task_st` stands for.
#[derive(Debug)]
pub struct Task {
    /// The handle where the library has made it.
    own: gearman_task_st,
    /// The handle that the program knows: `own`, or memory of the program. NULL where nobody knows it.
    pub(crate) shell: *mut gearman_task_st,
    pub(crate) client: *mut Client,
    pub(crate) id: TaskId,
    pub(crate) state: State,
    pub(crate) actions: gearman_actions_t,
    pub(crate) context: *mut c_void,
    /// What has become of it; [`UNKNOWN_STATE`] until it is over.
    pub(crate) outcome: gearman_return_t,
    pub(crate) function: Box<CStr>,
    pub(crate) unique: Box<CStr>,
    pub(crate) handle: Handle,
    pub(crate) is_known: bool,
    pub(crate) is_running: bool,
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
    pub(crate) client_count: u32,
    /// What the packet that is being reported brought.
    pub(crate) data: Option<Bytes>,
    pub(crate) exception: Option<Bytes>,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            own: gearman_task_st { options: TaskOptions { is_allocated: true }, _impl: null_mut() },
            shell: null_mut(),
            client: null_mut(),
            id: TaskId::NONE,
            state: State::New,
            actions: gearman_actions_t::default(),
            context: null_mut(),
            outcome: UNKNOWN_STATE,
            function: Box::default(),
            unique: Box::default(),
            handle: Handle::default(),
            is_known: false,
            is_running: false,
            numerator: 0,
            denominator: 0,
            client_count: 0,
            data: None,
            exception: None,
        }
    }
}

impl Task {
    /// Gives a task at a fixed place its handle: `shell`, or its own where that is NULL.
    ///
    /// # Safety
    /// `task` is valid and does not move; `shell` is NULL or can be written. What `shell` holds is not read.
    pub(crate) unsafe fn bind(task: *mut Self, shell: *mut gearman_task_st) -> *mut gearman_task_st {
        // SAFETY: the caller's promise.
        unsafe {
            if shell.is_null() {
                (*task).own._impl = task;
                (*task).shell = &raw mut (*task).own;
            } else {
                shell.write(gearman_task_st { options: TaskOptions { is_allocated: false }, _impl: task });
                (*task).shell = shell;
            }
            (*task).shell
        }
    }
}

/// The task behind a handle; `None` for NULL and for a handle that has been freed.
///
/// # Safety
/// `task` is NULL or a handle that this library has initialised; the reference is dropped before anything of the program runs.
unsafe fn task<'a>(task: *const gearman_task_st) -> Option<&'a Task> {
    // SAFETY: the caller's promise.
    unsafe { task.as_ref()?._impl.as_ref() }
}

/// The pointer that the program gave when it added the task, or with gearman_task_set_context(); NULL without one.
///
/// # Safety
/// `task` is NULL or a task of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_context(task: *const gearman_task_st) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { self::task(task) }.map_or(null_mut(), |task| task.context)
}

/// The job's handle; empty until the server has told it. Lives as long as the task.
///
/// # Safety
/// As for gearman_task_context().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_task_job_handle(task: *const gearman_task_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { self::task(task) }.map_or(null(), |task| task.handle.as_ptr())
}
