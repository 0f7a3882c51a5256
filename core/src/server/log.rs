//! Lines for the log, made under the lock only where somebody wants them, and written after it.

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
