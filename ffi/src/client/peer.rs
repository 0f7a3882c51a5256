//! What a client knows about the conversation with one server.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::tasks::TaskId;
use crate::connection::Line;

/// What the server owes an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// JOB_CREATED.
    Created(TaskId),
    /// STATUS_RES.
    Status(TaskId),
    /// STATUS_RES_UNIQUE.
    StatusUnique(TaskId),
}

impl Due {
    pub(crate) const fn task(self) -> TaskId {
        match self {
            Self::Created(task) | Self::Status(task) | Self::StatusUnique(task) => task,
        }
    }
}

/// The conversation with one server: what is owed, and the jobs that it reports on.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Oldest first: a server answers in order.
    due: VecDeque<Due>,
    jobs: HashTable<Job>,
    hasher: FixedState,
    /// The session of the line that all of it belongs to.
    session: u64,
}

/// A job with the tasks that wait for it, in the order of their reports.
#[derive(Debug)]
struct Job {
    handle: Box<[u8]>,
    tasks: VecDeque<TaskId>,
}

impl Peer {
    pub(crate) fn owe(&mut self, due: Due, session: u64) {
        self.due.push_back(due);
        self.session = session;
    }

    /// True where something is under way on a connection that is no more: another call has closed it.
    pub(crate) fn is_stale(&self, line: &Line) -> bool {
        !self.is_idle() && (!line.is_open() || line.session() != self.session)
    }

    /// Takes out the oldest request that waits for this kind of answer: a server may let one kind overtake another.
    pub(crate) fn answered(&mut self, is: impl Fn(Due) -> bool) -> Option<TaskId> {
        let at = self.due.iter().position(|&due| is(due))?;
        self.due.remove(at).map(Due::task)
    }

    /// How many answers the server owes.
    pub(crate) fn owed(&self) -> usize {
        self.due.len()
    }

    /// True where nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.jobs.is_empty()
    }

    /// The server has taken a task's job.
    pub(crate) fn attach(&mut self, handle: &[u8], task: TaskId) {
        let hash = self.hasher.hash_one(handle);
        match self.jobs.find_mut(hash, |job| *job.handle == *handle) {
            Some(job) => job.tasks.push_back(task),
            None => {
                let hasher = &self.hasher;
                let job = Job { handle: handle.into(), tasks: VecDeque::from([task]) };
                self.jobs.insert_unique(hash, job, |job| hasher.hash_one(&*job.handle));
            }
        }
    }

    /// The task that a report is for. "Each attached submission receives its own copy": they take turns, and a report that
    /// `ends` the job is the last one for its task. `None` for a job that nobody waits for any more.
    pub(crate) fn reported(&mut self, handle: &[u8], ends: bool) -> Option<TaskId> {
        let hash = self.hasher.hash_one(handle);
        let mut found = self.jobs.find_entry(hash, |job| *job.handle == *handle).ok()?;
        let tasks = &mut found.get_mut().tasks;
        let task = tasks.pop_front()?;
        if !ends {
            tasks.push_back(task);
        }
        if tasks.is_empty() {
            found.remove();
        }
        Some(task)
    }

    /// Every task that is under way, which is no more: the connection has ended.
    pub(crate) fn lost(&mut self) -> Vec<TaskId> {
        let mut lost: Vec<TaskId> = self.due.drain(..).map(Due::task).collect();
        lost.extend(self.jobs.drain().flat_map(|job| job.tasks));
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_the_oldest_request_of_their_kind() {
        let [a, b, c] = [1, 2, 3].map(TaskId::test);
        let mut peer = Peer::default();
        peer.owe(Due::Created(a), 1);
        peer.owe(Due::Status(b), 1);
        peer.owe(Due::Created(c), 1);
        assert_eq!(peer.answered(|due| matches!(due, Due::Status(_))), Some(b));
        assert_eq!(peer.answered(|due| matches!(due, Due::Created(_))), Some(a));
        assert_eq!(peer.answered(|due| matches!(due, Due::StatusUnique(_))), None);
        assert_eq!(peer.lost(), [c]);
        assert!(peer.is_idle());
    }

    #[test]
    fn tasks_of_one_job_take_turns() {
        let [a, b] = [1, 2].map(TaskId::test);
        let mut peer = Peer::default();
        peer.attach(b"H:1", a);
        peer.attach(b"H:1", b);
        let turns: Vec<_> =
            [false, false, true, true, true].map(|ends| peer.reported(b"H:1", ends)).into_iter().collect();
        assert_eq!(turns, [Some(a), Some(b), Some(a), Some(b), None]);
        assert!(peer.is_idle());
    }

    #[test]
    fn a_prefix_of_a_handle_is_another_handle() {
        let mut peer = Peer::default();
        peer.attach(b"H:1", TaskId::test(1));
        assert_eq!(peer.reported(b"H:", true), None);
        assert_eq!(peer.reported(b"H:11", true), None);
    }
}
