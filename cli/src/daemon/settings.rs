//! What the options of the daemon mean, checked as a whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lineshaft::broker::Config;
use lineshaft::net::ServerTls;
use lineshaft::protocol::Limits;
use lineshaft::server::ServerLimits;
use lineshaft::types::LogLevel;

use super::engine;
use super::http::HttpSettings;
use super::log::{Format, LogSettings, levels};
use super::store::Queue;
use super::tls;
use crate::options::choices::{Choices, Program};
use crate::options::{Refusal, Source, refuse};
use crate::surroundings;

/// The most I/O threads that are started where nobody says how many. It is half of the processors: clients and workers of the same
/// machine need some as well, and fewer threads cost less per job.
const DEFAULT_THREADS: usize = 4;
/// How long gearmand tries to get a port that is in use.
const GEARMAND_BIND_PATIENCE: Duration = Duration::from_secs(20);

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// On every address of the machine.
    Everywhere,
    /// On every address of this host.
    Host(String),
    /// On a Unix socket alone.
    Unix(PathBuf),
}

/// The values of TCP's probes, in seconds and numbers; `None` leaves the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) idle: Option<u32>,
    pub(crate) interval: Option<u32>,
    pub(crate) count: Option<u32>,
}

/// Everything that the daemon has to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) program: Program,
    /// What messages begin with.
    pub(crate) name: &'static str,
    pub(crate) listen: Listen,
    pub(crate) port: String,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) backlog: u32,
    pub(crate) threads: usize,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) broker: Config,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) queue: Queue,
    pub(crate) limits: Limits,
    pub(crate) server_limits: ServerLimits,
    pub(crate) http: HttpSettings,
    pub(crate) drain_deadline: Option<Duration>,
    pub(crate) daemon: bool,
    pub(crate) user: Option<String>,
    pub(crate) descriptors: Option<u64>,
    pub(crate) pid_file: Option<PathBuf>,
    /// Somebody has named the pid file: not being able to write it is an error.
    pub(crate) pid_file_is_named: bool,
    pub(crate) log: LogSettings,
    /// How long a port that is in use is tried again.
    pub(crate) bind_patience: Duration,
}

impl Settings {
    /// Reads what has been chosen.
    pub(crate) fn read(choices: &Choices) -> Result<Self, Refusal> {
        let count = |name| choices.number(name).and_then(|number| usize::try_from(number).ok());
        let bytes = |name| choices.number(name).and_then(|number| u64::try_from(number).ok());
        let log = log(choices)?;
        if choices.number("hashtable-buckets") == Some(0) {
            return refuse("hashtable-buckets has to be greater than 0");
        }
        let whole_machine = std::thread::available_parallelism().map_or(1, usize::from);
        let pid_file = choices.find("pid-file");
        let program = choices.program();
        Ok(Self {
            program,
            name: match program {
                Program::Gearmand => "gearmand",
                Program::Serve => "lineshaft",
            },
            listen: listen(choices)?,
            port: choices.text("port")?.unwrap_or_default().to_owned(),
            unix: choices.path("unix"),
            // A number below 0 leaves it to the kernel, which then takes its own limit.
            backlog: choices
                .number("backlog")
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(u32::MAX >> 1),
            threads: match count("threads") {
                Some(0) => whole_machine,
                Some(threads) => threads,
                None => whole_machine.div_ceil(2).min(DEFAULT_THREADS),
            },
            keepalive: choices.is_set("keepalive").then(|| keepalive(choices)),
            broker: Config { rights: tls::rights(choices)?, ..engine::broker(choices, log.levels)? },
            tls: tls::settings(choices)?,
            queue: Queue::read(choices, &surroundings::variable)?,
            limits: engine::limits(choices),
            server_limits: engine::server_limits(choices),
            http: HttpSettings::read(choices)?,
            drain_deadline: bytes("drain-deadline").filter(|seconds| *seconds > 0).map(Duration::from_secs),
            daemon: choices.is_set("daemon"),
            user: choices.text("user")?.map(str::to_owned),
            descriptors: bytes("file-descriptors"),
            pid_file: choices.path("pid-file"),
            pid_file_is_named: pid_file.is_some_and(|given| given.source != Source::Default),
            log,
            bind_patience: match program {
                Program::Gearmand => GEARMAND_BIND_PATIENCE,
                Program::Serve => Duration::ZERO,
            },
        })
    }

    /// Forgets the Unix sockets: others have been passed, which take the place of all that is to be listened on.
    pub(crate) fn without_sockets(&mut self) {
        self.unix = None;
        self.listen = Listen::Everywhere;
    }

    /// The Unix sockets to listen on.
    pub(crate) fn sockets(&self) -> impl Iterator<Item = &Path> {
        let listen = match &self.listen {
            Listen::Unix(path) => Some(path),
            Listen::Everywhere | Listen::Host(_) => None,
        };
        self.unix.iter().chain(listen).map(PathBuf::as_path)
    }
}

fn log(choices: &Choices) -> Result<LogSettings, Refusal> {
    let name = choices.text("verbose")?.unwrap_or_default();
    let Some(general) = LogLevel::from_name(name) else {
        return refuse("Invalid value for --verbose supplied");
    };
    let socket = |switch, path| if choices.is_set(switch) { choices.path(path) } else { None };
    Ok(LogSettings {
        file: choices.path("log-file").unwrap_or_else(|| "stderr".into()),
        format: log_format(choices)?,
        levels: levels::read(general, choices.text("log-levels")?.unwrap_or_default())?,
        syslog: socket("syslog", "syslog-socket"),
        journal: socket("journald", "journald-socket"),
    })
}

fn log_format(choices: &Choices) -> Result<Format, Refusal> {
    match choices.text("log-format")? {
        Some("gearmand") => Ok(Format::Gearmand),
        Some("plain") => Ok(Format::Plain),
        Some("json") => Ok(Format::Json),
        other => {
            refuse(format!("--log-format is gearmand, plain or json, not '{}'", other.unwrap_or_default()))
        }
    }
}

fn listen(choices: &Choices) -> Result<Listen, Refusal> {
    Ok(match choices.text("listen")? {
        None | Some("" | "*") => Listen::Everywhere,
        Some(address) => match address.strip_prefix("unix:") {
            Some("") => return refuse("--listen unix: needs a path behind the colon"),
            Some(path) => Listen::Unix(path.into()),
            None => Listen::Host(address.to_owned()),
        },
    })
}

fn keepalive(choices: &Choices) -> Keepalive {
    let value = |name| choices.number(name).and_then(|number| u32::try_from(number).ok());
    Keepalive {
        idle: value("keepalive-idle"),
        interval: value("keepalive-interval"),
        count: value("keepalive-count"),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::options::gearmand;
    use crate::options::parse::{Rules, parse};

    fn read(program: Program, words: &[&str]) -> Result<Settings, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let given = parse(&gearmand::on_command_line(), &words, &Rules::GEARMAND).map_err(|why| why.0)?;
        let choices = Choices::resolve(program, given, &|_| None).map_err(|why| why.0)?;
        Settings::read(&choices).map_err(|why| why.0)
    }

    fn gearmand(words: &[&str]) -> Settings {
        read(Program::Gearmand, words).unwrap()
    }

    #[test]
    fn gearmand_is_open_to_all_and_serve_to_this_machine() {
        let settings = gearmand(&[]);
        assert_eq!((settings.listen, &*settings.port), (Listen::Everywhere, "4730"));
        assert_eq!(settings.log.file, PathBuf::from("/var/log/gearmand.log"));
        assert_eq!(settings.log.levels.general(), LogLevel::Error);
        assert_eq!(settings.pid_file, Some("/var/gearmand.pid".into()));
        assert!(!settings.pid_file_is_named);
        let settings = read(Program::Serve, &[]).unwrap();
        assert_eq!(settings.listen, Listen::Host("127.0.0.1".into()));
        assert_eq!((settings.log.file, settings.pid_file), ("stderr".into(), None));
        assert_eq!(settings.log.levels.general(), LogLevel::Warning);
    }

    #[test]
    fn every_option_arrives_where_it_belongs() {
        assert_eq!(gearmand(&["-b", "7"]).backlog, 7);
        assert!(gearmand(&["-d"]).daemon);
        assert_eq!(gearmand(&["-f", "99"]).descriptors, Some(99));
        assert_eq!(gearmand(&["-l", "none"]).log.file, PathBuf::from("none"));
        assert_eq!(gearmand(&["-L", "*"]).listen, Listen::Everywhere);
        assert_eq!(gearmand(&["-L", "::1"]).listen, Listen::Host("::1".into()));
        assert_eq!(gearmand(&["-L", "unix:/x"]).listen, Listen::Unix("/x".into()));
        assert_eq!(gearmand(&["--unix", "/x"]).unix, Some("/x".into()));
        assert!(gearmand(&["-P", "/x"]).pid_file_is_named);
        assert_eq!(gearmand(&["-p", "5"]).port, "5");
        assert_eq!(gearmand(&["-t", "3"]).threads, 3);
        assert!(gearmand(&["-t", "0"]).threads > 0);
        assert!((1..=DEFAULT_THREADS).contains(&gearmand(&[]).threads));
        assert_eq!(gearmand(&["-u", "me"]).user.as_deref(), Some("me"));
        assert_eq!(gearmand(&["--drain-deadline=9"]).drain_deadline, Some(Duration::from_secs(9)));
        assert_eq!(gearmand(&[]).drain_deadline, None);
        assert_eq!(gearmand(&["--log-format=json"]).log.format, Format::Json);
        assert_eq!(gearmand(&["--syslog-socket=/x"]).log.syslog, None);
        assert_eq!(gearmand(&["--syslog"]).log.syslog, Some("/dev/log".into()));
        assert_eq!(gearmand(&["--journald"]).log.journal, Some("/run/systemd/journal/socket".into()));
        let levels = gearmand(&["--log-levels=net=debug"]).log.levels;
        assert_eq!((levels.general(), levels.most()), (LogLevel::Error, LogLevel::Debug));
        assert_eq!(gearmand(&["--keepalive-idle", "5"]).keepalive, None);
        let keepalive = Keepalive { idle: Some(5), interval: None, count: Some(2) };
        let words = ["--keepalive", "--keepalive-idle", "5", "--keepalive-count", "2"];
        assert_eq!(gearmand(&words).keepalive, Some(keepalive));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (words, why) in [
            (["--verbose", "info"], "Invalid value for --verbose supplied"),
            (["--hashtable-buckets", "0"], "hashtable-buckets has to be greater than 0"),
            (["-q", "foo"], "Error while initializing the queue : foo"),
            (["-r", "foo"], "Unknown protocol module : foo"),
            (["--log-format", "x"], "--log-format is gearmand, plain or json, not 'x'"),
            (["-L", "unix:"], "--listen unix: needs a path"),
        ] {
            let refusal = read(Program::Gearmand, &words).unwrap_err();
            assert!(refusal.starts_with(why), "{refusal}");
        }
    }
}
