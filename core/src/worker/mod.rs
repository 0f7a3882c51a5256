//! Workers: they do jobs.
//!
//! [`Worker`] is asynchronous, [`blocking::Worker`] works on the caller's thread; they have the same
//! words. Both stand on one pure state machine, [`exchange`].

pub mod exchange;

#[cfg(feature = "net")]
pub(crate) mod blocking;
#[cfg(feature = "net")]
mod handle;
#[cfg(feature = "net")]
mod job;
#[cfg(feature = "net")]
mod job_async;
#[cfg(feature = "net")]
mod line;
#[cfg(feature = "net")]
mod options;
#[cfg(feature = "net")]
mod run;

#[cfg(feature = "net")]
pub use handle::{Builder, Control, Worker};
#[cfg(feature = "net")]
pub use job::{BlockingJob, JobError, Outcome};
#[cfg(feature = "net")]
pub use job_async::Job;
#[cfg(feature = "net")]
pub use options::Options;
