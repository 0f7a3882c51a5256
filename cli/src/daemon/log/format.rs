//! How lines look: gearmand's, and JSON.

use std::fmt::{self, Write as _};

use lineshaft::types::LogLevel;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::levels::level_of;
use crate::surroundings;

/// The longest line of gearmand's format and the longest message elsewhere, in bytes; what is longer is cut.
pub(super) const MAX_LINE: usize = 2048;

/// What the names of the server's I/O threads begin with; a number from 0 on follows.
const IO_THREAD: &str = "lineshaft-io-";

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// As gearmand writes it.
    Gearmand,
    /// As `tracing-subscriber` writes it, the time in UTC.
    Plain,
    /// One object a line.
    Json,
}

/// `   INFO 2026-11-21 20:20:19.000000 [  main ] text`, and ` -> file:line` behind it at every level but INFO.
pub(super) struct GearmandLine;

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
        let level = level_of(about);
        let time = surroundings::local_time().strftime("%Y-%m-%d %H:%M:%S.%6f");
        let mut line = format!("{:>7} {time} {} ", level.name(), thread_tag(std::thread::current().name()));
        event.record(&mut Words(&mut line));
        if let (true, Some(file), Some(number)) = (level != LogLevel::Info, about.file(), about.line()) {
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

/// `{"time":"2026-11-21T20:20:19.000000Z","level":"INFO","target":"lineshaft::net","thread":"lineshaft-io-0","message":"text"}`; fields
/// of the event stand behind these.
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
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
        let time = surroundings::local_time().timestamp().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
        let mut line = Map::new();
        line.insert("time".into(), json!(time));
        line.insert("level".into(), json!(level_of(event.metadata()).name()));
        line.insert("target".into(), json!(event.metadata().target()));
        line.insert("thread".into(), json!(std::thread::current().name()));
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The message of an event alone, cut to [`MAX_LINE`].
pub(super) fn message(event: &Event<'_>) -> String {
    let mut text = String::new();
    event.record(&mut Words(&mut text));
    text.truncate(text.floor_char_boundary(MAX_LINE));
    text
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

struct Fields<'a>(&'a mut Map<String, Value>);

impl Visit for Fields<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = format!("{value:?}");
        text.truncate(text.floor_char_boundary(MAX_LINE));
        self.0.insert(field.name().to_owned(), text.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_the_tags_of_gearmand() {
        assert_eq!(thread_tag(Some("main")), "[  main ]");
        assert_eq!(thread_tag(Some("lineshaft-io-0")), "[     1 ]");
        assert_eq!(thread_tag(Some("lineshaft-clock")), "[  proc ]");
    }
}
