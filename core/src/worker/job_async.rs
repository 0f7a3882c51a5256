//! A job of an async worker.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::line::Line;
use crate::error::Result;
use crate::net::Address;
use crate::protocol::{Assign, Data, Work};
use crate::types::JobHandle;

/// A job for an async function.
pub struct Job {
    handle: JobHandle,
    function: Bytes,
    unique: Bytes,
    reducer: Bytes,
    workload: Bytes,
    pub(super) line: Arc<Line>,
    /// On which of the line's connections it came.
    pub(super) connection: u64,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = self.function.escape_ascii().to_string();
        f.debug_struct("Job")
            .field("handle", &self.handle)
            .field("function", &function)
            .finish_non_exhaustive()
    }
}

impl Job {
    pub(super) fn new(assign: &Assign<'_>, line: Arc<Line>, connection: u64) -> Self {
        // The short ones share one allocation.
        let parts = [assign.handle, assign.function, assign.unique, assign.reducer];
        let mut rest = Bytes::from(parts.concat());
        let [handle, function, unique, reducer] = parts.map(|part| rest.split_to(part.len()));
        let workload = assign.workload.to_bytes();
        Self { handle: JobHandle::new(handle), function, unique, reducer, workload, line, connection }
    }

    /// The same job for a function that blocks.
    pub(super) fn assign(&self) -> Assign<'_> {
        Assign {
            kind: crate::protocol::Grab::All,
            handle: self.handle.as_bytes(),
            function: &self.function,
            unique: &self.unique,
            reducer: &self.reducer,
            workload: Data::Shared(self.workload.clone()),
        }
    }

    /// What the job is about.
    pub const fn workload(&self) -> &Bytes {
        &self.workload
    }

    /// The server's name for the job.
    pub const fn handle(&self) -> &JobHandle {
        &self.handle
    }

    /// The function that is asked for.
    pub fn function(&self) -> &[u8] {
        &self.function
    }

    /// The submission's unique; empty where there is none.
    pub fn unique(&self) -> &[u8] {
        &self.unique
    }

    /// The submission's reducer, in a map/reduce job.
    pub fn reducer(&self) -> Option<&[u8]> {
        Some(&self.reducer[..]).filter(|reducer| !reducer.is_empty())
    }

    /// True when the connection that the job came on is gone: the server gives the job to somebody else, and what comes of it
    /// here is dropped. Worth a look in long jobs.
    pub fn is_lost(&self) -> bool {
        !self.line.is_on(self.connection)
    }

    /// The server that the job came from.
    pub fn server(&self) -> &Address {
        &self.line.address
    }

    /// Waits until the connection that the job came on is lost: then the server has given the job to somebody else, and nobody
    /// will take its result. May never be ready; a server says nothing of a job that has been cancelled or taken back.
    pub async fn lost(&self) {
        self.line.lost(self.connection).await;
    }

    /// Sends a piece of the result. Waits where a slow connection has much to carry already.
    ///
    /// # Errors
    /// [`ErrorKind::LostConnection`](crate::ErrorKind::LostConnection): the server has given the job to somebody else by now.
    pub async fn send_data(&self, data: impl Into<Data<'_>>) -> Result<()> {
        self.line.report(self.connection, self.handle.as_bytes(), Work::Data(data.into())).await
    }

    /// Sends something that people should know.
    ///
    /// # Errors
    /// As [`Job::send_data`].
    pub async fn send_warning(&self, data: impl Into<Data<'_>>) -> Result<()> {
        self.line.report(self.connection, self.handle.as_bytes(), Work::Warning(data.into())).await
    }

    /// Says how far the job has come, in units of the function's own choice.
    ///
    /// # Errors
    /// As [`Job::send_data`].
    pub async fn send_status(&self, numerator: u32, denominator: u32) -> Result<()> {
        let (numerator, denominator) = (numerator.to_string(), denominator.to_string());
        let status = Work::Status { numerator: numerator.as_bytes(), denominator: denominator.as_bytes() };
        self.line.report(self.connection, self.handle.as_bytes(), status).await
    }
}
