//! A queue in a Redis of its own.

use anyhow::Result;
use lineshaft::store::{Store, StoreError, open};

use super::Subject;
use crate::servers::RedisServer;

struct Redis(RedisServer);

pub(super) fn subject() -> Result<Box<dyn Subject>> {
    Ok(Box::new(Redis(RedisServer::start(&[])?)))
}

impl Subject for Redis {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        open(&self.0.address())
    }

    fn stories(&self) -> u32 {
        16
    }
}
