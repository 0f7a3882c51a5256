//! Where a PostgreSQL database is, and who we are there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::error::causes;
use super::passfile;
use crate::store::address::Address;
use crate::store::remote::our_tables;
use crate::store::{StoreError, StoreErrorKind};

/// Settings of [`super::Postgres`].
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Where the database is, as libpq takes it: `host=db dbname=jobs user=gearman`, or `postgresql://gearman@db/jobs`. What is
    /// missing is taken from `defaults`; what is missing there as well is what libpq takes: the Unix socket of this machine or
    /// else 127.0.0.1, port 5432, the user of the process, and the database of the user's name. TLS is not spoken:
    /// `sslmode=require` is an error.
    pub conninfo: String,
    /// What `conninfo` leaves out, in the same form; the command line puts the variables PGHOST, PGPORT... here. Default is
    /// nothing.
    pub defaults: String,
    /// A file with passwords, in the form of `~/.pgpass`; one that is not there, or that others may read, is not used. Default
    /// is none.
    pub passfile: Option<PathBuf>,
    /// The table whose jobs are taken over, gearmand's `--libpq-table`; ours are called after it. Default is `queue`.
    pub table: String,
    /// The limit of every wait for the database: to connect, for the lock on the queue, and for the answer to a statement, where
    /// each MiB that was sent adds a second. A `connect_timeout` in `conninfo` goes before it. Default is 5 seconds.
    pub timeout: Duration,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            conninfo: String::new(),
            defaults: String::new(),
            passfile: None,
            table: "queue".into(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl PostgresSettings {
    /// The settings that an address of a store has, `postgres://USER:PASSWORD@HOST:PORT/DATABASE?table=NAME`.
    ///
    /// # Errors
    /// For what cannot be read as an address; what libpq's part of it says is looked at when the store is opened.
    pub fn at(address: &str) -> Result<Self, StoreError> {
        Self::read(&Address::parse(address)?)
    }

    pub(super) fn read(address: &Address<'_>) -> Result<Self, StoreError> {
        let (conninfo, table) = address.without("table")?;
        let default = Self::default();
        Ok(Self { conninfo, table: table.unwrap_or(default.table), ..Self::default() })
    }
}

/// `conninfo` and `defaults` may hold passwords: they are left out.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conninfo: _, defaults: _, passfile, table, timeout } = self;
        let mut text = f.debug_struct("PostgresSettings");
        text.field("passfile", passfile).field("table", table).field("timeout", timeout);
        text.finish_non_exhaustive()
    }
}

/// Settings that have been read.
pub(super) struct Place {
    /// How to connect; without a password from the file.
    pub(super) config: Config,
    passfile: Option<PathBuf>,
    /// What and where it is.
    pub(super) text: String,
    /// Gearmand's table.
    pub(super) table: String,
    /// Our tables.
    pub(super) jobs: String,
    pub(super) meta: String,
    pub(super) timeout: Duration,
    /// The limit for all of connecting.
    pub(super) connect_timeout: Duration,
}

impl Place {
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let mut config = parse(&settings.conninfo, "the connection string")?;
        fill(&mut config, &parse(&settings.defaults, "the PG* variables")?);
        let (jobs, meta) = our_tables(&settings.table, "--libpq-table")?;
        let timeout = settings.timeout;
        let places = config.get_hosts().len().max(config.get_hostaddrs().len()) as u32;
        let one = *config.get_connect_timeout().unwrap_or(&timeout);
        // A network that has gone away is noticed in about twice the timeout, even when there is nothing to commit.
        config.connect_timeout(one).keepalives(true);
        // The system counts seconds.
        let second = Duration::from_secs(1);
        config.keepalives_idle(timeout.max(second)).keepalives_interval((timeout / 5).max(second));
        config.keepalives_retries(5);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(timeout);
        }
        if config.get_ssl_mode() != SslMode::Require {
            config.ssl_mode(SslMode::Disable);
        }
        let text = describe(&config, &jobs);
        Ok(Self {
            config,
            passfile: settings.passfile.clone(),
            text,
            table: settings.table.clone(),
            jobs,
            meta,
            timeout,
            connect_timeout: one * places.max(1),
        })
    }

    /// The configuration with the password that the file has today.
    pub(super) fn config(&self) -> Config {
        let mut config = self.config.clone();
        if config.get_password().is_none()
            && let Some(password) = self.passfile.as_deref().and_then(|path| passfile::find(path, &config))
        {
            config.password(password);
        }
        config
    }
}

fn parse(text: &str, what: &str) -> Result<Config, StoreError> {
    Config::from_str(text).map_err(|error| {
        StoreError::new(
            StoreErrorKind::Settings,
            format!("PostgreSQL: {what} cannot be used: {}", causes(&error)),
        )
    })
}

/// Puts `defaults` where `config` has nothing.
fn fill(config: &mut Config, defaults: &Config) {
    if config.get_user().is_none() {
        defaults.get_user().map(|it| config.user(it));
    }
    if config.get_password().is_none() {
        defaults.get_password().map(|it| config.password(it));
    }
    if config.get_dbname().is_none() {
        defaults.get_dbname().map(|it| config.dbname(it));
    }
    if config.get_options().is_none() {
        defaults.get_options().map(|it| config.options(it));
    }
    if config.get_application_name().is_none() {
        config.application_name(defaults.get_application_name().unwrap_or("lineshaft"));
    }
    if defaults.get_ssl_mode() == SslMode::Require {
        config.ssl_mode(SslMode::Require);
    }
    if config.get_connect_timeout().is_none() {
        defaults.get_connect_timeout().map(|it| config.connect_timeout(*it));
    }
    if config.get_ports().is_empty() {
        for port in defaults.get_ports() {
            config.port(*port);
        }
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        for host in defaults.get_hosts() {
            match host {
                Host::Tcp(name) => config.host(name),
                Host::Unix(folder) => config.host_path(folder),
            };
        }
        for address in defaults.get_hostaddrs() {
            config.hostaddr(*address);
        }
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().unwrap_or(&5432);
        // Debian's folder for the socket, and everybody else's.
        let folders = ["/run/postgresql", "/var/run/postgresql", "/tmp"].map(Path::new);
        match folders.into_iter().find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists()) {
            Some(folder) => config.host_path(folder),
            None => config.host("127.0.0.1"),
        };
    }
}

fn describe(config: &Config, jobs: &str) -> String {
    let port = |at: usize| {
        let ports = config.get_ports();
        *ports.get(at).or(ports.first()).unwrap_or(&5432)
    };
    let mut places: Vec<String> = Vec::new();
    for (at, host) in config.get_hosts().iter().enumerate() {
        places.push(match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            Host::Unix(folder) => format!("{}/.s.PGSQL.{}", folder.display(), port(at)),
        });
    }
    if places.is_empty() {
        let addresses = config.get_hostaddrs().iter().enumerate();
        places.extend(addresses.map(|(at, address)| format!("{address}:{}", port(at))));
    }
    let database = config.get_dbname().map(|name| format!(" in database {name}")).unwrap_or_default();
    format!("PostgreSQL table {jobs}{database} at {}", places.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(conninfo: &str, defaults: &str) -> Result<Place, StoreError> {
        Place::new(&PostgresSettings {
            conninfo: conninfo.into(),
            defaults: defaults.into(),
            ..PostgresSettings::default()
        })
    }

    fn text(conninfo: &str, defaults: &str) -> String {
        place(conninfo, defaults).expect(conninfo).text
    }

    #[test]
    fn both_forms_of_a_connection_string_are_read() {
        let told = "PostgreSQL table lineshaft_queue in database jobs at db:5433";
        assert_eq!(text("host=db port=5433 dbname=jobs user=u password='s p'", ""), told);
        assert_eq!(text("postgresql://u:secret@db:5433/jobs", ""), told);
        assert_eq!(text("postgres://u:secret@db:5433/jobs", ""), told);
    }

    #[test]
    fn defaults_fill_what_is_left_out() {
        let defaults = "host=a port=1 dbname=d user=u password=p application_name=n connect_timeout=9";
        let all = place("", defaults).expect("defaults");
        assert_eq!(all.text, "PostgreSQL table lineshaft_queue in database d at a:1");
        assert_eq!(all.config.get_user(), Some("u"));
        assert_eq!(all.config.get_password(), Some(&b"p"[..]));
        assert_eq!(all.config.get_application_name(), Some("n"));
        assert_eq!(all.connect_timeout, Duration::from_secs(9));
        let own = "host=b port=2 dbname=e user=v password=q application_name=m connect_timeout=8";
        let none = place(own, defaults).expect("its own");
        assert_eq!(none.text, "PostgreSQL table lineshaft_queue in database e at b:2");
        assert_eq!(none.config.get_user(), Some("v"));
        assert_eq!(none.config.get_password(), Some(&b"q"[..]));
        assert_eq!(none.config.get_application_name(), Some("m"));
        assert_eq!(none.connect_timeout, Duration::from_secs(8));
        assert!(text("hostaddr=127.0.0.2", defaults).ends_with(" at 127.0.0.2:1"));
        assert!(text("host=/run/x", defaults).ends_with(" at /run/x/.s.PGSQL.1"));
        // Nothing listens on that port.
        assert!(text("port=9", "").ends_with(" at 127.0.0.1:9"));
    }

    #[test]
    fn nothing_says_a_password() {
        for bad in ["host=db password=secret sslmode=verify-full", "password=secret pasword=x", "secret"] {
            let error = place(bad, "").map(|_| ()).expect_err(bad);
            assert_eq!(error.kind(), StoreErrorKind::Settings);
            assert!(error.to_string().starts_with("PostgreSQL: the connection string cannot be used: "));
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let settings = PostgresSettings { conninfo: "password=secret".into(), ..Default::default() };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
