//! How a job stands: `gearman_status_t`.

use crate::abi::{gearman_return_t, gearman_status_t};
use crate::returns::SUCCESS;

impl gearman_status_t {
    /// The answer where a question has failed.
    pub(crate) const fn failed(result_rc: gearman_return_t) -> Self {
        Self { result_rc, ..Self::UNKNOWN }
    }

    /// What is known of a job that the server does not know.
    pub(crate) const UNKNOWN: Self = Self {
        version: 0,
        result_rc: SUCCESS,
        is_known: false,
        is_running: false,
        numerator: 0,
        denominator: 0,
        client_count: 0,
    };
}

/// What became of the question: GEARMAN_SUCCESS where the server has answered it.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_status_return(status: gearman_status_t) -> gearman_return_t {
    status.result_rc
}

/// True where the server has the job.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_status_is_known(status: gearman_status_t) -> bool {
    status.is_known
}

/// True where a worker has the job.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_status_is_running(status: gearman_status_t) -> bool {
    status.is_running
}

/// What the worker has reported as done; 0 where it has said nothing.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_status_numerator(status: gearman_status_t) -> u32 {
    status.numerator
}

/// What the worker has reported as all there is to do; 0 where it has said nothing.
#[unsafe(no_mangle)]
pub extern "C" fn gearman_status_denominator(status: gearman_status_t) -> u32 {
    status.denominator
}
