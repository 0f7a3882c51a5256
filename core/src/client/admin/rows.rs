//! The lines of admin answers, taken apart.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};

/// A line of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionStatus {
    /// The function.
    pub function: Bytes,
    /// Its jobs: queued, running, and not yet due.
    pub total: u64,
    /// Those of them that run.
    pub running: u64,
    /// How many workers can do it.
    pub workers: u64,
}

/// A line of `prioritystatus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityStatus {
    /// The function.
    pub function: Bytes,
    /// Queued jobs of high priority.
    pub high: u64,
    /// Queued jobs of normal priority.
    pub normal: u64,
    /// Queued jobs of low priority.
    pub low: u64,
    /// How many workers can do it.
    pub workers: u64,
}

/// A line of `workers`: a connection, of whatever kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The server's number for the connection.
    pub descriptor: i64,
    /// Where the peer is.
    pub address: String,
    /// What it calls itself; `-` where it has said nothing.
    pub client_id: String,
    /// What it can do; nothing for clients.
    pub functions: Vec<Bytes>,
}

/// A line of `show jobs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// The job.
    pub handle: Bytes,
    /// How often it has been given back.
    pub retries: u64,
    /// It has been cancelled or abandoned.
    pub ignored: bool,
    /// It was submitted in the background.
    pub persisted: bool,
}

/// A line of `show schedules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// The handle that SUBMIT_JOB_SCHED was answered with; cancel it to end the schedule.
    pub handle: Bytes,
    /// What is submitted each time.
    pub function: Bytes,
    /// The unique of what is submitted.
    pub unique: Bytes,
    /// Minute, hour, day of month, month, day of week (0 is Monday).
    pub fields: String,
    /// The Unix second of the next time; `None` where there is none.
    pub next: Option<i64>,
    /// How often it has been submitted.
    pub fired: u64,
    /// How often a time has passed without a submission, because the last job was not done.
    pub skipped: u64,
}

/// The line of `show store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRow {
    /// What it is, and where.
    pub store: String,
    /// Why it fails at the moment, so that background jobs are refused or have to wait; `None` while all is well.
    pub failing: Option<String>,
}

/// A line of `explain`: why a job, or the next job of a function, does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplanationRow {
    /// The handle or function.
    pub about: Bytes,
    /// The reason in a word that programs may compare: that of [`broker::Reason::code`](crate::broker::Reason::code).
    pub reason: String,
    /// The same in sentences, with what to do about it.
    pub text: String,
}

/// A row of an admin answer.
pub(super) trait Row: Sized {
    /// `None` where the line is no such row.
    fn read(line: &Bytes) -> Option<Self>;

    fn parse(line: &Bytes) -> Result<Self> {
        Self::read(line).ok_or_else(|| {
            let detail =
                format!("the server has answered a line that makes no sense: {}", line.escape_ascii());
            Error::new(ErrorKind::InvalidPacket, "admin", detail)
        })
    }
}

/// `N` fields between TABs; the first may hold TABs itself, as the names of functions may.
fn fields<const N: usize>(line: &Bytes) -> Option<[Bytes; N]> {
    let mut parts = line.rsplitn(N, |byte| *byte == b'\t');
    let mut fields = [const { Bytes::new() }; N];
    for field in fields.iter_mut().rev() {
        *field = line.slice_ref(parts.next()?);
    }
    Some(fields)
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Row for FunctionStatus {
    fn read(line: &Bytes) -> Option<Self> {
        let [function, total, running, workers] = fields(line)?;
        Some(Self {
            function,
            total: number(&total)?,
            running: number(&running)?,
            workers: number(&workers)?,
        })
    }
}

impl Row for PriorityStatus {
    fn read(line: &Bytes) -> Option<Self> {
        let [function, high, normal, low, workers] = fields(line)?;
        let [high, normal, low] = [number(&high)?, number(&normal)?, number(&low)?];
        Some(Self { function, high, normal, low, workers: number(&workers)? })
    }
}

impl Row for WorkerStatus {
    fn read(line: &Bytes) -> Option<Self> {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (descriptor, address, rest) = (words.next()?, words.next()?, words.next()?);
        // An identifier may hold blanks; what can be done stands behind the first lone colon.
        let colon = if rest.starts_with(b":") && (rest.len() == 1 || rest[1] == b' ') {
            0
        } else {
            let at = rest.windows(3).position(|window| window == b" : ");
            at.or_else(|| rest.ends_with(b" :").then(|| rest.len() - 2))? + 1
        };
        let functions = rest[colon + 1..].split(|byte| *byte == b' ').filter(|name| !name.is_empty());
        Some(Self {
            descriptor: number(descriptor)?,
            address: text(address),
            client_id: text(rest[..colon].trim_ascii_end()),
            functions: functions.map(|name| line.slice_ref(name)).collect(),
        })
    }
}

impl Row for JobRow {
    fn read(line: &Bytes) -> Option<Self> {
        let [handle, retries, ignored, persisted] = fields(line)?;
        let flag = |bytes: &[u8]| number::<u8>(bytes).map(|value| value != 0);
        Some(Self {
            handle,
            retries: number(&retries)?,
            ignored: flag(&ignored)?,
            persisted: flag(&persisted)?,
        })
    }
}

impl Row for ScheduleRow {
    fn read(line: &Bytes) -> Option<Self> {
        let [handle, function, unique, cron, next, fired, skipped] = fields(line)?;
        Some(Self {
            handle,
            function,
            unique,
            fields: text(&cron),
            next: number(&next),
            fired: number(&fired)?,
            skipped: number(&skipped)?,
        })
    }
}

impl Row for StoreRow {
    fn read(line: &Bytes) -> Option<Self> {
        let [store, health] = fields(line)?;
        let failing = Some(text(&health)).filter(|health| health != "ok");
        Some(Self { store: text(&store), failing })
    }
}

impl Row for ExplanationRow {
    fn read(line: &Bytes) -> Option<Self> {
        let [about, reason, sentences] = fields(line)?;
        Some(Self { about, reason: text(&reason), text: text(&sentences) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn rows_are_taken_apart() {
        let store = StoreRow::parse(&line("log /q\tok")).unwrap();
        assert_eq!((&*store.store, store.failing), ("log /q", None));
        let store = StoreRow::parse(&line("log /q\tno room: make some")).unwrap();
        assert_eq!(store.failing.as_deref(), Some("no room: make some"));
        assert!(StoreRow::parse(&line("")).is_err());
        let row = ExplanationRow::parse(&line("f\tno-worker\tf waits.")).unwrap();
        assert_eq!((row.about, &*row.reason, &*row.text), (line("f"), "no-worker", "f waits."));
        let status = FunctionStatus::parse(&line("a\tb\t3\t4294967295\t0")).unwrap();
        assert_eq!(
            status,
            FunctionStatus { function: line("a\tb"), total: 3, running: 4_294_967_295, workers: 0 }
        );
        let priorities = PriorityStatus::parse(&line("f\t1\t2\t3\t4")).unwrap();
        assert_eq!((priorities.high, priorities.normal, priorities.low, priorities.workers), (1, 2, 3, 4));
        let job = JobRow::parse(&line("H:vm:7\t2\t1\t0")).unwrap();
        assert_eq!((job.retries, job.ignored, job.persisted), (2, true, false));
        let schedule = ScheduleRow::parse(&line("H:vm:9\tf\t\t*/5 * * * 0\t1800000000\t12\t3")).unwrap();
        assert_eq!((schedule.fields.as_str(), schedule.next), ("*/5 * * * 0", Some(1_800_000_000)));
        assert_eq!((schedule.unique, schedule.fired, schedule.skipped), (line(""), 12, 3));
    }

    #[test]
    fn workers_have_blanks_in_their_names_and_none_at_all() {
        let of = |text| WorkerStatus::parse(&line(text)).unwrap();
        assert_eq!(of("37 127.0.0.1 - :").functions, Vec::<Bytes>::new());
        let busy = of("38 ::1 my worker : b a");
        assert_eq!(
            (busy.descriptor, busy.address.as_str(), busy.client_id.as_str()),
            (38, "::1", "my worker")
        );
        assert_eq!(busy.functions, [line("b"), line("a")]);
        assert_eq!(of("39 local  : f").client_id, "");
        assert_eq!(of("39 local : f").client_id, "");
    }

    #[test]
    fn nonsense_is_an_error_that_shows_the_line() {
        for text in ["", "f\t1\t2", "f\tx\t2\t3", "f\t-1\t2\t3"] {
            let error = FunctionStatus::parse(&line(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPacket);
            assert!(error.to_string().contains(&text.escape_default().to_string()));
        }
        for text in ["", "37", "37 a", "37 a -", "x a - :"] {
            assert!(WorkerStatus::parse(&line(text)).is_err(), "{text}");
        }
    }
}
