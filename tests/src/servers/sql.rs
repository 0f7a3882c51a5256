//! What the servers of SQL have in common: they are not to be root, and tests share one, each in a database of its own.

use anyhow::{Context, Result, bail};
use lineshaft::store::{Store, StoreError};
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{DatabaseServer, mariadb, postgres};
use crate::program;

/// What tests do with a server of SQL.
pub trait SqlServer: DatabaseServer + Send + Sync {
    /// Does what `sql` says in a database, and answers its rows, their columns with tabs between them.
    ///
    /// # Errors
    /// Those of the server.
    fn sql(&self, database: &str, sql: &str) -> Result<String>;

    /// Makes a database, and answers its name.
    ///
    /// # Errors
    /// Those of the server.
    fn create_database(&self) -> Result<String>;

    /// The address of a store in a database, by way of another port: the server's own, or one that leads to it.
    fn address_by(&self, port: u16, database: &str) -> String;

    /// The address of a store in a database.
    fn address(&self, database: &str) -> String {
        self.address_by(self.port(), database)
    }

    /// Opens the store there; no wait of it is longer than `timeout`.
    ///
    /// # Errors
    /// Those of the store.
    fn open(&self, port: u16, database: &str, timeout: Duration) -> Result<Box<dyn Store>, StoreError>;

    /// Ends the sessions in a database.
    ///
    /// # Errors
    /// Those of the server.
    fn throw_out(&self, database: &str) -> Result<()>;
}

/// A command that root starts as this user: some servers refuse to be root. Others start it as they are.
pub(super) fn as_user(user: &str, program: &Path, folder: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = ids_of(user)?;
        chown(folder, Some(uid), Some(gid)).context("give the folder away")?;
        command.uid(uid).gid(gid);
    }
    command.current_dir(folder);
    Ok(command)
}

fn ids_of(user: &str) -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user));
    let line = line.with_context(|| format!("there is no user {user}: is its Debian package installed?"))?;
    let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
    match (fields.next(), fields.next()) {
        (Some(Ok(uid)), Some(Ok(gid))) => Ok((uid, gid)),
        _ => bail!("/etc/passwd is strange about {user}: {line}"),
    }
}

/// Runs a command to its end; what it prints.
pub(super) fn must(command: &mut Command, input: &str) -> Result<String> {
    let name = format!("{:?}", command.get_program());
    program::run(command, input.as_bytes())?.success().context(name)
}

/// A server that all tests of a process share.
#[derive(Debug)]
pub(super) struct Shared<T>(Mutex<Option<Arc<T>>>);

impl<T> Shared<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The server, started by whoever asks first.
    pub(super) fn get(&self, start: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = &*place {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(start()?);
        *place = Some(Arc::clone(&server));
        Ok(server)
    }

    /// Lets go of it: the last test that uses it ends it.
    fn release(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Ends the servers that tests have shared. A test program calls it when all tests are over: nobody drops what is static.
pub fn release() {
    mariadb::SHARED.release();
    postgres::SHARED.release();
}

/// A name that no other test of this process uses.
pub(super) fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
