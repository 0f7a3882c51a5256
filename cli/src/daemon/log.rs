//! The log: gearmand's levels and lines, its targets, and SIGHUP.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::surroundings;

/// The longest line of gearmand's format, in bytes; what is longer is cut.
const MAX_LINE: usize = 2048;

/// What the names of the server's I/O threads begin with; a number from 0 on follows.
const IO_THREAD: &str = "lineshaft-io-";

/// What the targets of our own events begin with; what libraries below us say is not for this log.
const OURS: &str = "lineshaft";

/// gearmand's levels, the gravest first; the numbers are syslog's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Fatal,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Level {
    /// All of them with their names, which are upper case only.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Fatal, "FATAL"),
        (Self::Alert, "ALERT"),
        (Self::Critical, "CRITICAL"),
        (Self::Error, "ERROR"),
        (Self::Warning, "WARNING"),
        (Self::Notice, "NOTICE"),
        (Self::Info, "INFO"),
        (Self::Debug, "DEBUG"),
    ];

    /// The level of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(level, _)| *level)
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// gearmand has a level between WARNING and INFO; from there on `tracing`'s words stand one step lower.
    fn of(event: &Metadata<'_>) -> Self {
        match *event.level() {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Notice,
            tracing::Level::DEBUG => Self::Info,
            tracing::Level::TRACE => Self::Debug,
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// As gearmand writes it.
    Gearmand,
    /// As `tracing-subscriber` writes it, the time in UTC.
    Plain,
}

/// Where the log goes; clones share the file.
#[derive(Clone, Debug)]
pub(crate) struct Log(Arc<Mutex<Target>>);

#[derive(Debug)]
enum Target {
    Nowhere,
    Stderr,
    File(PathBuf, File),
}

impl Log {
    /// Opens the log: `stderr`, `none` or a file, which is appended to. What cannot be opened gives way to the standard
    /// error; the second value then says why.
    pub(crate) fn open(name: &Path) -> (Self, Option<String>) {
        let (target, problem) = match name.to_str() {
            Some("stderr") => (Target::Stderr, None),
            Some("none") => (Target::Nowhere, None),
            _ => match append(name) {
                Ok(file) => (Target::File(name.to_owned(), file), None),
                Err(error) => {
                    let why = crate::exit::reason(&error);
                    let here = std::env::current_dir().unwrap_or_default();
                    let (name, here) = (name.display(), here.display());
                    let text = format!(
                        "Could not open log file \"{name}\", from \"{here}\", switching to stderr. ({why})"
                    );
                    (Target::Stderr, Some(text))
                }
            },
        };
        (Self(Arc::new(Mutex::new(target))), problem)
    }

    /// Opens the file anew, as after a rotation; the old one stays in use where that fails.
    pub(crate) fn reopen(&self) {
        let mut target = self.lock();
        // The line stands there at every level, so that whoever rotates logs finds it in the old file.
        let _ = target.line(b" NOTICE SIGHUP, reopening log file\n");
        if let Target::File(path, file) = &mut *target {
            match append(path) {
                Ok(new) => *file = new,
                Err(error) => {
                    let why = crate::exit::reason(&error);
                    let text = format!(
                        "  ERROR {}: cannot be reopened: {why}; logging to the old file\n",
                        path.display()
                    );
                    let _ = file.write_all(text.as_bytes());
                }
            }
        }
    }

    /// Whether it goes to a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(*self.lock(), Target::File(..))
    }

    /// Makes this the log of the whole process, for events up to `level`. Once in a process.
    pub(crate) fn install(&self, level: Level, format: Format) {
        // Fails only where the process has a log already; the first one stays.
        let _ = tracing::subscriber::set_global_default(self.subscriber(level, format));
    }

    fn subscriber(&self, level: Level, format: Format) -> impl Subscriber + Send + Sync + use<> {
        let filter = filter_fn(move |event| event.target().starts_with(OURS) && Level::of(event) <= level);
        let layer = tracing_subscriber::fmt::layer().with_writer(self.clone());
        let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
            Format::Gearmand => layer.event_format(GearmandLine).boxed(),
            Format::Plain => layer.boxed(),
        };
        Registry::default().with(layer.with_filter(filter.and(ceiling(level))))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Target> {
        // A panic in the middle of a line does no harm to the next.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `tracing` need not even ask about.
const fn ceiling(level: Level) -> LevelFilter {
    match level {
        Level::Fatal | Level::Alert | Level::Critical => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warning => LevelFilter::WARN,
        Level::Notice => LevelFilter::INFO,
        Level::Info => LevelFilter::DEBUG,
        Level::Debug => LevelFilter::TRACE,
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o644).open(path)
}

impl Target {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stderr => io::stderr().write_all(line),
            Self::File(_, file) => file.write_all(line),
        }
    }
}

impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lock().line(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// `   INFO 2026-11-21 20:20:19.000000 [  main ] text`, and ` -> file:line` behind it at every level but INFO.
struct GearmandLine;

impl<S, N> FormatEvent<S, N> for GearmandLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let level = Level::of(about);
        let time = surroundings::local_time().strftime("%Y-%m-%d %H:%M:%S.%6f");
        let mut line = format!("{:>7} {time} {} ", level.name(), thread_tag(std::thread::current().name()));
        event.record(&mut Words(&mut line));
        if let (true, Some(file), Some(number)) = (level != Level::Info, about.file(), about.line()) {
            write!(line, " -> {file}:{number}")?;
        }
        line.truncate(line.floor_char_boundary(MAX_LINE - 1));
        writeln!(writer, "{}", line.replace('\n', "\\n"))
    }
}

/// `[  main ]`, `[     1 ]` for the first of the I/O threads, or `[  proc ]` for any other.
fn thread_tag(name: Option<&str>) -> String {
    match name {
        None | Some("main") => "[  main ]".into(),
        Some(name) => match name.strip_prefix(IO_THREAD).and_then(|number| number.parse::<u32>().ok()) {
            Some(number) => format!("[{:>6} ]", number.saturating_add(1)),
            None => "[  proc ]".into(),
        },
    }
}

/// The message of an event, and its other fields as `name=value` behind it.
struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn logged(level: Level, format: Format, events: impl FnOnce()) -> String {
        let name = std::env::temp_dir().join(format!(
            "lineshaft-log-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let (log, problem) = Log::open(&name);
        assert_eq!(problem, None);
        tracing::subscriber::with_default(log.subscriber(level, format), events);
        let text = fs::read_to_string(&name).unwrap();
        fs::remove_file(&name).unwrap();
        text
    }

    #[test]
    fn lines_look_like_those_of_gearmand() {
        let text = logged(Level::Debug, Format::Gearmand, || {
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
        assert!(
            lines[2].starts_with(" NOTICE ") && lines[2].contains("] accepted,f,u,0 -> "),
            "{}",
            lines[2]
        );
    }

    #[test]
    fn the_level_decides_what_is_logged() {
        for format in [Format::Gearmand, Format::Plain] {
            let lines = |level| {
                let events = || {
                    tracing::error!("e");
                    tracing::warn!("w");
                    tracing::info!("n");
                    tracing::debug!("i");
                    tracing::trace!("d");
                    tracing::error!(target: "mio", "not ours");
                };
                logged(level, format, events).lines().count()
            };
            let counts = Level::ALL.map(|(level, _)| lines(level));
            assert_eq!(counts, [0, 0, 0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn an_event_is_one_line_of_bounded_length() {
        let text = logged(Level::Info, Format::Gearmand, || tracing::debug!("a\nb{}", "é".repeat(2000)));
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("a\\nb") && text.len() <= MAX_LINE + 1, "{}", text.len());
    }

    #[test]
    fn a_rotated_file_is_opened_anew() {
        let name = std::env::temp_dir().join(format!("lineshaft-rotate-{}", std::process::id()));
        let old = name.with_extension("1");
        let (log, _) = Log::open(&name);
        fs::rename(&name, &old).unwrap();
        log.reopen();
        (&log).write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), " NOTICE SIGHUP, reopening log file\n");
        assert_eq!(fs::read_to_string(&name).unwrap(), "new\n");
        fs::remove_file(name).unwrap();
        fs::remove_file(old).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_opened_gives_way_to_stderr() {
        let (_, problem) = Log::open(Path::new("/nonexistent/log"));
        let problem = problem.unwrap();
        assert!(problem.starts_with("Could not open log file \"/nonexistent/log\", from \""), "{problem}");
        assert!(problem.ends_with("\", switching to stderr. (No such file or directory)"), "{problem}");
    }

    #[test]
    fn threads_have_the_tags_of_gearmand() {
        assert_eq!(thread_tag(Some("main")), "[  main ]");
        assert_eq!(thread_tag(Some("lineshaft-io-0")), "[     1 ]");
        assert_eq!(thread_tag(Some("lineshaft-clock")), "[  proc ]");
    }
}
