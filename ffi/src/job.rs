//! A job that a worker has: `gearman_job_st`.

/// What a `gearman_job_st` stands for.
#[derive(Debug)]
pub struct Job {}
