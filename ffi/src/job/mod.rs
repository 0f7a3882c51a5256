//! A job that a worker has: `gearman_job_st`.

mod access;
mod send;

#[cfg(test)]
pub(crate) use send::gearman_job_send_data;

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use bytes::Bytes;
use lineshaft::protocol::Assign;

use crate::abi::{HandleOptions, gearman_client_st, gearman_job_st};
use crate::allocator::Allocator;
use crate::client::gearman_client_free;
use crate::panic::fence;
use crate::result::gearman_result_st;
use crate::worker::Worker;

/// What a `gearman_job_st` stands for.
#[derive(Debug)]
pub struct Job {
    own: gearman_job_st,
    pub(crate) worker: *mut Worker,
    /// The conversation in which it came: a server that has been lost since has given it to another worker.
    conversation: u64,
    /// Handle, function and unique, each with a NUL behind it.
    texts: Vec<u8>,
    /// Where function and unique begin.
    function: usize,
    unique: usize,
    /// The function that gets the pieces; empty where the job is no map job.
    reducer: Vec<u8>,
    workload: Workload,
    /// The server has been told how it has ended.
    is_finished: bool,
    /// The client for jobs of the program's own, made when it is first asked for.
    client: *mut gearman_client_st,
    /// The client that has the pieces of a map job; NULL before the first.
    pub(crate) pieces: *mut gearman_client_st,
    /// What the aggregator makes of them.
    pub(crate) result: gearman_result_st,
    /// Where the stack was when the job's function was called; 0 for a job that was grabbed.
    pub(crate) frame: usize,
}

/// The payload, and whose memory it is in.
#[derive(Clone, Debug)]
enum Workload {
    Own(Bytes),
    /// The program's allocator has given it, and gets it back.
    Program {
        memory: *mut c_void,
        size: usize,
    },
    Taken,
}

impl Job {
    /// A job as it has come from a server.
    pub(crate) fn assigned(assign: &Assign<'_>, conversation: u64) -> Self {
        let texts = [assign.handle, assign.function, assign.unique];
        let mut all = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
        let starts = texts.map(|text| {
            let start = all.len();
            all.extend_from_slice(text);
            all.push(0);
            start
        });
        let options = HandleOptions { is_allocated: true, is_initialized: true };
        Self {
            own: gearman_job_st { options, _impl: null_mut() },
            worker: null_mut(),
            conversation,
            texts: all,
            function: starts[1],
            unique: starts[2],
            reducer: assign.reducer.to_vec(),
            workload: Workload::Own(assign.workload.to_bytes()),
            is_finished: false,
            client: null_mut(),
            pieces: null_mut(),
            result: gearman_result_st::Null,
            frame: 0,
        }
    }

    /// Gives a job at a fixed place its handle and its worker.
    ///
    /// # Safety
    /// `job` is valid and does not move.
    pub(crate) unsafe fn bind(job: *mut Self, worker: *mut Worker) {
        // SAFETY: the caller's promise.
        unsafe {
            (*job).own._impl = job;
            (*job).worker = worker;
        }
    }

    /// The handle that the program knows.
    ///
    /// # Safety
    /// `job` is valid.
    pub(crate) const unsafe fn shell(job: *mut Self) -> *mut gearman_job_st {
        // SAFETY: the caller's promise.
        unsafe { &raw mut (*job).own }
    }

    /// The bytes of a text that begins at `start`, without its NUL.
    fn text(&self, start: usize) -> &[u8] {
        self.texts[start..].split(|&byte| byte == 0).next().unwrap_or_default()
    }

    fn c_text(&self, start: usize) -> *const c_char {
        self.texts[start..].as_ptr().cast()
    }

    pub(crate) fn function(&self) -> &[u8] {
        self.text(self.function)
    }

    pub(crate) fn reducer(&self) -> &[u8] {
        &self.reducer
    }

    /// True for the first step of map/reduce: what it sends goes to the reducer.
    pub(crate) const fn is_map(&self) -> bool {
        !self.reducer.is_empty()
    }

    pub(crate) const fn workload_size(&self) -> usize {
        match &self.workload {
            Workload::Own(bytes) => bytes.len(),
            Workload::Program { size, .. } => *size,
            Workload::Taken => 0,
        }
    }
}

/// Moves a job's workload into the program's memory; it stays where it is where there is none.
///
/// # Safety
/// `job` is valid; `memory` is NULL or has room for the workload.
pub(crate) unsafe fn give_memory(job: *mut Job, memory: *mut c_void) {
    fence((), || {
        // SAFETY: the caller's promise; nobody else uses the job now.
        let job = unsafe { &mut *job };
        if let Workload::Own(bytes) = &job.workload
            && !memory.is_null()
        {
            let size = bytes.len();
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast(), size) };
            job.workload = Workload::Program { memory, size };
        }
    });
}

/// What is left to do when a job has been taken out of its worker. Nothing in it has to be dropped.
#[derive(Clone, Copy, Debug)]
struct Remains {
    job: *mut Job,
    allocator: Allocator,
    memory: *mut c_void,
    clients: [*mut gearman_client_st; 2],
}

/// Takes a job out of its worker.
///
/// # Safety
/// `job` is valid.
unsafe fn detach(job: *mut Job) -> Remains {
    // SAFETY: the caller's promise; a job's worker lives at least as long.
    unsafe {
        let (job, worker) = (&mut *job, &mut *(*job).worker);
        worker.jobs.retain(|&other| !std::ptr::eq(other, job));
        let memory = match std::mem::replace(&mut job.workload, Workload::Taken) {
            Workload::Program { memory, .. } => memory,
            Workload::Own(_) | Workload::Taken => null_mut(),
        };
        let clients = [&mut job.client, &mut job.pieces].map(|client| std::mem::replace(client, null_mut()));
        Remains { job, allocator: worker.universal.allocator, memory, clients }
    }
}

/// Frees a job with its clients and its workload.
///
/// # Safety
/// `job` is NULL or valid. Not inside a fence.
pub(crate) unsafe fn free(job: *mut Job) {
    if job.is_null() {
        return;
    }
    // SAFETY: the caller's promise. The program's functions run with nothing of Rust's alive.
    unsafe {
        let Some(remains) = fence(None, || Some(detach(job))) else { return };
        for client in remains.clients {
            gearman_client_free(client);
        }
        remains.allocator.release(remains.memory);
        // SAFETY: made from a box by the worker, which has forgotten it.
        fence((), || drop(Box::from_raw(remains.job)));
    }
}

/// Frees all jobs of a worker.
///
/// # Safety
/// `worker` is valid. Not inside a fence.
pub(crate) unsafe fn free_jobs(worker: *mut Worker) {
    // SAFETY: the caller's promise; a job takes itself out of the list.
    unsafe {
        while let Some(job) = fence(None, || (*worker).jobs.last().copied()) {
            free(job);
        }
    }
}
