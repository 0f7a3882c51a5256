//! How jobs stand.

use super::{Broker, Outbox};
use crate::protocol::{Response, StatusReport};
use crate::types::ConnId;

impl Broker {
    pub(super) fn get_status(&self, conn: ConnId, handle: &[u8], out: &mut dyn Outbox) {
        let report = match self.find(handle) {
            Some(job) => self.report(job),
            None => {
                let number = self.number_of(handle);
                let known = number.is_some_and(|number| self.schedules.find(number).is_some());
                StatusReport { known, ..StatusReport::default() }
            }
        };
        out.send(conn, &Response::Status { handle, report });
    }

    pub(super) fn get_status_unique(&self, conn: ConnId, unique: &[u8], out: &mut dyn Outbox) {
        let job = self.queue.find_unique(unique);
        let report = job.map_or_else(StatusReport::default, |job| self.report(job));
        let clients = job.map_or(0, |job| self.queue.listeners(job).count() as u32);
        out.send(conn, &Response::StatusUnique { unique, report, clients });
    }

    fn report(&self, job: u32) -> StatusReport {
        let (running, progress) = (self.queue.holder(job).is_some(), self.queue.progress(job));
        StatusReport { known: true, running, progress }
    }
}
