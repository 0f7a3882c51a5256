//! A job as a line of JSON. docs/stores.md has the table of fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lineshaft::store::StoredJob;
use lineshaft::types::Priority;
use serde_json::{Map, Value, json};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Job(Draft),
    /// Numbers up to this one may have been used.
    Counter(u64),
}

/// A job with bytes of its own, and without a number where the line has none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) number: Option<u64>,
    function: Vec<u8>,
    unique: Vec<u8>,
    reducer: Option<Vec<u8>>,
    priority: Priority,
    due: u64,
    returns: u16,
    schedule: u64,
    cron: Option<Vec<u8>>,
    workload: Vec<u8>,
}

impl Draft {
    pub(super) fn job(&self, number: u64) -> StoredJob<'_> {
        StoredJob {
            number,
            function: &self.function,
            unique: &self.unique,
            reducer: self.reducer.as_deref(),
            priority: self.priority,
            due: self.due,
            returns: self.returns,
            schedule: self.schedule,
            cron: self.cron.as_deref(),
            workload: (&self.workload).into(),
        }
    }
}

/// The counter as a line, without its end.
pub(super) fn counter_line(number: u64) -> String {
    json!({ "counter": number }).to_string()
}

/// A job as a line, without its end. Fields that have their usual value are left out.
pub(super) fn job_line(job: &StoredJob<'_>) -> String {
    let StoredJob { number, function, unique, reducer, priority, due, returns, schedule, cron, workload } =
        job;
    let mut line = format!("{{\"number\":{number},\"function\":{}", value(function));
    let mut field = |name: &str, value: Value| line.push_str(&format!(",\"{name}\":{value}"));
    if !unique.is_empty() {
        field("unique", value(unique));
    }
    if *priority != Priority::Normal {
        field("priority", word(*priority).into());
    }
    for (name, number) in [("due", *due), ("returns", u64::from(*returns)), ("schedule", *schedule)] {
        if number != 0 {
            field(name, number.into());
        }
    }
    for (name, bytes) in [("reducer", reducer), ("cron", cron)] {
        if let Some(bytes) = bytes {
            field(name, value(bytes));
        }
    }
    field("workload", value(workload));
    line.push('}');
    line
}

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Result<Line, String> {
    let fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("no JSON object: {error}"))?;
    if let (1, Some(counter)) = (fields.len(), fields.get("counter")) {
        return number("counter", counter).map(Line::Counter);
    }
    let mut job = Draft::default();
    for (name, value) in &fields {
        match name.as_str() {
            "number" => job.number = Some(number(name, value)?),
            "function" => job.function = plain(name, value)?,
            "unique" => job.unique = plain(name, value)?,
            "reducer" => job.reducer = Some(plain(name, value)?),
            "cron" => job.cron = Some(bytes(name, value)?),
            "workload" => job.workload = bytes(name, value)?,
            "priority" => {
                let named = |priority: &Priority| value.as_str() == Some(word(*priority));
                let priority = Priority::ALL.into_iter().find(named);
                job.priority = priority.ok_or("\"priority\" is high, normal or low")?;
            }
            "due" => job.due = number(name, value)?,
            "schedule" => job.schedule = number(name, value)?,
            "returns" => {
                let returns = u16::try_from(number(name, value)?);
                job.returns = returns.map_err(|_| "\"returns\" is 65535 at the most")?;
            }
            other => return Err(format!("a job has no field {other:?}")),
        }
    }
    match () {
        () if job.function.is_empty() => Err("a job has a \"function\"".into()),
        // The last one is what a queue could not count beyond.
        () if matches!(job.number, Some(0 | u64::MAX)) => Err("a number is 1 at least".into()),
        () => Ok(Line::Job(job)),
    }
}

/// What people call it.
pub(super) fn word(priority: Priority) -> &'static str {
    ["high", "normal", "low"][priority.index()]
}

/// Text where it is UTF-8, else an object that says what it is.
fn value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn bytes(name: &str, value: &Value) -> Result<Vec<u8>, String> {
    if let Value::String(text) = value {
        return Ok(text.clone().into_bytes());
    }
    let encoded =
        value.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("base64"));
    let decoded = encoded.and_then(Value::as_str).map(|text| STANDARD.decode(text));
    match decoded {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => Err(format!("{name:?} is no base64: {error}")),
        None => Err(format!("{name:?} is a text, or {{\"base64\": TEXT}}")),
    }
}

/// Bytes of a packet's argument.
fn plain(name: &str, value: &Value) -> Result<Vec<u8>, String> {
    let bytes = bytes(name, value)?;
    if bytes.contains(&0) { Err(format!("{name:?} cannot have NULs")) } else { Ok(bytes) }
}

fn number(name: &str, value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{name:?} is a number from 0 on"))
}

#[cfg(test)]
mod tests {
    use super::super::jobs::tests::job;
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        let all: Vec<u8> = (0..=255).collect();
        let jobs = [
            job(1),
            StoredJob { unique: b"", workload: (&[]).into(), ..job(u64::MAX - 1) },
            StoredJob {
                function: &all[1..],
                unique: "\u{e4}\"\\".as_bytes(),
                reducer: Some(b""),
                priority: Priority::High,
                due: u64::MAX,
                returns: 65_535,
                schedule: 7,
                cron: Some(b"0\x001\0\0\0"),
                workload: (&all).into(),
                ..job(9)
            },
            StoredJob { priority: Priority::Low, workload: b"\0\n".into(), ..job(2) },
        ];
        for job in jobs {
            let line = job_line(&job);
            assert!(!line.contains('\n'));
            let Ok(Line::Job(draft)) = parse(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(draft.number, Some(job.number));
            assert_eq!(draft.job(job.number), job, "{line}");
        }
        assert_eq!(job_line(&job(3)), r#"{"number":3,"function":"f","unique":"u","workload":"work"}"#);
        assert_eq!(parse(counter_line(70).as_bytes()), Ok(Line::Counter(70)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, why) in [
            ("[1]", "no JSON object"),
            ("{}", "a job has a \"function\""),
            (r#"{"function":""}"#, "a job has a \"function\""),
            (r#"{"function":"f","number":0}"#, "a number is 1 at least"),
            (r#"{"function":"f","number":-1}"#, "\"number\" is a number from 0 on"),
            (r#"{"function":"f","prio":1}"#, "a job has no field \"prio\""),
            (r#"{"function":"f","counter":1}"#, "a job has no field \"counter\""),
            (r#"{"function":"f","priority":"urgent"}"#, "is high, normal or low"),
            (r#"{"function":"f","returns":65536}"#, "65535"),
            (r#"{"function":"f","workload":5}"#, "\"workload\" is a text, or"),
            (r#"{"function":"f","workload":{"base64":"*"}}"#, "\"workload\" is no base64"),
            (r#"{"function":{"base64":"AA=="}}"#, "\"function\" cannot have NULs"),
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
