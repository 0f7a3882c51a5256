//! Debian's MariaDB.

use anyhow::{Context, Result};
use lineshaft::store::{MySql, MySqlSettings, Store, StoreError};
use rustix::process::Signal;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::sql::{Shared, SqlServer, as_user, must, unique_name};
use super::{DatabaseServer, Kind, Process};

const KIND: Kind = Kind { prepare, command, ready, end: Signal::TERM };

/// The one of this process.
pub(super) static SHARED: Shared<MariaDbServer> = Shared::new();

/// The user's name.
const USER: &str = "lineshaft";
/// The password, as it is.
const PASSWORD: &str = "it's a \\secret:";
/// The same in an address.
const ESCAPED: &str = "it's%20a%20%5Csecret%3A";

/// A running MariaDB.
#[derive(Debug)]
pub struct MariaDbServer(Process);

impl MariaDbServer {
    /// Starts one; `more` are options as on its command line.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(more: &[&str]) -> Result<Self> {
        let server = Self(Process::start(&KIND, more)?);
        let password = PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
        server.sql(
            "mysql",
            &format!("CREATE USER {USER} IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO {USER}"),
        )?;
        Ok(server)
    }

    /// The one that all tests of this process share.
    ///
    /// # Errors
    /// When it does not start.
    pub fn shared() -> Result<Arc<Self>> {
        SHARED.get(|| Self::start(&[]))
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        socket(self.0.folder.path())
    }

    /// The user's name and password.
    pub fn user(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }
}

impl DatabaseServer for MariaDbServer {
    fn process(&self) -> &Process {
        &self.0
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

impl SqlServer for MariaDbServer {
    fn sql(&self, database: &str, sql: &str) -> Result<String> {
        mariadb(self.0.folder.path(), database, sql)
    }

    fn create_database(&self) -> Result<String> {
        let name = unique_name();
        self.sql("mysql", &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    fn address_by(&self, port: u16, database: &str) -> String {
        format!("mysql://{USER}:{ESCAPED}@127.0.0.1:{port}/{database}")
    }

    fn open(&self, port: u16, database: &str, timeout: Duration) -> Result<Box<dyn Store>, StoreError> {
        let settings = MySqlSettings::at(&self.address_by(port, database))?;
        Ok(Box::new(MySql::open(&MySqlSettings { timeout, ..settings })?))
    }

    fn throw_out(&self, database: &str) -> Result<()> {
        let sessions = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{database}'");
        for session in self.sql("mysql", &sessions)?.lines() {
            self.sql("mysql", &format!("KILL {session}"))?;
        }
        Ok(())
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

/// One that starts removes the temporary tables of others that have the same folder for them.
fn tmpdir(folder: &Path) -> String {
    format!("--tmpdir={}", folder.display())
}

fn prepare(folder: &Path) -> Result<()> {
    let mut install = as_user("mysql", Path::new("/usr/bin/mariadb-install-db"), folder)?;
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    // There is one user, without a password, whom only the socket lets in.
    install.arg("--skip-name-resolve").arg(format!("--datadir={}", folder.join("data").display()));
    install.arg(tmpdir(folder));
    must(&mut install, "").map(drop)
}

fn command(port: u16, folder: &Path) -> Result<Command> {
    let mut command = as_user("mysql", Path::new("/usr/sbin/mariadbd"), folder)?;
    command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
    command.args([format!("--port={port}"), format!("--datadir={}", folder.join("data").display())]);
    command.arg(tmpdir(folder));
    command.args([
        format!("--socket={}", socket(folder).display()),
        format!("--pid-file={}", folder.join("pid").display()),
    ]);
    // The whole of it is small.
    command.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=32M"]);
    Ok(command)
}

fn ready(port: u16, folder: &Path) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() && mariadb(folder, "mysql", "SELECT 1").is_ok()
}

fn mariadb(folder: &Path, database: &str, sql: &str) -> Result<String> {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--batch", "--skip-column-names", "--user=root"]);
    command.arg(format!("--socket={}", socket(folder).display())).arg(database);
    must(&mut command, sql).with_context(|| sql.to_owned())
}
