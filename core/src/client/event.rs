//! What a client hears of its jobs.

use bytes::Bytes;

use crate::protocol::StatusReport;
use crate::types::{JobHandle, Progress};

/// Something that has happened to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has the job. Always the first event.
    Created(JobHandle),
    /// A piece of the result.
    Data(Bytes),
    /// Something that people should know.
    Warning(Bytes),
    /// How far it has come.
    Status(Progress),
    /// The end, with the (rest of the) result.
    Complete(Bytes),
    /// The end: the job failed, and nothing more is known.
    Fail,
    /// The end, with the worker's exception.
    Exception(Bytes),
}

impl Event {
    /// True for the last event of a task.
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Complete(_) | Self::Fail | Self::Exception(_))
    }

    /// What it counts against the limit of unread events, in bytes.
    pub(super) const fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Data(data) | Self::Warning(data) | Self::Complete(data) | Self::Exception(data) => {
                    data.len()
                }
                Self::Created(_) | Self::Status(_) | Self::Fail => 0,
            }
    }
}

/// How a job stands, as its server tells. All zero and false where the server does not know it: the job has ended, or never
/// was, or belongs to another server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// The server has the job.
    pub known: bool,
    /// A worker has it.
    pub running: bool,
    /// What the worker last reported; `0/0` where it has said nothing.
    pub progress: Progress,
    /// How many submissions wait for it; only asking by unique tells.
    pub clients: Option<u32>,
}

impl JobStatus {
    pub(super) const fn new(report: StatusReport, clients: Option<u32>) -> Self {
        Self { known: report.known, running: report.running, progress: report.progress, clients }
    }
}
