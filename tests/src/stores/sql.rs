//! A database of its own in a MariaDB or PostgreSQL that all tests share.

use anyhow::Result;
use lineshaft::store::{Store, StoreError, open};
use std::sync::Arc;

use super::Subject;
use crate::servers::{MariaDbServer, PostgresServer, SqlServer};

struct Database {
    server: Arc<dyn SqlServer>,
    name: String,
}

pub(super) fn mysql() -> Result<Box<dyn Subject>> {
    database(MariaDbServer::shared()?)
}

pub(super) fn postgres() -> Result<Box<dyn Subject>> {
    database(PostgresServer::shared()?)
}

fn database(server: Arc<dyn SqlServer>) -> Result<Box<dyn Subject>> {
    let name = server.create_database()?;
    Ok(Box::new(Database { server, name }))
}

impl Subject for Database {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        open(&self.server.address(&self.name))
    }

    fn stories(&self) -> u32 {
        16
    }
}
