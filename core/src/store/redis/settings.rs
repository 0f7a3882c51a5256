//! Which Redis, and what of it.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use crate::store::address::Address;
use crate::store::{StoreError, StoreErrorKind};

/// Where the queue is, and how to get there. The defaults are those of gearmand's plug-in.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// A name or address, or the path of a Unix socket; default `127.0.0.1`.
    pub host: String,
    /// The TCP port; default 6379.
    pub port: u16,
    /// The user, where Redis has several; default none.
    pub user: Option<String>,
    /// The password; default none.
    pub password: Option<String>,
    /// The number of the database; default 0, which is gearmand's.
    pub database: u32,
    /// What gearmand's keys begin with, and what tells several queues in one database apart; default `_gear_`.
    pub prefix: String,
    /// Functions with dashes in their names, for keys of gearmand's that can be split in several ways; default none.
    pub functions: Vec<String>,
    /// How long connecting, and each answer, may take; default 5 s.
    pub timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 6379,
            user: None,
            password: None,
            database: 0,
            prefix: "_gear_".into(),
            functions: Vec::new(),
            timeout: Duration::from_secs(5),
        }
    }
}

impl RedisSettings {
    /// From `redis://USER:PASSWORD@HOST:PORT/DATABASE` or `redis:///PATH/OF/SOCKET`, and the settings behind it.
    pub(super) fn from_address(address: &Address<'_>) -> Result<Self, StoreError> {
        let [prefix, functions, database, user, password] =
            address.settings(["prefix", "functions", "database", "user", "password"])?;
        let refuse = |text: String| StoreError::new(StoreErrorKind::Settings, text);
        let mut settings = Self { user, password, ..Self::default() };
        if let Some(path) = address.place.strip_prefix("//").filter(|path| path.starts_with('/')) {
            settings.host = path.into();
        } else {
            let url = format!("redis:{}", address.place);
            let info = url.into_connection_info().map_err(|error| {
                refuse(format!(
                    "the address of Redis is redis://USER:PASSWORD@HOST:PORT/DATABASE or redis:///SOCKET: {error}"
                ))
            })?;
            if let ConnectionAddr::Tcp(host, port) = info.addr() {
                (settings.host, settings.port) = (host.clone(), *port);
            }
            let redis = info.redis_settings();
            settings.user = redis.username().map(Into::into).or(settings.user);
            settings.password = redis.password().map(Into::into).or(settings.password);
            settings.database = u32::try_from(redis.db())
                .map_err(|_| refuse(format!("{} is no number of a database of Redis", redis.db())))?;
        }
        if let Some(number) = database {
            settings.database = number.parse().map_err(|_| {
                refuse(format!("`{}` is no number of a database of Redis", number.escape_debug()))
            })?;
        }
        settings.prefix = prefix.unwrap_or(settings.prefix);
        settings.functions = functions.iter().flat_map(|names| names.split(',')).map(Into::into).collect();
        Ok(settings)
    }

    /// For sentences.
    pub(super) fn place(&self) -> String {
        match self.host.as_str() {
            path if path.starts_with('/') => format!("Redis at {path}"),
            host if host.contains(':') => format!("Redis at [{host}]:{}", self.port),
            host => format!("Redis at {host}:{}", self.port),
        }
    }

    pub(super) fn connection_info(&self) -> Result<ConnectionInfo, StoreError> {
        let addr = match self.host.as_str() {
            path if path.starts_with('/') => ConnectionAddr::Unix(path.into()),
            host => ConnectionAddr::Tcp(host.into(), self.port),
        };
        let info = addr.into_connection_info().map_err(|error| {
            StoreError::new(StoreErrorKind::Settings, format!("{}: {error}", self.place()))
        })?;
        let mut redis = info.redis_settings().clone().set_db(self.database.into()).set_skip_set_lib_name();
        if let Some(user) = &self.user {
            redis = redis.set_username(user);
        }
        if let Some(password) = &self.password {
            redis = redis.set_password(password);
        }
        // A batch is one write: there is nothing to gather.
        Ok(info.set_redis_settings(redis).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, password, database, prefix, functions, timeout, .. } = self;
        f.debug_struct("RedisSettings")
            .field("place", &self.place())
            .field("user", user)
            .field("password", &password.as_ref().map(|_| "..."))
            .field("database", database)
            .field("prefix", prefix)
            .field("functions", functions)
            .field("timeout", timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> Result<RedisSettings, String> {
        Address::parse(address)
            .and_then(|address| RedisSettings::from_address(&address))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_say_all_of_it() {
        assert_eq!(read("redis://127.0.0.1"), Ok(RedisSettings::default()));
        let full = read("redis://me:a%3Ab@[::1]:7000/3?prefix=x%20&functions=a-b,c-d").expect("an address");
        assert_eq!((full.host.as_str(), full.port, full.database), ("::1", 7000, 3));
        assert_eq!((full.user.as_deref(), full.password.as_deref()), (Some("me"), Some("a:b")));
        assert_eq!((full.prefix.as_str(), full.functions), ("x ", vec!["a-b".into(), "c-d".into()]));
        let socket = read("redis:///run/redis.sock?database=2&password=p").expect("an address");
        assert_eq!((socket.host.as_str(), socket.database), ("/run/redis.sock", 2));
        assert_eq!(socket.password.as_deref(), Some("p"));
        assert!(!format!("{:?}", read("redis://:secret@host")).contains("secret"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "redis:",
            "redis://",
            "redis://host/x",
            "redis://host/-1",
            "redis://h?database=x",
            "redis://h?a=b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
