//! The log: gearmand's levels and lines, other formats and places, and what changes while running.

mod datagram;
mod file;
mod format;
pub(crate) mod levels;

use std::path::{Path, PathBuf};

use lineshaft::types::LogLevels;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use datagram::{Datagrams, Kind};
use file::Sink;
use format::{GearmandLine, JsonLine};

pub(crate) use format::Format;
pub(crate) use levels::Levels;

/// What is logged, and where.
#[derive(Clone, Debug)]
pub(crate) struct LogSettings {
    /// `stderr`, `none` or a file.
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    pub(crate) levels: LogLevels,
    /// The socket of syslog, where lines go there as well.
    pub(crate) syslog: Option<PathBuf>,
    /// The socket of systemd's journal, where lines go there as well.
    pub(crate) journal: Option<PathBuf>,
}

/// The log of the process.
#[derive(Debug)]
pub(crate) struct Log {
    sink: Sink,
    format: Format,
    levels: Levels,
}

impl Log {
    /// Opens the log and makes it that of the whole process; once in a process. The second value says what could not be opened, for
    /// which the standard error stands in, or nothing.
    pub(crate) fn open(settings: &LogSettings, ident: &'static str) -> (Self, Vec<String>) {
        let (log, subscriber, problems) = Self::build(settings, ident);
        // Fails only where the process has a log already; the first one stays.
        let _ = tracing::subscriber::set_global_default(subscriber);
        (log, problems)
    }

    fn build(
        settings: &LogSettings,
        ident: &'static str,
    ) -> (Self, impl Subscriber + Send + Sync + use<>, Vec<String>) {
        let (sink, problem) = Sink::open(&settings.file);
        let mut problems: Vec<String> = problem.into_iter().collect();
        let mut datagrams = |kind, to: &Option<PathBuf>| {
            let opened = Datagrams::new(kind, to.as_deref()?, ident);
            opened.inspect_err(|error| problems.push(format!("no socket for the log: {error}"))).ok()
        };
        let syslog = datagrams(Kind::Syslog, &settings.syslog);
        let journal = datagrams(Kind::Journal, &settings.journal);
        let levels = Levels::new(&settings.levels);
        let lines = tracing_subscriber::fmt::layer().with_writer(sink.clone());
        let lines: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
            Format::Gearmand => lines.event_format(GearmandLine).boxed(),
            Format::Plain => lines.boxed(),
            Format::Json => lines.event_format(JsonLine).boxed(),
        };
        let subscriber = Registry::default().with(lines).with(syslog).with(journal).with(levels.clone());
        (Self { sink, format: settings.format, levels }, subscriber, problems)
    }

    /// Opens the file anew, or another one.
    pub(crate) fn reopen(&self, file: &Path) {
        // The line stands there at every level, so that whoever rotates logs finds it in the old file.
        match self.format {
            Format::Gearmand => self.sink.raw(" NOTICE SIGHUP, reopening log file\n"),
            Format::Plain | Format::Json => {
                tracing::info!(name: levels::ALWAYS, "SIGHUP, reopening log file");
            }
        }
        if let Err(problem) = self.sink.reopen(file) {
            tracing::error!(name: levels::ALWAYS, "{problem}");
        }
    }

    /// Whether it goes to a file.
    pub(crate) fn is_file(&self) -> bool {
        self.sink.is_file()
    }

    /// What changes while the process runs.
    pub(crate) fn levels(&self) -> Levels {
        self.levels.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixDatagram;

    use lineshaft::types::{LogLevel, LogTarget};
    use tempfile::TempDir;

    use super::*;

    /// What stands in the log after `events`, which may change its levels.
    fn logged(format: Format, levels: LogLevels, events: impl FnOnce(&Log)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let settings = LogSettings { file: file.clone(), format, levels, syslog: None, journal: None };
        let (log, subscriber, problems) = Log::build(&settings, "test");
        assert!(problems.is_empty());
        tracing::subscriber::with_default(subscriber, || events(&log));
        fs::read_to_string(&file).unwrap()
    }

    fn at(level: LogLevel) -> LogLevels {
        LogLevels::new(level)
    }

    #[test]
    fn lines_look_like_those_of_gearmand() {
        let text = logged(Format::Gearmand, at(LogLevel::Debug), |_| {
            tracing::debug!("Listening on 127.0.0.1:4730 (9)");
            tracing::warn!("late");
            tracing::info!("accepted,f,u,0");
        });
        let lines: Vec<_> = text.lines().collect();
        let shape = |line: &str| line.replace(|c: char| c.is_ascii_digit(), "0");
        assert!(shape(lines[0]).starts_with("   INFO 0000-00-00 00:00:00.000000 ["), "{}", lines[0]);
        assert!(lines[0].ends_with("] Listening on 127.0.0.1:4730 (9)"));
        assert!(lines[1].starts_with("WARNING ") && lines[1].contains("] late -> "), "{}", lines[1]);
        assert!(lines[1].rsplit(':').next().unwrap().parse::<u32>().is_ok());
        let notice = lines[2];
        assert!(notice.starts_with(" NOTICE ") && notice.contains("] accepted,f,u,0 -> "), "{notice}");
    }

    #[test]
    fn json_is_an_object_a_line() {
        let text = logged(Format::Json, at(LogLevel::Notice), |_| {
            tracing::warn!(target: "lineshaft::store", jobs = 3, "a \"b\"\nc");
        });
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = |name: &str| line[name].as_str().unwrap().to_owned();
        assert_eq!(said("message"), "a \"b\"\nc");
        assert_eq!((said("level"), said("target")), ("WARNING".into(), "lineshaft::store".into()));
        assert_eq!(line["jobs"], 3);
        assert!(said("time").ends_with('Z') && said("time").contains('T'));
    }

    #[test]
    fn the_level_decides_what_is_logged() {
        for format in [Format::Gearmand, Format::Plain, Format::Json] {
            let lines = |level| {
                let events = |_: &Log| {
                    tracing::error!("e");
                    tracing::warn!("w");
                    tracing::info!("n");
                    tracing::debug!("i");
                    tracing::trace!("d");
                    tracing::error!(target: "mio", "not ours");
                    tracing::info!(name: levels::ALWAYS, "always");
                };
                logged(format, at(level), events).lines().count()
            };
            assert_eq!(LogLevel::ALL.map(|(level, _)| lines(level)), [1, 1, 1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn a_part_may_have_its_own_level_and_all_of_it_changes_while_running() {
        let store = || tracing::debug!(target: "lineshaft::store::redis", "store");
        let net = || tracing::debug!(target: "lineshaft::net", "net");
        let rest = || tracing::debug!("rest");
        let mut levels = at(LogLevel::Error);
        levels.set(LogLevel::Debug, Some(LogTarget::Store));
        let text = logged(Format::Gearmand, levels, |log| {
            let all = || (store(), net(), rest());
            all();
            log.levels().set(&at(LogLevel::Debug));
            all();
            levels.set(LogLevel::Fatal, Some(LogTarget::Store));
            log.levels().set(&levels);
            all();
        });
        let words: Vec<_> = text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(words, ["store", "store", "net", "rest"]);
    }

    #[test]
    fn an_event_is_one_line_of_bounded_length() {
        let text = logged(Format::Gearmand, at(LogLevel::Info), |_| {
            tracing::debug!("a\nb{}", "é".repeat(2000));
        });
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("a\\nb") && text.len() <= format::MAX_LINE + 1, "{}", text.len());
    }

    fn datagrams(folder: &TempDir, name: &str) -> UnixDatagram {
        let socket = UnixDatagram::bind(folder.path().join(name)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn read(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn syslog_and_the_journal_get_the_same_lines() {
        let folder = tempfile::tempdir().unwrap();
        let journal = datagrams(&folder, "journal");
        let place = |name: &str| Some(folder.path().join(name));
        let settings = LogSettings {
            file: "none".into(),
            format: Format::Plain,
            levels: at(LogLevel::Warning),
            syslog: place("syslog"),
            journal: place("journal"),
        };
        let (_log, subscriber, _) = Log::build(&settings, "test");
        tracing::subscriber::with_default(subscriber, || {
            // Nobody is there yet: it is counted.
            tracing::error!("first");
            let syslog = datagrams(&folder, "syslog");
            tracing::warn!(target: "lineshaft::store", "two\nlines");
            tracing::info!("too much");
            let pid = std::process::id();
            let (lost, line) = (read(&syslog), read(&syslog));
            assert!(lost.starts_with("<12>"), "{lost}");
            let end = format!(" test[{pid}]: WARNING 1 lines before this one could not be logged here");
            assert!(lost.ends_with(&end), "{lost}");
            assert!(line.ends_with(&format!(" test[{pid}]: WARNING two\\nlines")), "{line}");
            assert!(syslog.recv(&mut [0]).is_err(), "a line below the level was sent");
        });
        let first = read(&journal);
        assert!(first.starts_with("PRIORITY=3\nSYSLOG_IDENTIFIER=test\nLINESHAFT_TARGET=lineshaft::daemon"));
        assert!(first.ends_with("MESSAGE=first\n"), "{first}");
        let second = read(&journal);
        assert!(second.contains("\nLINESHAFT_TARGET=lineshaft::store\n"), "{second}");
        assert!(second.ends_with("MESSAGE\n\u{9}\0\0\0\0\0\0\0two\nlines\n"), "{second:?}");
    }
}
