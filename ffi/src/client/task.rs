//! A task: what a client knows about one of its jobs.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

use bytes::Bytes;
use lineshaft::types::Priority;

use super::Client;
use super::tasks::TaskId;
use crate::abi::{
    GEARMAN_JOB_HANDLE_SIZE, TaskOptions, gearman_actions_t, gearman_return_t, gearman_task_st,
};
use crate::result::gearman_result_st;
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

/// Who wants the task, which says where its events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The program: its callbacks are called.
    Added,
    /// `gearman_execute`: the result is kept in the task.
    Execute,
    /// One call of the library, which waits for it and collects the result. In no list.
    Call,
}

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A job.
    Submit {
        priority: Priority,
        background: bool,
        /// A Unix second.
        epoch: Option<i64>,
        reducer: Option<Box<CStr>>,
    },
    /// How the job with the task's handle stands.
    Status,
    /// How the job with the task's unique stands.
    StatusByUnique,
}

impl Request {
    /// True where nothing is reported but that the server has the job.
    pub(crate) const fn is_background(&self) -> bool {
        matches!(self, Self::Submit { background: true, .. } | Self::Submit { epoch: Some(_), .. })
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
    pub(crate) role: Role,
    pub(crate) request: Request,
    /// Somebody may wait for it: it has not ended, and its connection has not been lost.
    pub(crate) is_counted: bool,
    /// The pausing callbacks have paused for the event that is being told.
    pub(crate) has_paused: bool,
    /// Its data is read with gearman_task_recv_data().
    pub(crate) is_unbuffered: bool,
    pub(crate) actions: gearman_actions_t,
    pub(crate) context: *mut c_void,
    /// What has become of it; [`UNKNOWN_STATE`] until it is over.
    pub(crate) outcome: gearman_return_t,
    pub(crate) function: Box<CStr>,
    pub(crate) unique: Box<CStr>,
    /// What goes out; empty again when it is on its way.
    pub(crate) workload: Bytes,
    pub(crate) handle: Handle,
    pub(crate) is_known: bool,
    pub(crate) is_running: bool,
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
    pub(crate) client_count: u32,
    /// What the packet that is being reported brought.
    pub(crate) data: Option<Bytes>,
    /// How much of it gearman_task_recv_data() has given.
    pub(crate) read: usize,
    pub(crate) exception: Option<Bytes>,
    /// All data so far, where the role is one that collects it.
    pub(crate) result: Option<gearman_result_st>,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            own: gearman_task_st { options: TaskOptions { is_allocated: true }, _impl: null_mut() },
            shell: null_mut(),
            client: null_mut(),
            id: TaskId::NONE,
            state: State::New,
            role: Role::Added,
            request: Request::Status,
            is_counted: false,
            has_paused: false,
            is_unbuffered: false,
            actions: gearman_actions_t::default(),
            context: null_mut(),
            outcome: UNKNOWN_STATE,
            function: Box::default(),
            unique: Box::default(),
            workload: Bytes::new(),
            handle: Handle::default(),
            is_known: false,
            is_running: false,
            numerator: 0,
            denominator: 0,
            client_count: 0,
            data: None,
            read: 0,
            exception: None,
            result: None,
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

    /// Takes the object away from a handle that is memory of the program: freeing that again does nothing.
    pub(crate) fn unbind(&mut self) {
        if !self.shell.is_null() && self.shell != &raw mut self.own {
            // SAFETY: the program keeps the memory of a task until the task has been freed.
            unsafe { (*self.shell)._impl = null_mut() };
        }
    }
}
