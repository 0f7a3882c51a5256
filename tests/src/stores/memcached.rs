//! A queue in a memcached of its own, and one spread over two.

use anyhow::Result;
use lineshaft::store::{Store, StoreError, open};

use super::Subject;
use crate::servers::{DatabaseServer, MemcachedServer};

struct Memcached(Vec<MemcachedServer>);

/// The largest job of the body and what comes with it must fit.
const MEMORY: [&str; 2] = ["-m", "256"];

pub(super) fn subject() -> Result<Box<dyn Subject>> {
    Ok(Box::new(Memcached(vec![MemcachedServer::start(&MEMORY)?])))
}

pub(super) fn two() -> Result<Box<dyn Subject>> {
    Ok(Box::new(Memcached(vec![MemcachedServer::start(&MEMORY)?, MemcachedServer::start(&MEMORY)?])))
}

impl Subject for Memcached {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let servers: Vec<String> =
            self.0.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        open(&format!("memcached://{}", servers.join(",")))
    }

    /// Whoever comes last has it.
    fn may_be_shared(&self) -> bool {
        true
    }

    fn stories(&self) -> u32 {
        16
    }
}
