//! Lines for the log, made under the lock only where somebody wants them, and written after it.

use std::time::Duration;

use parking_lot::Mutex;
use tracing::Level;

use crate::broker::Event;
use crate::types::ConnId;

/// A line with its level.
#[derive(Debug)]
pub(super) struct LogLine {
    level: Level,
    text: String,
}

impl LogLine {
    pub(super) fn write(self) {
        let text = self.text;
        if self.level == Level::WARN {
            tracing::warn!(target: "lineshaft", "{text}");
        } else {
            tracing::info!(target: "lineshaft", "{text}");
        }
    }
}

/// How often a line may stand in the log that peers or the system can repeat at will.
const REPEAT: Duration = Duration::from_secs(1);

/// Counts the lines of one kind that are not worth writing each.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<Repeated>);

#[derive(Debug, Default)]
struct Repeated {
    /// Before that nothing more is written.
    until: Duration,
    /// How many have not been written since the last one.
    left_out: u64,
}

impl Repeats {
    /// What to write behind a line that is due: nothing, or how many were left out before it. `None` where it is not due.
    pub(super) fn next(&self, now: Duration) -> Option<String> {
        let mut repeated = self.0.lock();
        if now < repeated.until {
            repeated.left_out += 1;
            return None;
        }
        repeated.until = now.saturating_add(REPEAT);
        match std::mem::take(&mut repeated.left_out) {
            0 => Some(String::new()),
            count => Some(format!(" ({count} more like it before)")),
        }
    }
}

/// The line for an event, in gearmand's words; `None` where nobody listens at its level. gearmand's NOTICE is `info` here, its
/// INFO `debug`.
pub(super) fn line(event: Event<'_>) -> Option<LogLine> {
    let level = match event {
        Event::Accepted { .. } | Event::Dropped { .. } => Level::INFO,
        Event::TimedOut { .. } | Event::Refused { .. } => Level::WARN,
    };
    let wanted = if level == Level::WARN {
        tracing::enabled!(target: "lineshaft", Level::WARN)
    } else {
        tracing::enabled!(target: "lineshaft", Level::INFO)
    };
    if !wanted {
        return None;
    }
    let text = match event {
        Event::Accepted { function, unique, due } => {
            format!("accepted,{},{},{due}", function.escape_ascii(), unique.escape_ascii())
        }
        Event::Dropped { handle, unique } => {
            let (handle, unique) = (handle.escape_ascii(), unique.escape_ascii());
            format!("Dropped job due to max retry count: {handle} {unique}")
        }
        Event::TimedOut { handle, unique } => {
            let (handle, unique) = (handle.escape_ascii(), unique.escape_ascii());
            format!("Worker timeout reached on job, requeueing: {handle} {unique}")
        }
        Event::Refused { code, text } => format!("GEARMAN_{code}:{text}"),
    };
    Some(LogLine { level, text })
}

/// A reader that does not read.
pub(super) fn cut_off(conn: ConnId, name: &str, limit: usize) -> LogLine {
    let text = format!(
        "connection {} is cut off: it does not read what it is sent, and the limit ({name}) is {limit} bytes",
        conn.slot()
    );
    LogLine { level: Level::WARN, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_repeat_are_counted() {
        let repeats = Repeats::default();
        let at = |millis| repeats.next(Duration::from_millis(millis));
        assert_eq!(at(5).as_deref(), Some(""));
        assert_eq!(at(5), None);
        assert_eq!(at(1004), None);
        assert_eq!(at(1005).as_deref(), Some(" (2 more like it before)"));
        assert_eq!(at(1006), None);
        assert_eq!(at(9000).as_deref(), Some(" (1 more like it before)"));
        assert_eq!(at(99_000).as_deref(), Some(""));
    }
}
