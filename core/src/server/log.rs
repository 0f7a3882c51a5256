//! Lines for the log, made under the lock only where somebody wants them, and written after it. This is the one place where
//! lines are counted that peers can cause at will: an embedding program has no other.

use std::time::Duration;

use tracing::Level;

use crate::broker::Event;
use crate::types::{ConnId, LogTarget};

/// A line with its level and the part that it comes from.
#[derive(Debug)]
pub(super) struct LogLine {
    target: LogTarget,
    level: Level,
    text: String,
}

impl LogLine {
    pub(super) fn write(self) {
        macro_rules! write {
            ($($part:ident $target:literal),*) => {
                match (self.target, self.level) {
                    $(
                        (LogTarget::$part, Level::ERROR) => tracing::error!(target: $target, "{}", self.text),
                        (LogTarget::$part, Level::WARN) => tracing::warn!(target: $target, "{}", self.text),
                        (LogTarget::$part, _) => tracing::info!(target: $target, "{}", self.text),
                    )*
                }
            };
        }
        write!(
            Broker "lineshaft::broker",
            Net "lineshaft::net",
            Store "lineshaft::store",
            Http "lineshaft::http",
            Tls "lineshaft::tls",
            Daemon "lineshaft::daemon"
        );
    }
}

/// What lines have in common that are counted together: they are written once a second at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An ERROR with this code was sent.
    Refused(&'static str),
    /// A worker did not finish in time.
    TimedOut,
    /// A reader was cut off by this limit.
    CutOff(&'static str),
    /// Unfinished packets hold too much.
    Input,
    /// There are as many connections as there may be.
    Full,
    /// The system has no descriptor or memory for another connection.
    Shortage,
    /// The store cannot be tidied.
    Untidy,
    /// A peer speaks TLS where there is none.
    SpeaksTls,
    /// A peer does not speak TLS where there is nothing else.
    #[cfg(feature = "tls")]
    SpeaksPlain,
    /// As many handshakes are under way as there may be.
    #[cfg(feature = "tls")]
    Handshakes,
    /// A peer has not finished its handshake in time.
    #[cfg(feature = "tls")]
    Silent,
    /// A handshake has failed.
    #[cfg(feature = "tls")]
    Handshake,
}

impl Kind {
    const fn target(self) -> LogTarget {
        match self {
            Self::Refused(_) | Self::TimedOut => LogTarget::Broker,
            Self::CutOff(_) | Self::Input | Self::Full | Self::Shortage => LogTarget::Net,
            Self::Untidy => LogTarget::Store,
            Self::SpeaksTls => LogTarget::Tls,
            #[cfg(feature = "tls")]
            Self::SpeaksPlain | Self::Handshakes | Self::Silent | Self::Handshake => LogTarget::Tls,
        }
    }

    const fn level(self) -> Level {
        if matches!(self, Self::Shortage) { Level::ERROR } else { Level::WARN }
    }
}

/// How often lines of one kind may stand in the log.
const REPEAT: Duration = Duration::from_secs(1);

/// Lines of which one has been written within the last second. There are only so many kinds.
#[derive(Debug, Default)]
pub(super) struct Repeats(Vec<Repeated>);

#[derive(Debug)]
struct Repeated {
    kind: Kind,
    /// Until then nothing more of the kind is written.
    until: Duration,
    /// How many have not been written.
    left_out: u64,
    /// What has been written.
    text: String,
}

impl Repeats {
    /// The line that `text` makes, or nothing where one of its kind has just been written: then it is only counted.
    pub(super) fn line(
        &mut self,
        now: Duration,
        kind: Kind,
        text: impl FnOnce() -> String,
    ) -> Option<LogLine> {
        if let Some(repeated) = self.0.iter_mut().find(|repeated| repeated.kind == kind) {
            repeated.left_out += 1;
            return None;
        }
        let text = text();
        self.0.push(Repeated { kind, until: now.saturating_add(REPEAT), left_out: 0, text: text.clone() });
        Some(LogLine { target: kind.target(), level: kind.level(), text })
    }

    /// When [`Repeats::count`] has something to do; `None` where nothing has been written of late.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.iter().map(|repeated| repeated.until).min()
    }

    /// Says how many lines of each kind have been left out in the second that has ended.
    pub(super) fn count(&mut self, now: Duration, mut write: impl FnMut(LogLine)) {
        self.0.retain_mut(|repeated| {
            if now < repeated.until {
                return true;
            }
            let Repeated { kind, left_out, text, .. } = repeated;
            if *left_out == 0 {
                return false;
            }
            let text = format!("{text} ({left_out} more like it)");
            write(LogLine { target: kind.target(), level: kind.level(), text });
            *left_out = 0;
            repeated.until = now.saturating_add(REPEAT);
            true
        });
    }
}

/// The line for an event, in gearmand's words; `None` where nobody listens at its level. gearmand's NOTICE is `info` here, its
/// INFO `debug`.
pub(super) fn line(event: Event<'_>, now: Duration, repeats: &mut Repeats) -> Option<LogLine> {
    let notice = |text: &dyn Fn() -> String| {
        let wanted = tracing::enabled!(target: "lineshaft::broker", Level::INFO);
        wanted.then(|| LogLine { target: LogTarget::Broker, level: Level::INFO, text: text() })
    };
    let warned = tracing::enabled!(target: "lineshaft::broker", Level::WARN);
    match event {
        Event::Accepted { function, unique, due } => {
            notice(&|| format!("accepted,{},{},{due}", function.escape_ascii(), unique.escape_ascii()))
        }
        Event::Dropped { handle, unique } => notice(&|| {
            let (handle, unique) = (handle.escape_ascii(), unique.escape_ascii());
            format!("Dropped job due to max retry count: {handle} {unique}")
        }),
        Event::TimedOut { handle, unique } if warned => repeats.line(now, Kind::TimedOut, || {
            let (handle, unique) = (handle.escape_ascii(), unique.escape_ascii());
            format!("Worker timeout reached on job, requeueing: {handle} {unique}")
        }),
        Event::Refused { code, text } if warned => {
            repeats.line(now, Kind::Refused(code), || format!("GEARMAN_{code}:{text}"))
        }
        Event::TimedOut { .. } | Event::Refused { .. } | Event::LogLevels(_) => None,
    }
}

/// A reader that does not read.
pub(super) fn cut_off(conn: ConnId, name: &str, limit: usize) -> String {
    format!(
        "connection {} is cut off: it does not read what it is sent, and the limit ({name}) is {limit} bytes",
        conn.slot()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_repeat_are_counted() {
        let mut repeats = Repeats::default();
        let at = Duration::from_millis;
        let line = |repeats: &mut Repeats, millis, kind| {
            repeats.line(at(millis), kind, || format!("line {millis}")).map(|line| line.text)
        };
        let counted = |repeats: &mut Repeats, millis| {
            let mut texts = Vec::new();
            repeats.count(at(millis), |line| texts.push(line.text));
            texts
        };
        assert_eq!(repeats.next(), None);
        assert_eq!(line(&mut repeats, 5, Kind::Full).as_deref(), Some("line 5"));
        assert_eq!(line(&mut repeats, 6, Kind::Refused("A")).as_deref(), Some("line 6"));
        assert_eq!(line(&mut repeats, 6, Kind::Refused("B")).as_deref(), Some("line 6"));
        assert_eq!(line(&mut repeats, 7, Kind::Full), None);
        assert_eq!(line(&mut repeats, 1004, Kind::Full), None);
        assert_eq!(repeats.next(), Some(at(1005)));
        assert!(counted(&mut repeats, 1004).is_empty());
        assert_eq!(counted(&mut repeats, 1010), ["line 5 (2 more like it)"]);
        // It has just been written again; the others are over.
        assert_eq!(repeats.next(), Some(at(2010)));
        assert_eq!(line(&mut repeats, 1011, Kind::Full), None);
        assert_eq!(line(&mut repeats, 1011, Kind::Refused("A")).as_deref(), Some("line 1011"));
        assert_eq!(counted(&mut repeats, 2011), ["line 5 (1 more like it)"]);
        assert!(counted(&mut repeats, 9000).is_empty());
        assert_eq!(repeats.next(), None);
        assert_eq!(line(&mut repeats, 9001, Kind::Full).as_deref(), Some("line 9001"));
    }
}
