//! The async client's side of one job.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use super::Event;
use super::driver::{Owner, not_connected};
use super::exchange::Ticket;
use super::gather::Gather;
use crate::error::Result;
use crate::types::JobHandle;

/// A submitted job, as its client sees it.
///
/// As a future it is the job's result: all its pieces of data and its final result, put together. A background job is over,
/// with an empty result, when the server has it. As a stream it is the job's events, up to the last one or to the one error
/// that ended it; what was taken as an event is not in the result.
///
/// Dropping it does not cancel the job: its result is thrown away when it comes.
///
/// The errors are [`WorkFail`](crate::ErrorKind::WorkFail); [`WorkException`](crate::ErrorKind::WorkException), with the exception
/// in [`Error::data`](crate::Error::data); [`LostConnection`](crate::ErrorKind::LostConnection); [`Timeout`](crate::ErrorKind::Timeout).
/// In the stream failures and exceptions are events.
pub struct Task {
    owner: Arc<Owner>,
    ticket: Ticket,
    gather: Gather,
    /// The stream has told the error.
    error_told: bool,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("handle", &self.handle()).finish_non_exhaustive()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.owner.0.lock().exchange.release(self.ticket);
    }
}

impl Task {
    pub(super) fn new(owner: Arc<Owner>, ticket: Ticket) -> Self {
        Self { owner, ticket, gather: Gather::default(), error_told: false }
    }

    /// Waits until the server has the job.
    pub(super) async fn created(self) -> Result<Self> {
        let ticket = self.ticket;
        poll_fn(|cx| {
            self.owner.0.poll(cx, ticket, |exchange| {
                if exchange.is_created(ticket) {
                    return Some(Ok(()));
                }
                let over = exchange.is_over(ticket);
                over.then(|| Err(exchange.error(ticket).cloned().unwrap_or_else(not_connected)))
            })
        })
        .await?;
        Ok(self)
    }

    /// The server's name for the job; empty until the server has answered.
    pub fn handle(&self) -> JobHandle {
        let state = self.owner.0.lock();
        state.exchange.handle(self.ticket).unwrap_or_else(|| JobHandle::new(Bytes::new()))
    }

    /// The result; the same as awaiting the task.
    ///
    /// # Errors
    /// Those of the task.
    pub async fn result(self) -> Result<Bytes> {
        self.await
    }

    /// The next event; `None` after the last one, or after the error that ended the task.
    pub async fn event(&mut self) -> Option<Result<Event>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        let (ticket, told) = (self.ticket, &mut self.error_told);
        self.owner.0.poll(cx, ticket, |exchange| {
            if let Some(event) = exchange.next_event(ticket) {
                return Some(Some(Ok(event)));
            }
            if !exchange.is_over(ticket) {
                return None;
            }
            let error = exchange.error(ticket).filter(|_| !std::mem::replace(told, true));
            Some(error.cloned().map(Err))
        })
    }

    /// True when nothing more will come from the server.
    pub fn is_over(&self) -> bool {
        self.owner.0.lock().exchange.is_over(self.ticket)
    }
}

impl Future for Task {
    type Output = Result<Bytes>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes>> {
        let Self { owner, ticket, gather, .. } = self.get_mut();
        let ticket = *ticket;
        owner.0.poll(cx, ticket, |exchange| {
            while let Some(event) = exchange.next_result_event(ticket) {
                if let Some(result) = gather.take(event) {
                    return Some(result);
                }
            }
            let over = exchange.is_over(ticket);
            over.then(|| exchange.error(ticket).cloned().map_or_else(|| Ok(Bytes::new()), Err))
        })
    }
}

impl Stream for Task {
    type Item = Result<Event>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        self.get_mut().poll_event(cx)
    }
}
