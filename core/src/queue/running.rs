//! Jobs that workers have.

use std::time::Duration;

use super::slab::{Linked, Links};
use crate::types::Progress;

/// The list of the jobs that a connection holds.
#[derive(Debug)]
pub(crate) enum Held {}

/// A job in a worker's hands.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) job: u32,
    /// The slot of the worker's connection.
    pub(crate) worker: u32,
    pub(crate) progress: Progress,
    /// When it was handed out, in monotonic time.
    pub(crate) since: Duration,
    /// When the worker's time is up; `None` for no limit.
    pub(crate) deadline: Option<Duration>,
    links: Links,
}

impl Running {
    pub(crate) const fn new(job: u32, worker: u32, since: Duration, deadline: Option<Duration>) -> Self {
        let progress = Progress { numerator: 0, denominator: 0 };
        Self { job, worker, progress, since, deadline, links: Links::LOOSE }
    }
}

impl Linked<Held> for Running {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}
