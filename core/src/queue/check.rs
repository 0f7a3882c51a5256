//! The invariants of the queue, for tests and fuzzing.

#[cfg(any(test, debug_assertions))]
use super::{Place, Priority, Queue};

#[cfg(any(test, debug_assertions))]
impl Queue {
    /// Walks everything and compares what is said twice.
    ///
    /// # Panics
    /// Where two places disagree.
    pub(crate) fn check(&self) {
        let mut bytes = 0;
        for (id, job) in self.jobs.iter() {
            assert_eq!(self.numbers.get(job.number), Some(id), "the index knows every job");
            bytes += job.bytes();
            assert!(job.entry().is_none_or(|entry| self.running.get(entry).is_some()));
            if job.key().is_some() {
                let same = self.find_same(job.function, job.unique(), &job.workload());
                assert_eq!(same, Some(id), "a unique belongs to one job");
            }
            for listener in job.listeners.iter(&self.listeners) {
                assert_eq!(self.listeners[listener].job, id);
            }
        }
        assert_eq!(self.bytes, bytes);
        for (entry, running) in self.running.iter() {
            assert_eq!(self.jobs[running.job].entry(), Some(entry));
            assert!(self.held(running.worker).any(|job| job == running.job), "a worker knows what it holds");
            if let Some(deadline) = running.deadline {
                assert!(self.deadlines.contains(&(deadline, entry)));
            }
        }
        let timed = self.running.iter().filter(|(_, running)| running.deadline.is_some()).count();
        assert_eq!(self.deadlines.len(), timed, "no timer outlives its job");
        let waiting = self.jobs.iter().filter(|(_, job)| job.place() == Place::Waiting).count();
        assert_eq!(self.times.len(), waiting);
        for (_, number, id) in &self.times {
            assert_eq!(self.jobs[*id].number, *number);
        }
        self.check_functions();
        self.peers.check(&self.functions);
    }

    fn check_functions(&self) {
        let mut seen = 0;
        for (id, function) in self.functions.iter() {
            let mut total = function.running as usize;
            let running = self.running.iter().filter(|(_, running)| self.jobs[running.job].function == id);
            assert_eq!(running.count(), total);
            for priority in Priority::ALL {
                let listed = function.queued[priority.index()].iter(&self.jobs);
                let listed = listed.inspect(|job| {
                    let job = &self.jobs[*job];
                    assert_eq!((job.function, job.priority, job.place()), (id, priority, Place::Queued));
                });
                let mut count = listed.count();
                if priority == Priority::Normal {
                    count += function.due.len() + function.waiting as usize;
                }
                assert_eq!(count, function.counts[priority.index()] as usize);
                total += count;
                let in_ready = self.functions.ready(priority).any(|ready| ready == id);
                assert_eq!(in_ready, function.has_ready(priority));
            }
            assert_eq!(total, function.total() as usize);
            seen += total;
        }
        assert_eq!(seen, self.jobs.len(), "every job stands somewhere");
    }
}
