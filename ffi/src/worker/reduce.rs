//! Map/reduce: the pieces of a map job are jobs for its reducer, and an aggregator makes one result of theirs.

use std::ffi::c_void;
use std::ptr::null_mut;

use crate::abi::{AggregatorFn, gearman_return_t};
use crate::client::{client_of, run_all};
use crate::job::Job;
use crate::panic::fence;
use crate::returns::{MEMORY_ALLOCATION_FAILURE, SUCCESS, WORK_FAIL};

/// What has become of the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pieces {
    /// There are none.
    None,
    /// All are done, and the job has their result.
    Done,
    Failed(gearman_return_t),
}

/// What an aggregator is called with.
#[derive(Debug)]
pub struct gearman_aggregator_st {
    context: *mut c_void,
}

/// The pointer that the client of the pieces has as its context: NULL, unless the aggregator has been given one.
///
/// # Safety
/// `self_` is NULL or what an aggregator was called with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gearman_aggegator_context(self_: *mut gearman_aggregator_st) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { self_.as_ref() }.map_or(null_mut(), |aggregator| aggregator.context)
}

impl Job {
    /// Hands a piece to the reducer. It is sent when the job's function has returned.
    pub(crate) fn add_piece(&mut self, data: &[u8]) -> gearman_return_t {
        if self.pieces.is_null() {
            // SAFETY: a job's worker lives at least as long as the job.
            self.pieces = client_of(unsafe { &(*self.worker).universal });
        }
        // SAFETY: made just now or before, and nobody else's.
        let Some(client) = (unsafe { self.pieces.as_ref().and_then(|client| client._impl.as_mut()) }) else {
            return MEMORY_ALLOCATION_FAILURE;
        };
        match client.add_piece(self.reducer(), data) {
            Ok(()) => SUCCESS,
            Err(code) => code,
        }
    }
}

/// Runs a job's pieces and lets the aggregator make one result of theirs.
///
/// # Safety
/// `job` is valid. Not inside a fence.
pub(super) unsafe fn reduce(job: *mut Job, aggregator: Option<AggregatorFn>, wanted: bool) -> Pieces {
    // SAFETY: the caller's promise. Where the program's functions run nothing of Rust's is alive.
    unsafe {
        if (*job).pieces.is_null() || !wanted {
            return Pieces::None;
        }
        let client = (*(*job).pieces)._impl;
        let code = run_all(client);
        if code != SUCCESS {
            return Pieces::Failed(code);
        }
        if let Some(code) = fence(Some(WORK_FAIL), || (*client).first_failure()) {
            return Pieces::Failed(code);
        }
        let first = fence(null_mut(), || (*client).first_task());
        if let Some(aggregator) = aggregator {
            let mut object = gearman_aggregator_st { context: null_mut() };
            let code = aggregator((&raw mut object).cast(), first, (&raw mut (*job).result).cast());
            if code != SUCCESS {
                return Pieces::Failed(code);
            }
        }
        Pieces::Done
    }
}
