//! Where a MySQL or MariaDB database is, and who we are there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder};

use crate::store::address::Address;
use crate::store::remote::our_tables;
use crate::store::{StoreError, StoreErrorKind};

/// Settings of [`super::MySql`].
#[derive(Clone, PartialEq, Eq)]
pub struct MySqlSettings {
    /// Name or address of the server. `localhost`, the default, is its Unix socket on this machine where there is one.
    pub host: String,
    /// Its port; default is 3306.
    pub port: u16,
    /// Its Unix socket, which goes before host and port. Default is none.
    pub socket: Option<PathBuf>,
    /// The user. Default is empty, which the server takes for the anonymous one.
    pub user: String,
    /// The password; empty, the default, for none.
    pub password: String,
    /// The database. It has to be named.
    pub database: String,
    /// The table whose jobs are taken over, gearmand's `--mysql-table`; ours are called after it. Default is `gearman_queue`.
    pub table: String,
    /// The limit of every wait for the database: to connect, for the lock on the queue, and for the answer to a statement, where
    /// each MiB that was sent adds a second. Default is 5 seconds.
    pub timeout: Duration,
}

impl Default for MySqlSettings {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 3306,
            socket: None,
            user: String::new(),
            password: String::new(),
            database: String::new(),
            table: "gearman_queue".into(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl MySqlSettings {
    /// The settings that an address of a store has, `mysql://USER:PASSWORD@HOST:PORT/DATABASE?table=NAME&socket=FILE`.
    ///
    /// # Errors
    /// For what cannot be read as an address.
    pub fn at(address: &str) -> Result<Self, StoreError> {
        Self::read(&Address::parse(address)?)
    }

    pub(super) fn read(address: &Address<'_>) -> Result<Self, StoreError> {
        let [table, socket] = address.settings(["table", "socket"])?;
        let url = address.whole.split('?').next().unwrap_or_default();
        let opts = Opts::from_url(url).map_err(|why| {
            let text =
                format!("MySQL: the address cannot be read: {why}: mysql://USER:PASSWORD@HOST:PORT/DATABASE");
            StoreError::new(StoreErrorKind::Settings, text)
        })?;
        let default = Self::default();
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(Self {
            host: opts.ip_or_hostname().to_owned(),
            port: opts.tcp_port(),
            socket: socket.map(PathBuf::from),
            user: text(opts.user()),
            password: text(opts.pass()),
            database: text(opts.db_name()),
            table: table.unwrap_or(default.table),
            timeout: default.timeout,
        })
    }
}

/// Without the password.
impl fmt::Debug for MySqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, socket, user, password: _, database, table, timeout } = self;
        let mut text = f.debug_struct("MySqlSettings");
        text.field("host", host).field("port", port).field("socket", socket).field("user", user);
        text.field("database", database).field("table", table).field("timeout", timeout);
        text.finish_non_exhaustive()
    }
}

/// Settings that have been read.
pub(super) struct Place {
    pub(super) opts: Opts,
    /// What and where it is.
    pub(super) text: String,
    /// Gearmand's table.
    pub(super) table: String,
    /// Our tables.
    pub(super) jobs: String,
    pub(super) meta: String,
    pub(super) timeout: Duration,
}

impl Place {
    pub(super) fn new(settings: &MySqlSettings) -> Result<Self, StoreError> {
        let MySqlSettings { host, port, socket, user, password, database, table, timeout } = settings;
        if database.is_empty() {
            return Err(StoreError::new(
                StoreErrorKind::Settings,
                "MySQL: no database is named: give --mysql-db, or mysql://USER:PASSWORD@HOST/DATABASE",
            ));
        }
        let (jobs, meta) = our_tables(table, "--mysql-table")?;
        let socket = socket.clone().or_else(|| (host == "localhost").then(usual_socket).flatten());
        let place = match &socket {
            Some(path) => path.display().to_string(),
            None => format!("{host}:{port}"),
        };
        let socket = socket.map(|path| path.to_string_lossy().into_owned());
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        // A statement for each power of two up to the most rows, and a few more.
        let opts = OptsBuilder::default().stmt_cache_size(32).prefer_socket(false).tcp_nodelay(true);
        let opts = opts.ip_or_hostname(host).tcp_port(*port).socket(socket);
        let opts = opts.user(some(user)).pass(some(password)).db_name(Some(database));
        let opts = opts.tcp_keepalive(Some((*timeout).max(Duration::from_secs(1))));
        Ok(Self {
            opts: opts.into(),
            text: format!("MySQL table {jobs} in database {database} at {place}"),
            table: table.clone(),
            jobs,
            meta,
            timeout: *timeout,
        })
    }
}

/// Where the socket lies in Debian, in Red Hat's systems, and in builds from source.
fn usual_socket() -> Option<PathBuf> {
    let places = ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];
    places.into_iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_the_place_and_no_password() {
        let settings = MySqlSettings {
            host: "db".into(),
            password: "secret".into(),
            database: "jobs".into(),
            ..MySqlSettings::default()
        };
        let place = Place::new(&settings).expect("a place");
        assert_eq!(place.text, "MySQL table lineshaft_gearman_queue in database jobs at db:3306");
        assert!(!format!("{settings:?}").contains("secret"));
        let socket = MySqlSettings { socket: Some("/run/x.sock".into()), ..settings };
        let place = Place::new(&socket).expect("a place");
        assert!(place.text.ends_with(" at /run/x.sock"), "{}", place.text);
    }

    #[test]
    fn a_database_has_to_be_named() {
        let error = Place::new(&MySqlSettings::default()).map(|_| ()).expect_err("no database");
        assert_eq!(error.kind(), StoreErrorKind::Settings);
        assert!(error.to_string().contains("--mysql-db"), "{error}");
    }
}
