//! What a submission says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::{Map, Value};

use super::Problem;
use crate::protocol::{Data, Schedule, Submit, When};
use crate::types::Priority;

/// How long a foreground submission waits for its job where it does not say, and the most, in seconds.
pub(super) const WAIT: u64 = 60;
pub(super) const MAX_WAIT: u64 = 3600;

/// The words that are known.
const FIELDS: [&str; 14] = [
    "function",
    "function_base64",
    "workload",
    "workload_base64",
    "unique",
    "unique_base64",
    "reducer",
    "reducer_base64",
    "priority",
    "background",
    "run_at",
    "delay",
    "schedule",
    "timeout",
];

/// A submission that has been read.
#[derive(Debug)]
pub(super) struct Submission {
    function: Vec<u8>,
    workload: Vec<u8>,
    unique: Vec<u8>,
    reducer: Option<Vec<u8>>,
    priority: Priority,
    pub(super) background: bool,
    start: Start,
    pub(super) timeout: Duration,
}

#[derive(Debug)]
enum Start {
    Now,
    At(i64),
    In(u64),
    /// The fields, separated by NULs.
    Schedule(String),
}

impl Submission {
    /// Reads the body of a request.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let wrong = |error| {
            Problem::new(StatusCode::BAD_REQUEST, "not_json", format!("The body is no JSON: {error}"))
        };
        let Value::Object(body) = serde_json::from_slice(body).map_err(wrong)? else {
            return Err(Problem::bad("The body is no JSON object"));
        };
        if let Some(stranger) = body.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let (stranger, known) = (stranger.escape_default(), FIELDS.join(", "));
            let text = format!("A submission has no '{stranger}'; it has {known}");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "unknown_field", text));
        }
        let body = Fields(body);
        let function = body.bytes("function")?.filter(|name| !name.is_empty());
        let function = function.ok_or_else(|| {
            let text = "A submission names its function: \"function\", or \"function_base64\"";
            Problem::new(StatusCode::BAD_REQUEST, "missing_field", text)
        })?;
        let start = body.start()?;
        let timed = !matches!(start, Start::Now);
        let background = body.flag("background")?.unwrap_or(timed);
        if timed && !background {
            return Err(Problem::bad("A job with run_at, delay or schedule runs in the background"));
        }
        let timeout = body.number("timeout", MAX_WAIT)?;
        if background && timeout.is_some() {
            return Err(Problem::bad("Nobody waits for a background job: leave 'timeout' out"));
        }
        let (priority, reducer) = (body.priority()?, body.bytes("reducer")?);
        if priority.is_some_and(|priority| priority != Priority::Normal) && (timed || reducer.is_some()) {
            return Err(Problem::bad("A job with a time or a reducer has no priority of its own"));
        }
        if timed && reducer.is_some() {
            return Err(Problem::bad("A job with a reducer has no time of its own"));
        }
        Ok(Self {
            function,
            workload: body.bytes("workload")?.unwrap_or_default(),
            unique: body.bytes("unique")?.unwrap_or_default(),
            reducer,
            priority: priority.unwrap_or_default(),
            background,
            start,
            timeout: Duration::from_secs(timeout.unwrap_or(WAIT)),
        })
    }

    /// The packet, at the Unix time `wall`.
    pub(super) fn packet(&self, wall: Duration) -> Submit<'_> {
        let when = match &self.start {
            Start::Now => When::Now,
            Start::At(second) => When::Epoch(*second),
            Start::In(seconds) => {
                // The next whole second: a job never runs too early.
                let due = wall.as_secs().saturating_add(u64::from(wall.subsec_nanos() > 0));
                When::Epoch(i64::try_from(due.saturating_add(*seconds)).unwrap_or(i64::MAX))
            }
            Start::Schedule(fields) => Schedule::new(fields.as_bytes()).map_or(When::Now, When::Schedule),
        };
        Submit {
            function: &self.function,
            unique: &self.unique,
            priority: self.priority,
            background: self.background,
            when,
            reducer: self.reducer.as_deref(),
            workload: Data::from(&self.workload),
        }
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| Problem::bad(format_args!("'{name}' is not a string")))
    }

    /// Text under `name`, or base64 under `name_base64`.
    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let coded = format!("{name}_base64");
        match (self.text(name)?, self.text(&coded)?) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some(text.as_bytes().into())),
            (None, Some(text)) => match STANDARD.decode(text) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => Err(Problem::bad(format_args!("'{coded}' is not base64: {error}"))),
            },
            (Some(_), Some(_)) => {
                Err(Problem::bad(format_args!("'{name}' and '{coded}' say the same: leave one out")))
            }
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| Problem::bad(format_args!("'{name}' is true or false")))
    }

    fn number(&self, name: &str, max: u64) -> Result<Option<u64>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| *number <= max);
        let wrong = || Problem::bad(format_args!("'{name}' is a whole number from 0 to {max}"));
        number.map(Some).ok_or_else(wrong)
    }

    fn priority(&self) -> Result<Option<Priority>, Problem> {
        match self.text("priority")? {
            None => Ok(None),
            Some("high") => Ok(Some(Priority::High)),
            Some("normal") => Ok(Some(Priority::Normal)),
            Some("low") => Ok(Some(Priority::Low)),
            Some(_) => Err(Problem::bad("'priority' is high, normal or low")),
        }
    }

    fn start(&self) -> Result<Start, Problem> {
        let far = i64::MAX.unsigned_abs();
        let at = self.number("run_at", far)?.map(|second| Start::At(second.try_into().unwrap_or(i64::MAX)));
        let delay = self.number("delay", far)?.map(Start::In);
        let schedule = match self.text("schedule")? {
            None => None,
            Some(line) => {
                let fields: Vec<&str> = line.split_whitespace().collect();
                if fields.len() != Schedule::FIELDS || line.contains('\0') {
                    let text = "'schedule' has five fields: minute, hour, day of month, month, day of week (0 is Monday)";
                    return Err(Problem::bad(text));
                }
                Some(Start::Schedule(fields.join("\0")))
            }
        };
        let mut given = [at, delay, schedule].into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(_), Some(_)) => Err(Problem::bad("Of run_at, delay and schedule there can be one")),
            (one, _) => Ok(one.unwrap_or(Start::Now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Submission, &'static str> {
        Submission::read(body.as_bytes()).map_err(|problem| problem.code)
    }

    #[test]
    fn all_that_can_be_said_arrives() {
        let body = r#"{"function": "f", "workload_base64": "/wA=", "unique": "u", "priority": "high", "timeout": 5}"#;
        let one = read(body).unwrap();
        let packet = one.packet(Duration::ZERO);
        assert_eq!((packet.function, packet.unique, packet.priority), (&b"f"[..], &b"u"[..], Priority::High));
        assert_eq!((&*packet.workload, packet.background, packet.when), (&b"\xff\0"[..], false, When::Now));
        assert_eq!(one.timeout, Duration::from_secs(5));
    }

    #[test]
    fn times_put_a_job_into_the_background() {
        let when = |body: &str| {
            let one = read(body).unwrap();
            assert!(one.background);
            let When::Epoch(at) = one.packet(Duration::from_millis(10_001)).when else { panic!("{body}") };
            at
        };
        assert_eq!(when(r#"{"function": "f", "run_at": 99}"#), 99);
        assert_eq!(when(r#"{"function": "f", "delay": 5}"#), 16, "never too early");
        assert_eq!(when(r#"{"function": "f", "delay": 9223372036854775807}"#), i64::MAX);
        let one = read(r#"{"function": "f", "schedule": "*/5  * * * 0"}"#).unwrap();
        let When::Schedule(schedule) = one.packet(Duration::ZERO).when else { panic!("{one:?}") };
        assert_eq!(schedule.as_bytes(), b"*/5\0*\0*\0*\x000");
    }

    #[test]
    fn mistakes_are_named() {
        for (body, code) in [
            ("", "not_json"),
            ("{", "not_json"),
            ("[]", "bad_request"),
            ("{}", "missing_field"),
            (r#"{"function": ""}"#, "missing_field"),
            (r#"{"function": 1}"#, "bad_request"),
            (r#"{"function": "f", "functions": 1}"#, "unknown_field"),
            (r#"{"function": "f", "function_base64": "Zg=="}"#, "bad_request"),
            (r#"{"function_base64": "Z"}"#, "bad_request"),
            (r#"{"function": "f", "priority": "urgent"}"#, "bad_request"),
            (r#"{"function": "f", "priority": "high", "delay": 1}"#, "bad_request"),
            (r#"{"function": "f", "run_at": 1, "delay": 1}"#, "bad_request"),
            (r#"{"function": "f", "run_at": -1}"#, "bad_request"),
            (r#"{"function": "f", "run_at": 1.5}"#, "bad_request"),
            (r#"{"function": "f", "schedule": "* * *"}"#, "bad_request"),
            (r#"{"function": "f", "schedule": "* * * * *", "background": false}"#, "bad_request"),
            (r#"{"function": "f", "background": "yes"}"#, "bad_request"),
            (r#"{"function": "f", "background": true, "timeout": 1}"#, "bad_request"),
            (r#"{"function": "f", "timeout": 3601}"#, "bad_request"),
            (r#"{"function": "f", "reducer": "r", "delay": 1}"#, "bad_request"),
        ] {
            assert_eq!(read(body).err(), Some(code), "{body}");
        }
    }
}
