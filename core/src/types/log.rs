//! What is logged: gearmand's levels, and the parts of the server that may have one of their own.

use std::fmt;
use std::str::FromStr;

/// How grave a line of the log is, and up to which gravity lines are wanted: gearmand's levels, the gravest first. The numbers are
/// syslog's. `tracing`'s `ERROR`, `WARN`, `INFO`, `DEBUG` and `TRACE` are [`Error`](Self::Error), [`Warning`](Self::Warning),
/// [`Notice`](Self::Notice), [`Info`](Self::Info) and [`Debug`](Self::Debug).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are all there is to say")]
pub enum LogLevel {
    Fatal,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl LogLevel {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Fatal, "FATAL"),
        (Self::Alert, "ALERT"),
        (Self::Critical, "CRITICAL"),
        (Self::Error, "ERROR"),
        (Self::Warning, "WARNING"),
        (Self::Notice, "NOTICE"),
        (Self::Info, "INFO"),
        (Self::Debug, "DEBUG"),
    ];

    /// Its name, in upper case.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The level of exactly that name, as gearmand's `--verbose` takes it: in upper case only.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(level, _)| *level)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no level or part has; it says which there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName(&'static [&'static str]);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.0.join(", "))
    }
}

impl std::error::Error for UnknownName {}

/// A level in any case; `warn` is one as well.
impl FromStr for LogLevel {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        const NAMES: &[&str] = &["FATAL", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];
        let upper = text.to_ascii_uppercase();
        Self::from_name(if upper == "WARN" { "WARNING" } else { &upper }).ok_or(UnknownName(NAMES))
    }
}

/// A part of the server whose lines may have a level of their own. The target of its lines in `tracing` is `lineshaft::` and its name,
/// or begins so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogTarget {
    /// Jobs: submissions taken and refused, timeouts, drops.
    Broker,
    /// Connections that come and go, and why they are refused or closed.
    Net,
    /// Stores: takeovers, failures, recoveries.
    Store,
    /// HTTP.
    Http,
    /// TLS: handshakes that fail, certificates.
    Tls,
    /// The process: start, signals, settings, end.
    Daemon,
}

impl LogTarget {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Broker, "broker"),
        (Self::Net, "net"),
        (Self::Store, "store"),
        (Self::Http, "http"),
        (Self::Tls, "tls"),
        (Self::Daemon, "daemon"),
    ];

    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The part that a target of `tracing` belongs to, such as `lineshaft::store` or `lineshaft::store::redis`; `None` for what
    /// belongs to the server as a whole.
    pub fn of(target: &str) -> Option<Self> {
        let part = target.strip_prefix("lineshaft::")?;
        let part = part.split("::").next().unwrap_or(part);
        Self::ALL.iter().find(|(_, name)| *name == part).map(|(target, _)| *target)
    }
}

/// A part in any case.
impl FromStr for LogTarget {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        const NAMES: &[&str] = &["broker", "net", "store", "http", "tls", "daemon"];
        let found = Self::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(target, _)| *target).ok_or(UnknownName(NAMES))
    }
}

/// Up to which level lines are wanted, of everything and of single parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevels {
    general: LogLevel,
    own: [Option<LogLevel>; LogTarget::ALL.len()],
}

impl LogLevels {
    /// The same level for everything.
    pub const fn new(level: LogLevel) -> Self {
        Self { general: level, own: [None; LogTarget::ALL.len()] }
    }

    /// The level of all parts that have none of their own.
    pub const fn general(&self) -> LogLevel {
        self.general
    }

    /// The level that a part has of its own; `None` where the general one holds for it.
    pub const fn own(&self, target: LogTarget) -> Option<LogLevel> {
        self.own[target as usize]
    }

    /// The level that holds for a part, or for what belongs to none.
    pub const fn of(&self, target: Option<LogTarget>) -> LogLevel {
        match target {
            Some(target) => match self.own(target) {
                Some(level) => level,
                None => self.general,
            },
            None => self.general,
        }
    }

    /// Gives a part a level of its own. `None` gives everything this level: what single parts had of their own is forgotten, so that
    /// whoever asks for everything gets everything.
    pub const fn set(&mut self, level: LogLevel, target: Option<LogTarget>) {
        match target {
            Some(target) => self.own[target as usize] = Some(level),
            None => *self = Self::new(level),
        }
    }

    /// The most verbose of all levels.
    pub fn most(&self) -> LogLevel {
        self.own.iter().flatten().copied().fold(self.general, LogLevel::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (number, (level, name)) in LogLevel::ALL.into_iter().enumerate() {
            assert_eq!((level as usize, level.name()), (number, name));
            assert_eq!(name.to_lowercase().parse(), Ok(level));
            assert!("".parse::<LogLevel>().unwrap_err().to_string().contains(name));
        }
        for (number, (target, name)) in LogTarget::ALL.into_iter().enumerate() {
            assert_eq!((target as usize, target.name()), (number, name));
            assert_eq!(name.to_uppercase().parse(), Ok(target));
            assert_eq!(LogTarget::of(&format!("lineshaft::{name}")), Some(target));
            assert!("".parse::<LogTarget>().unwrap_err().to_string().contains(name));
        }
        assert_eq!("warn".parse(), Ok(LogLevel::Warning));
        assert_eq!(LogLevel::from_name("info"), None);
        assert_eq!(LogTarget::of("lineshaft::store::redis"), Some(LogTarget::Store));
        for target in ["lineshaft", "lineshaft::stored", "store", "mio::store"] {
            assert_eq!(LogTarget::of(target), None, "{target}");
        }
    }

    #[test]
    fn parts_have_levels_of_their_own_until_everything_gets_one() {
        let mut levels = LogLevels::new(LogLevel::Error);
        levels.set(LogLevel::Debug, Some(LogTarget::Store));
        assert_eq!(levels.of(Some(LogTarget::Store)), LogLevel::Debug);
        assert_eq!(levels.of(Some(LogTarget::Net)), LogLevel::Error);
        assert_eq!((levels.of(None), levels.most()), (LogLevel::Error, LogLevel::Debug));
        levels.set(LogLevel::Notice, None);
        assert_eq!(levels, LogLevels::new(LogLevel::Notice));
    }
}
