//! What workers report, and jobs that come back.

use super::{Broker, Event, Outbox};
use crate::error::ErrorKind;
use crate::protocol::{Response, Work};
use crate::queue::Job;
use crate::store::Change;
use crate::types::ConnId;

impl Broker {
    pub(super) fn work(&mut self, conn: ConnId, handle: &[u8], work: &Work<'_>, out: &mut dyn Outbox) {
        let number = self.number_of(handle);
        let job = number.and_then(|number| self.queue.find(number));
        // "Accepted only from the connection to which the job is currently assigned."
        let Some(job) = job.filter(|job| self.queue.holder(*job) == Some(conn.slot)) else {
            return self.not_found(conn, number, work, out);
        };
        if let Work::Status { numerator, denominator } = work {
            if numerator.contains(&0) {
                // No packet can have brought it, and none can carry it to the clients.
                return self.error(
                    conn,
                    ErrorKind::InvalidArgument,
                    "A numerator with a NUL cannot be sent",
                    out,
                );
            }
            self.queue.set_progress(job, Work::progress(numerator, denominator));
        }
        self.tell_listeners(job, handle, work, out);
        match work {
            Work::Complete(_) => {
                self.stats.completed += 1;
                self.queue.counters_at_end(job, self.now.mono).done += 1;
            }
            Work::Fail => {
                self.stats.failed += 1;
                self.queue.counters_at_end(job, self.now.mono).failed += 1;
            }
            Work::Exception(_) => {
                self.stats.excepted += 1;
                self.queue.counters_at_end(job, self.now.mono).exceptions += 1;
                self.connections.get_mut(conn).excepted = number.unwrap_or_default();
            }
            Work::Data(_) | Work::Warning(_) | Work::Status { .. } => return,
        }
        self.connections.get_mut(conn).active = self.now.mono;
        self.end(job, out);
    }

    fn tell_listeners(&self, job: u32, handle: &[u8], work: &Work<'_>, out: &mut dyn Outbox) {
        let as_it_is = Response::Work { handle, work: work.reborrow() };
        let failed = Response::Work { handle, work: Work::Fail };
        for slot in self.queue.listeners(job) {
            let listener = self.connections.at(slot);
            let wanted = listener.exceptions || !matches!(work, Work::Exception(_));
            out.send(listener.id, if wanted { &as_it_is } else { &failed });
        }
    }

    fn not_found(&mut self, conn: ConnId, number: Option<u64>, work: &Work<'_>, out: &mut dyn Outbox) {
        let connection = self.connections.get_mut(conn);
        if matches!(work, Work::Fail) && number == Some(connection.excepted) {
            // Perl's worker (and others) send WORK_FAIL behind WORK_EXCEPTION, and exit when that draws an ERROR.
            connection.excepted = 0;
            return;
        }
        self.stats.late_results += 1;
        let text = match work {
            Work::Complete(_) | Work::Fail | Work::Status { .. } => "Job given in work result not found",
            Work::Data(_) | Work::Warning(_) => "Job does not exist on server",
            Work::Exception(_) => "An exception was received for a job that does not exist",
        };
        self.error(conn, ErrorKind::JobNotFound, text, out);
    }

    /// A worker no longer has the job: it goes back to the queue, or ends where that has happened too often or nobody cares.
    pub(super) fn give_back(&mut self, job: u32, out: &mut dyn Outbox) {
        self.stats.given_back += 1;
        if self.queue.is_abandoned(job) {
            self.stats.abandoned += 1;
            self.queue.counters_of(job).abandoned += 1;
            return self.end(job, out);
        }
        if self.ending {
            return self.queue.put_back(job, self.at());
        }
        let attempts = u32::from(self.queue.job(job).returns) + 1;
        if self.config.job_retries.is_some_and(|allowed| attempts >= allowed.min(u16::MAX.into())) {
            self.stats.dropped += 1;
            self.queue.counters_of(job).dropped += 1;
            let handle = self.handle_of(job);
            let handle = handle.as_bytes();
            out.event(Event::Dropped { handle, unique: self.queue.job(job).unique() });
            self.tell_listeners(job, handle, &Work::Fail, out);
            return self.end(job, out);
        }
        self.queue.counters_of(job).retried += 1;
        let function = self.queue.job(job).function;
        self.queue.give_back(job, self.at());
        let Job { background, number, returns, .. } = *self.queue.job(job);
        if background {
            out.store(Change::Returned { number, returns });
        }
        self.wake(function, out);
    }

    /// Ends a job wherever it is. For running jobs: what its worker still reports is refused.
    pub(super) fn cancel(&mut self, job: u32, out: &mut dyn Outbox) {
        self.stats.cancelled += 1;
        self.queue.counters_of(job).cancelled += 1;
        let handle = self.handle_of(job);
        self.tell_listeners(job, handle.as_bytes(), &Work::Fail, out);
        self.end(job, out);
    }

    fn end(&mut self, job: u32, out: &mut dyn Outbox) {
        let number = self.queue.job(job).number;
        if self.queue.job(job).background {
            out.store(Change::End { number });
        }
        self.forget(job);
    }

    /// Removes a job that no store has, or that is no longer there.
    pub(super) fn forget(&mut self, job: u32) {
        let Job { number, ref extra, .. } = *self.queue.job(job);
        if let Some(schedule) = extra.as_ref().map(|extra| extra.schedule) {
            self.schedules.ended(schedule, number);
        }
        self.queue.remove(job);
    }
}
