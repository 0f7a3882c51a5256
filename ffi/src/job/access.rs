//! What can be asked of a job.

use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

use super::{Job, Workload, free, free_jobs};
use crate::abi::{gearman_client_st, gearman_job_st, gearman_worker_st};
use crate::allocator::Allocator;
use crate::client::client_of;
use crate::panic::fence;
use crate::pointer::put;
use crate::worker::{clone_of, inner};

/// The job behind a handle; NULL where there is none.
///
/// # Safety
/// `job` is NULL or a handle of this library.
unsafe fn object(job: *const gearman_job_st) -> *mut Job {
    // SAFETY: the caller's promise.
    unsafe { job.as_ref() }.map_or(null_mut(), |job| job._impl)
}

/// Runs `body` with the job behind a handle.
///
/// # Safety
/// As [`object`]; `body` calls nothing of the program's.
unsafe fn read<T: Copy>(job: *const gearman_job_st, otherwise: T, body: impl FnOnce(&mut Job) -> T) -> T {
    // SAFETY: the caller's promise.
    fence(otherwise, || unsafe { object(job).as_mut() }.map_or(otherwise, body))
}

/// The job's handle. Lives as long as the job, as all that these functions answer does.
///
/// # Safety
/// `job` is NULL or a job of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_handle(job: *const gearman_job_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { read(job, null(), |job| job.c_text(0)) }
}

/// The name of the job's function as the server knows it: with its namespace.
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_function_name(job: *const gearman_job_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { read(job, null(), |job| job.c_text(job.function)) }
}

/// The job's unique; empty where the worker does not ask for uniques.
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_unique(job: *const gearman_job_st) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { read(job, null(), |job| job.c_text(job.unique)) }
}

/// The workload, without a NUL behind it; NULL where it is empty.
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_workload(job: *const gearman_job_st) -> *const c_void {
    // SAFETY: the caller's promise.
    unsafe {
        read(job, null(), |job| match &job.workload {
            Workload::Own(bytes) if !bytes.is_empty() => bytes.as_ptr().cast(),
            Workload::Program { memory, .. } => memory.cast_const(),
            Workload::Own(_) | Workload::Taken => null(),
        })
    }
}

/// The size of the workload in bytes.
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_workload_size(job: *const gearman_job_st) -> usize {
    // SAFETY: the caller's promise.
    unsafe { read(job, 0, |job| job.workload_size()) }
}

/// Gives the workload away: the program frees it, with free() or with what matches the worker's own allocator. NULL where it is empty
/// or has been taken before. `data_size`, which may be NULL, gets its size.
///
/// # Safety
/// As for gearman_job_handle(); `data_size` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_take_workload(
    job: *mut gearman_job_st,
    data_size: *mut usize,
) -> *mut c_void {
    // SAFETY: the caller's promise; no reference is alive while the program's allocator runs.
    unsafe {
        let size = read(job, 0, |job| job.workload_size());
        put(data_size, 0);
        if size == 0 {
            return null_mut();
        }
        let mut memory = take_program(job);
        if memory.is_null() {
            let allocator = read(job, Allocator::default(), |job| (*job.worker).universal.allocator);
            memory = allocator.allocate(size);
            if memory.is_null() {
                return null_mut();
            }
            super::give_memory(object(job), memory);
            take_program(job);
        }
        put(data_size, size);
        memory
    }
}

/// Takes a workload that is in the program's memory.
///
/// # Safety
/// As [`object`].
unsafe fn take_program(job: *mut gearman_job_st) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe {
        read(job, null_mut(), |job| match job.workload {
            Workload::Program { memory, .. } => {
                job.workload = Workload::Taken;
                memory
            }
            Workload::Own(_) | Workload::Taken => null_mut(),
        })
    }
}

/// Makes a worker like the one that has the job, as gearman_worker_clone() does; the program frees it with gearman_worker_free().
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_clone_worker(job: *mut gearman_job_st) -> *mut gearman_worker_st {
    // SAFETY: the caller's promise.
    unsafe { clone_of(null_mut(), read(job, null_mut(), |job| job.worker)) }
}

/// A client for jobs of the function's own, with the worker's servers, namespace and timeout. Made at the first call, and freed with
/// the job.
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_use_client(job: *mut gearman_job_st) -> *mut gearman_client_st {
    // SAFETY: the caller's promise; a job's worker lives at least as long as the job.
    unsafe {
        read(job, null_mut(), |job| {
            if job.client.is_null() {
                job.client = client_of(&(*job.worker).universal);
            }
            job.client
        })
    }
}

/// What went wrong last with the worker that has the job; NULL where nothing has.
///
/// # Safety
/// As for gearman_job_handle().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_job_error(job: *mut gearman_job_st) -> *const c_char {
    // SAFETY: the caller's promise; a job's worker lives at least as long as the job.
    unsafe { read(job, null(), |job| (*job.worker).universal.report.text()) }
}

/// Frees a job that gearman_worker_grab_job() has given. NULL is allowed. A server that has not been told how the job has ended keeps it
/// for this worker.
///
/// # Safety
/// `job` is NULL or a job of gearman_worker_grab_job() that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_free(job: *mut gearman_job_st) {
    // SAFETY: the caller's promise.
    unsafe { free(object(job)) }
}

/// Frees all jobs that a worker has.
///
/// # Safety
/// `worker` is NULL or a worker of this library, and none of its functions is running.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn gearman_job_free_all(worker: *mut gearman_worker_st) {
    // SAFETY: the caller's promise.
    unsafe {
        let worker = inner(worker);
        if !worker.is_null() {
            free_jobs(worker);
        }
    }
}
