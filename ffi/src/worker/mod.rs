//! The worker: `gearman_worker_st`.

use crate::universal::Universal;

/// What a worker knows about the conversation with one server.
#[derive(Debug, Default)]
pub(crate) struct Station {}

/// What a `gearman_worker_st` stands for.
#[derive(Debug, Default)]
pub struct Worker {
    pub(crate) universal: Universal<Station>,
}
