//! Who waits for the result of a job.

use super::slab::{Linked, Links};

/// The list of a job's listeners.
#[derive(Debug)]
pub(crate) enum OfJob {}
/// The list of what a connection listens to.
#[derive(Debug)]
pub(crate) enum OfConnection {}

/// A foreground submission: a connection that is sent what the worker reports. One connection may have several of a job, and
/// receives one packet for each.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) job: u32,
    /// The connection's slot; the entry goes when the connection ends.
    pub(crate) conn: u32,
    of_job: Links,
    of_connection: Links,
}

impl Listener {
    pub(crate) const fn new(job: u32, conn: u32) -> Self {
        Self { job, conn, of_job: Links::LOOSE, of_connection: Links::LOOSE }
    }
}

impl Linked<OfJob> for Listener {
    fn links(&self) -> &Links {
        &self.of_job
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_job
    }
}

impl Linked<OfConnection> for Listener {
    fn links(&self) -> &Links {
        &self.of_connection
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.of_connection
    }
}
