//! Debian's PostgreSQL.

use anyhow::{Context, Result};
use lineshaft::store::{Postgres, PostgresSettings, Store, StoreError};
use rustix::process::Signal;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::sql::{Shared, SqlServer, as_user, must, unique_name};
use super::{DatabaseServer, Kind, Process};

const KIND: Kind = Kind { prepare, command, ready, end: Signal::INT };

/// The one of this process.
pub(super) static SHARED: Shared<PostgresServer> = Shared::new();

/// The user's name.
const USER: &str = "lineshaft";
/// The password, as it is; connections over TCP need it.
const PASSWORD: &str = "it's a \\secret:";
/// The same in an address.
const ESCAPED: &str = "it's%20a%20%5Csecret%3A";

/// A running PostgreSQL.
#[derive(Debug)]
pub struct PostgresServer(Process);

impl PostgresServer {
    /// Starts one.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> Result<Self> {
        Process::start(&KIND, &[]).map(Self)
    }

    /// The one that all tests of this process share.
    ///
    /// # Errors
    /// When it does not start.
    pub fn shared() -> Result<Arc<Self>> {
        SHARED.get(Self::start)
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// The user's password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The same as libpq takes it.
    pub fn conninfo(&self, database: &str) -> String {
        let password = PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
        format!("host=127.0.0.1 port={} dbname={database} user={USER} password='{password}'", self.port())
    }
}

impl DatabaseServer for PostgresServer {
    fn process(&self) -> &Process {
        &self.0
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

impl SqlServer for PostgresServer {
    fn sql(&self, database: &str, sql: &str) -> Result<String> {
        psql(self.0.folder.path(), self.port(), database, sql)
    }

    fn create_database(&self) -> Result<String> {
        let name = unique_name();
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    fn address_by(&self, port: u16, database: &str) -> String {
        format!("postgres://{USER}:{ESCAPED}@127.0.0.1:{port}/{database}")
    }

    fn open(&self, port: u16, database: &str, timeout: Duration) -> Result<Box<dyn Store>, StoreError> {
        let settings = PostgresSettings::at(&self.address_by(port, database))?;
        Ok(Box::new(Postgres::open(&PostgresSettings { timeout, ..settings })?))
    }

    fn throw_out(&self, database: &str) -> Result<()> {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
        self.sql("postgres", &format!("{end} '{database}'")).map(drop)
    }
}

fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("is postgresql installed?")?;
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).max();
    newest.context("/usr/lib/postgresql is empty: is postgresql installed?")
}

fn prepare(folder: &Path) -> Result<()> {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).context("the password")?;
    let mut init = as_user("postgres", &programs()?.join("initdb"), folder)?;
    init.args(["-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--auth-local=trust"]);
    init.arg("--auth-host=scram-sha-256").arg("--pwfile").arg(&password).arg(folder.join("data"));
    // Whose it is may be read by the user only when it is given away with its folder.
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    must(&mut init, "").map(drop)
}

fn command(port: u16, folder: &Path) -> Result<Command> {
    let mut command = as_user("postgres", &programs()?.join("postgres"), folder)?;
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    let socket = format!("unix_socket_directories={}", folder.display());
    for setting in ["listen_addresses=127.0.0.1", &socket, "shared_buffers=16MB", "max_connections=50"] {
        command.args(["-c", setting]);
    }
    Ok(command)
}

fn ready(port: u16, folder: &Path) -> bool {
    // Without a listener psql waits in vain.
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        && psql(folder, port, "postgres", "SELECT 1").is_ok()
}

fn psql(folder: &Path, port: u16, database: &str, sql: &str) -> Result<String> {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-U", USER]);
    command.arg("-h").arg(folder).args(["-p", &port.to_string(), "-d", database]);
    must(&mut command, sql).with_context(|| sql.to_owned())
}
