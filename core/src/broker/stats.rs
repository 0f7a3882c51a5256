//! Counters.

/// What a broker has done since it was made. Numbers only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections opened.
    pub connections: u64,
    /// Jobs made by a submission or a schedule.
    pub submitted: u64,
    /// Submissions that became part of a job that was there already.
    pub coalesced: u64,
    /// Times a job was handed to a worker.
    pub assigned: u64,
    /// Jobs that ended by WORK_COMPLETE.
    pub completed: u64,
    /// Jobs that ended by WORK_FAIL.
    pub failed: u64,
    /// Jobs that ended by WORK_EXCEPTION.
    pub excepted: u64,
    /// Times a job was given back to the queue, for whatever reason.
    pub given_back: u64,
    /// Times a job was given back because its worker took too long.
    pub timed_out: u64,
    /// Jobs that failed because they had been given back too often.
    pub dropped: u64,
    /// Jobs removed because nobody waited for them any more.
    pub abandoned: u64,
    /// Jobs ended by `cancel job`.
    pub cancelled: u64,
    /// Reports on jobs that the reporting connection does not hold: late, repeated, or made up.
    pub late_results: u64,
    /// NOOPs sent.
    pub noops: u64,
    /// ERROR packets sent.
    pub errors: u64,
    /// Firings of schedules that were passed over because the job of the last one was not done.
    pub schedules_skipped: u64,
}
