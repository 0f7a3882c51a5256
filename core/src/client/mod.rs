//! Clients: they submit jobs and hear of them.
//!
//! [`Client`] is asynchronous, [`blocking::Client`] works on the caller's thread; they have the same
//! words. Both stand on one pure state machine, [`exchange`].

mod event;
pub mod exchange;

#[cfg(feature = "net")]
pub mod admin;
#[cfg(feature = "net")]
pub(crate) mod blocking;
#[cfg(feature = "net")]
pub(crate) mod blocking_task;
#[cfg(feature = "net")]
mod driver;
#[cfg(feature = "net")]
mod gather;
#[cfg(feature = "net")]
mod handle;
#[cfg(feature = "net")]
mod loss;
#[cfg(feature = "net")]
mod options;
#[cfg(feature = "net")]
mod submission;
#[cfg(feature = "net")]
mod task;

pub use event::{Event, JobStatus};
#[cfg(feature = "net")]
pub use handle::{Client, Map};
#[cfg(feature = "net")]
pub use options::Options;
#[cfg(feature = "net")]
pub use submission::{Submission, Unique};
#[cfg(feature = "net")]
pub use task::Task;
