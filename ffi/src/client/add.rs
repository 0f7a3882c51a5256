//! How tasks come to be.

use std::ffi::{CStr, c_void};

use lineshaft::types::Priority;

use super::Client;
use super::run::uncount;
use super::task::{Handle, Request, Role, Task};
use super::tasks::TaskId;
use crate::abi::gearman_return_t;
use crate::abi::{
    GEARMAN_FUNCTION_MAX_SIZE, GEARMAN_MAX_UNIQUE_SIZE, gearman_job_priority_t, gearman_task_st,
};
use crate::pointer::c_text;
use crate::returns::INVALID_ARGUMENT;
use crate::unique::{hash, uuid};

/// What a program says of a job. `None` is NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) function: Option<&'a [u8]>,
    pub(crate) unique: Option<&'a [u8]>,
    pub(crate) workload: *const c_void,
    pub(crate) size: usize,
}

/// The priority of a number; what is none counts as normal.
pub(crate) const fn priority(number: gearman_job_priority_t) -> Priority {
    match number {
        0 => Priority::High,
        2 => Priority::Low,
        _ => Priority::Normal,
    }
}

/// A request for a job that runs at once.
pub(crate) const fn submit(priority: Priority, background: bool) -> Request {
    Request::Submit { priority, background, epoch: None, reducer: None }
}

impl Client {
    /// Makes a task of a job. `workload` is what a unique of `#` is made of; the task has none yet.
    ///
    /// # Errors
    /// [`INVALID_ARGUMENT`], which is recorded.
    pub(crate) fn make(
        &mut self,
        job: Job<'_>,
        workload: &[u8],
        request: Request,
    ) -> Result<Box<Task>, gearman_return_t> {
        let function = job.function.unwrap_or_default();
        let unique = job.unique.unwrap_or_default();
        let why = if function.is_empty() {
            "a function has a name"
        } else if function.len() > GEARMAN_FUNCTION_MAX_SIZE {
            "a function's name has 512 bytes at the most"
        } else if unique.len() > GEARMAN_MAX_UNIQUE_SIZE {
            "a unique has 64 bytes at the most"
        } else if job.workload.is_null() != (job.size == 0) {
            "a workload has a pointer and a size, or neither"
        } else {
            let mut task = Box::<Task>::default();
            task.function = c_text(&self.universal.full_name(function));
            task.unique = unique_of(unique, workload);
            task.request = request;
            return Ok(task);
        };
        Err(self.universal.report.record("add_task", INVALID_ARGUMENT, why))
    }

    /// Adds a task of the program's: it is sent with the next run.
    ///
    /// # Safety
    /// `shell` is NULL or has room for a handle.
    pub(crate) unsafe fn add(
        &mut self,
        mut task: Box<Task>,
        shell: *mut gearman_task_st,
        context: *mut c_void,
    ) -> *mut gearman_task_st {
        task.client = self;
        task.context = context;
        task.actions = self.actions;
        task.is_unbuffered = self.flags.unbuffered_result;
        task.is_counted = true;
        self.under_way += 1;
        let task = self.tasks.add(task, false);
        // SAFETY: the table does not move its tasks; the rest is the caller's promise.
        unsafe {
            self.queue.push_back((*task).id);
            Task::bind(task, shell)
        }
    }

    /// Adds a task of one call, which nobody else sees.
    pub(crate) fn add_call(&mut self, mut task: Box<Task>) -> TaskId {
        task.client = self;
        task.role = Role::Call;
        task.is_counted = true;
        let task = self.tasks.add(task, true);
        // SAFETY: just added.
        unsafe { (*task).id }
    }

    /// Takes a task out and frees it. Its handle, where that is the program's memory, can be freed once more.
    pub(crate) fn remove(&mut self, id: TaskId) {
        let Some(mut task) = self.tasks.remove(id) else { return };
        uncount(&mut task, &mut self.under_way);
        task.unbind();
    }

    /// A task that asks how a job stands.
    pub(crate) fn status_task(handle: Option<&[u8]>, unique: Option<&[u8]>) -> Box<Task> {
        let mut task = Box::<Task>::default();
        match handle {
            Some(handle) => task.handle = Handle::new(handle),
            None => {
                task.request = Request::StatusByUnique;
                task.unique = c_text(unique.unwrap_or_default());
            }
        }
        task
    }
}

/// The unique as it is sent: one of the library's own where there is none, the workload's hash for `#`.
fn unique_of(unique: &[u8], workload: &[u8]) -> Box<CStr> {
    match unique {
        b"" => c_text(&uuid()),
        b"#" => c_text(hash(workload).to_string().as_bytes()),
        // One byte of the 64 is the NUL's.
        unique => c_text(&unique[..unique.len().min(GEARMAN_MAX_UNIQUE_SIZE - 1)]),
    }
}
