//! The broker's settings.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{AlarmLimits, Grant};
use crate::types::{LogLevel, LogLevels};

/// Whose visible behaviour is copied where gearmand's releases differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// gearmand 1.1: the function registered last is served first, whatever the priority of its jobs.
    V1_1,
    /// gearmand 2.0: the highest priority of all functions first; functions take turns inside a priority.
    #[default]
    V2_0,
}

/// The broker's settings. Plain data; nothing is read from files or the environment here.
#[derive(Clone, Debug)]
pub struct Config {
    /// In which order jobs of several functions are handed out. Default [`Compat::V2_0`].
    pub compat: Compat,
    /// With [`Compat::V1_1`]: a function that has been served moves behind the worker's others. Default false; with
    /// [`Compat::V2_0`] it always does.
    pub round_robin: bool,
    /// Every connection starts with the option `exceptions` set. Default false.
    pub exceptions: bool,
    /// How often a job may be started: one that is given back for the so manieth time fails instead. `None`, the default, is
    /// without limit. `Some(0)` means the same as `Some(1)`: one attempt. More than 65,535 mean 65,535.
    pub job_retries: Option<u32>,
    /// What handles begin with; a colon and the job's number follow. 1 to 42 bytes without NUL, blank or line end. Default
    /// `H:lineshaft`; the daemon uses `H:<host name>`.
    pub handle_prefix: String,
    /// How many sleeping workers a job wakes; `Some(0)` wakes all. `None`, the default, wakes one, and more after
    /// [`Config::wake_grace`] where it has not come.
    pub worker_wakeup: Option<u32>,
    /// How long a woken worker may take to come before the next ones are woken, doubling each time. Default 50 ms.
    pub wake_grace: Duration,
    /// Bytes that all jobs may hold together, overhead included; a submission above it is answered by an ERROR. Default 4 GiB.
    pub max_queue_bytes: u64,
    /// Bytes that the jobs of one function may hold together. Default: as [`Config::max_queue_bytes`].
    pub max_function_bytes: u64,
    /// Jobs that may be there at once: queued, running, and not yet due; a submission above it is answered by an ERROR. Default: as
    /// many as the bytes allow.
    pub max_jobs: usize,
    /// Jobs that one function may have at once, counted in the same way. The admin command `maxqueue` sets a lower limit for single
    /// functions and priorities. Default: as [`Config::max_jobs`].
    pub max_function_jobs: usize,
    /// Functions that may be known at once; each costs about 800 bytes, and stays until it is dropped. Default 100,000.
    pub max_functions: usize,
    /// Abilities that may exist at once, a worker's each function being one; each costs about 100 bytes. A CAN_DO above it is
    /// answered by an ERROR. Default 4,000,000.
    pub max_abilities: usize,
    /// Foreground submissions that may wait for results at once, those that share a job included; each costs about 40 bytes. A
    /// submission above it is answered by an ERROR. Default 4,000,000.
    pub max_waiting: usize,
    /// Schedules that may exist at once. Default 10,000.
    pub max_schedules: usize,
    /// Jobs that `show jobs` and `show unique jobs` list; a longer queue is answered by an error line, because nobody else is
    /// served while it is printed. Default 100,000.
    pub max_listing: usize,
    /// When something is an alarm.
    pub alarms: AlarmLimits,
    /// Keys of the hashes over what peers choose. Default 0; who listens on a network sets it to random numbers, so that
    /// nobody can choose names that slow the tables down.
    pub hash_seed: [u64; 2],
    /// The time zone of schedules. Default UTC.
    pub time_zone: TimeZone,
    /// Who may do what. Default: empty, and everybody may do everything. Otherwise nobody but callers of the same process may do what
    /// no grant says. Asking for a job's status, echoes, options and `version` are free.
    pub rights: Vec<Grant>,
    /// What the admin command `version` says. Default: this crate's version.
    pub version: String,
    /// What the admin command `getpid` says. Default 0.
    pub pid: u32,
    /// Up to which level somebody logs, for the admin command `verbose`, which answers the general one. Default
    /// [`LogLevel::Error`].
    pub log_levels: LogLevels,
    /// `verbose LEVEL` and `verbose LEVEL TARGET` change the levels: somebody heeds [`Event::LogLevels`](super::Event::LogLevels).
    /// Default false: they are answered by an error line.
    pub log_levels_change: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            compat: Compat::default(),
            round_robin: false,
            exceptions: false,
            job_retries: None,
            handle_prefix: "H:lineshaft".into(),
            worker_wakeup: None,
            wake_grace: Duration::from_millis(50),
            max_queue_bytes: 4 << 30,
            max_function_bytes: u64::MAX,
            max_jobs: usize::MAX,
            max_function_jobs: usize::MAX,
            max_functions: 100_000,
            max_abilities: 4_000_000,
            max_waiting: 4_000_000,
            max_schedules: 10_000,
            max_listing: 100_000,
            alarms: AlarmLimits::default(),
            hash_seed: [0; 2],
            time_zone: TimeZone::UTC,
            rights: Vec::new(),
            version: env!("CARGO_PKG_VERSION").into(),
            pid: 0,
            log_levels: LogLevels::new(LogLevel::Error),
            log_levels_change: false,
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// [`Config::handle_prefix`] is empty, too long, or holds a byte that would break a packet or a line.
    HandlePrefix(String),
    /// [`Config::wake_grace`] is zero: workers would be woken without end.
    WakeGrace,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandlePrefix(prefix) => write!(
                f,
                "the prefix of job handles, '{}', must have 1 to {MAX_PREFIX} bytes and no blanks or control characters",
                prefix.escape_debug()
            ),
            Self::WakeGrace => f.write_str("the grace for woken workers must be more than 0"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Handles have at most 63 bytes: prefix, colon, and up to 20 digits.
pub(super) const MAX_PREFIX: usize = 42;

impl Config {
    /// Takes over from `new` what may change while the broker runs.
    pub(super) fn take_over(&mut self, new: &Self) {
        let Self {
            round_robin,
            exceptions,
            job_retries,
            worker_wakeup,
            wake_grace,
            max_queue_bytes,
            max_function_bytes,
            max_jobs,
            max_function_jobs,
            max_functions,
            max_abilities,
            max_waiting,
            max_schedules,
            max_listing,
            alarms,
            // Decided once: what has been handed out, computed and hashed by them stays.
            compat: _,
            handle_prefix: _,
            hash_seed: _,
            time_zone: _,
            // These change by an input of their own.
            rights: _,
            version: _,
            pid: _,
            log_levels: _,
            log_levels_change: _,
        } = self;
        *alarms = new.alarms;
        *round_robin = new.round_robin;
        *exceptions = new.exceptions;
        *job_retries = new.job_retries;
        *worker_wakeup = new.worker_wakeup;
        *wake_grace = new.wake_grace;
        *max_queue_bytes = new.max_queue_bytes;
        *max_function_bytes = new.max_function_bytes;
        *max_jobs = new.max_jobs;
        *max_function_jobs = new.max_function_jobs;
        *max_functions = new.max_functions;
        *max_abilities = new.max_abilities;
        *max_waiting = new.max_waiting;
        *max_schedules = new.max_schedules;
        *max_listing = new.max_listing;
    }

    /// Whether a broker can be made of it.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let prefix = &self.handle_prefix;
        let fits = (1..=MAX_PREFIX).contains(&prefix.len());
        if !fits || prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(ConfigError::HandlePrefix(prefix.clone()));
        }
        if self.wake_grace.is_zero() {
            return Err(ConfigError::WakeGrace);
        }
        Ok(())
    }
}
