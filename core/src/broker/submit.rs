//! Submissions.

use super::{Broker, Event, Outbox, Right};
use crate::error::ErrorKind;
use crate::protocol::{Refusal, Response, Submit, When};
use crate::queue::{Extra, Job, NewJob, Place};
use crate::types::{ConnId, Priority};

impl Broker {
    pub(super) fn submit(&mut self, conn: ConnId, submit: &Submit<'_>, out: &mut dyn Outbox) {
        match self.try_submit(conn, submit, out) {
            Ok(()) => {}
            // An ERROR stands in place of JOB_CREATED: libgearman pairs them with its submissions by order alone.
            Err((kind, text)) => self.error(conn, kind, &text, out),
        }
    }

    fn try_submit(
        &mut self,
        conn: ConnId,
        submit: &Submit<'_>,
        out: &mut dyn Outbox,
    ) -> Result<(), (ErrorKind, String)> {
        let Submit { function, unique, background, ref workload, .. } = *submit;
        // Epoch and scheduled jobs have no foreground form in the protocol.
        let background = background || !matches!(submit.when, When::Now);
        self.check_arguments(submit)?;
        if self.draining {
            return Err((ErrorKind::Closed, "The server is being stopped and takes no new jobs".into()));
        }
        self.permit(conn, Right::Submit, Some(function))?;
        let function_id = self.function(function)?;
        if let When::Schedule(schedule) = submit.when {
            self.check_storing(function.len() + unique.len() + workload.len() + schedule.as_bytes().len())?;
            return self.submit_schedule(conn, function_id, submit, schedule, out);
        }
        if !background {
            self.check_waiting()?;
        }
        if background {
            let names = function.len() + unique.len() + submit.reducer.map_or(0, <[u8]>::len);
            self.check_storing(names + workload.len())?;
        }
        if let Some(job) = self.queue.find_same(function_id, unique, workload) {
            if !background {
                self.queue.listen(job, conn.slot);
            } else if !self.queue.job(job).background {
                self.check_storing_of(job)?;
                self.queue.job_mut(job).background = true;
                self.store_job(job, out);
            }
            self.stats.coalesced += 1;
            self.created(conn, job, background, out);
            return Ok(());
        }
        let due = match submit.when {
            When::Epoch(epoch) => epoch.max(0).unsigned_abs(),
            _ => 0,
        };
        // Epoch and reduce jobs have no other priority in the protocol.
        let priority = match (submit.when, submit.reducer) {
            (When::Now, None) => submit.priority,
            _ => Priority::Normal,
        };
        self.check_room(function_id, priority, unique.len() + workload.len())?;
        let extra = (due > 0 || submit.reducer.is_some()).then(|| {
            let reducer = submit.reducer.map(Into::into);
            Box::new(Extra { due, reducer, ..Extra::default() })
        });
        let new = NewJob { function: function_id, unique, priority, background, workload, extra };
        let job = self.queue.add(new, self.at());
        self.reserve(out);
        self.stats.submitted += 1;
        if !background {
            self.queue.listen(job, conn.slot);
        }
        out.event(Event::Accepted { function, unique, due });
        if background {
            self.store_job(job, out);
        }
        self.created(conn, job, background, out);
        if self.queue.job(job).place() != Place::Waiting {
            self.wake(function_id, out);
        }
        Ok(())
    }

    /// Whether one more submission may wait for a result.
    fn check_waiting(&self) -> Result<(), (ErrorKind, String)> {
        let limit = self.config.max_waiting;
        if self.queue.waiting_len() < limit {
            return Ok(());
        }
        Err((
            ErrorKind::QueueError,
            format!("The limit of {limit} waiting submissions (max_waiting) has been reached"),
        ))
    }

    /// Makes a connection wait for a job that is there already.
    pub(super) fn watch(&mut self, conn: ConnId, handle: &[u8], out: &mut dyn Outbox) {
        let Some(job) = self.find(handle) else {
            return self.error(conn, ErrorKind::JobNotFound, "There is no such job", out);
        };
        let function = &self.queue.functions.get(self.queue.job(job).function).name;
        let permitted = self.permit(conn, Right::Submit, Some(function)).and_then(|()| self.check_waiting());
        if let Err((kind, text)) = permitted {
            return self.error(conn, kind, &text, out);
        }
        self.queue.listen(job, conn.slot);
        out.send(conn, &Response::JobCreated { handle });
    }

    /// Answers a submission that has become `job`.
    fn created(&self, conn: ConnId, job: u32, background: bool, out: &mut dyn Outbox) {
        let (handle, number) = (self.handle_of(job), self.queue.job(job).number);
        let created = Response::JobCreated { handle: handle.as_bytes() };
        if background {
            out.acknowledge(conn, number, &created);
        } else {
            out.send(conn, &created);
        }
    }

    /// What a decoder has enforced already where the submission came as bytes: that the arguments fit into a packet.
    fn check_arguments(&self, submit: &Submit<'_>) -> Result<(), (ErrorKind, String)> {
        let refused = |refusal: Refusal| (refusal.kind, refusal.text.to_owned());
        let reducer = submit.reducer.unwrap_or_default();
        if submit.unique.len() > self.limits.max_unique {
            return Err(refused(Refusal::UNIQUE_TOO_LARGE));
        }
        if reducer.len() > self.limits.max_unique {
            return Err(refused(Refusal::REDUCER_TOO_LARGE));
        }
        if submit.unique.contains(&0) || reducer.contains(&0) {
            return Err((ErrorKind::InvalidArgument, "A unique or reducer with a NUL cannot be sent".into()));
        }
        let (len, limit) = (submit.workload.len(), self.limits.max_packet);
        if len > limit {
            let text = format!("A workload of {len} bytes: the limit (max_packet) is {limit} bytes");
            return Err((ErrorKind::ArgumentTooLarge, text));
        }
        Ok(())
    }

    /// The function of this name, made where it is not known.
    pub(super) fn function(&mut self, name: &[u8]) -> Result<u32, (ErrorKind, String)> {
        if let Some(id) = self.queue.functions.find(name) {
            return Ok(id);
        }
        let (limit, longest) = (self.config.max_functions, self.limits.max_function);
        if name.len() > longest || name.contains(&0) {
            let text = format!("A function name has at most {longest} bytes (max_function) and no NUL");
            return Err((ErrorKind::ArgumentTooLarge, text));
        }
        if self.queue.functions.len() >= limit {
            let text =
                format!("The limit of {limit} functions (max_functions) has been reached: drop unused ones");
            return Err((ErrorKind::QueueError, text));
        }
        Ok(self.queue.functions.find_or_create(name))
    }

    /// Whether one more job may be queued.
    pub(super) fn check_room(
        &self,
        function: u32,
        priority: Priority,
        len: usize,
    ) -> Result<(), (ErrorKind, String)> {
        let target = self.queue.functions.get(function);
        let max = target.max_queue[priority.index()];
        if max > 0 && target.total() >= max {
            // gearmand's words, which clients may know.
            return Err((ErrorKind::QueueError, "Job queue is full".into()));
        }
        let config = &self.config;
        for (name, held, limit) in [
            ("max_function_jobs", target.total() as usize, config.max_function_jobs),
            ("max_jobs", self.queue.len(), config.max_jobs),
        ] {
            if held >= limit {
                let text =
                    format!("Job queue is full: {held} jobs are there, the limit ({name}) is {limit} jobs");
                return Err((ErrorKind::QueueError, text));
            }
        }
        let bytes = (len + Job::OVERHEAD) as u64;
        let full = |name: &str, held: u64, limit: u64| {
            let text =
                format!("Job queue is full: {held} bytes are queued, the limit ({name}) is {limit} bytes");
            Err((ErrorKind::QueueError, text))
        };
        let (all, all_limit) = (self.queue.bytes() + self.schedules.bytes(), self.config.max_queue_bytes);
        if all + bytes > all_limit {
            return full("max_queue_bytes", all, all_limit);
        }
        let limit = self.config.max_function_bytes;
        if target.bytes.saturating_add(bytes) > limit {
            return full("max_function_bytes", target.bytes, limit);
        }
        Ok(())
    }
}
