//! What is submitted.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Data, Limits, Schedule, Submit, When, check_function};
use crate::types::Priority;

/// What makes two submissions of one function the same job, as long as that job lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unique<'a> {
    /// Nothing: every submission is a job of its own.
    #[default]
    None,
    /// The workload: submissions with equal workloads become one job. It travels as `-`.
    Workload,
    /// This key, 1 to 64 bytes without NUL.
    Key(&'a [u8]),
}

impl<'a> From<&'a str> for Unique<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key.as_bytes())
    }
}

impl<'a> From<&'a String> for Unique<'a> {
    fn from(key: &'a String) -> Self {
        Self::Key(key.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Unique<'a> {
    fn from(key: &'a [u8]) -> Self {
        Self::Key(key)
    }
}

/// When a submission is to run.
#[derive(Clone, Debug, Default)]
enum Start {
    #[default]
    Now,
    At(i64),
    In(Duration),
    Schedule(Box<str>),
}

/// A job to be submitted, with all that can be said about it. Made by a client's `job` method, or by [`Submission::new`]
/// where many are handed over at once.
///
/// Nothing is checked before it is sent; then [`ErrorKind::InvalidArgument`], [`ErrorKind::InvalidFunctionName`],
/// [`ErrorKind::ArgumentTooLarge`] or [`ErrorKind::DataTooLarge`] says what is wrong.
#[derive(Clone, Debug)]
#[must_use = "a submission does nothing before it is sent"]
pub struct Submission<'a, C = ()> {
    /// The client that will send it; `()` where it stands for itself.
    pub(super) client: C,
    function: &'a [u8],
    unique: Unique<'a>,
    priority: Priority,
    background: bool,
    start: Start,
    reducer: Option<&'a [u8]>,
    workload: Data<'a>,
    timeout: Option<Duration>,
}

impl<'a> Submission<'a> {
    /// A foreground job of normal priority, to run now, without a unique.
    pub fn new(function: &'a (impl AsRef<[u8]> + ?Sized), workload: impl Into<Data<'a>>) -> Self {
        Submission::of((), function, workload)
    }
}

impl<'a, C> Submission<'a, C> {
    pub(super) fn of(
        client: C,
        function: &'a (impl AsRef<[u8]> + ?Sized),
        workload: impl Into<Data<'a>>,
    ) -> Self {
        Self {
            client,
            function: function.as_ref(),
            unique: Unique::None,
            priority: Priority::Normal,
            background: false,
            start: Start::Now,
            reducer: None,
            workload: workload.into(),
            timeout: None,
        }
    }

    /// High priority: before all jobs of normal priority.
    pub fn high(self) -> Self {
        self.priority(Priority::High)
    }

    /// Low priority: after all jobs of normal priority.
    pub fn low(self) -> Self {
        self.priority(Priority::Low)
    }

    /// The priority. The default is [`Priority::Normal`], which is all that epoch, scheduled and reduce jobs can have.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// What makes this submission the same job as another. The default is [`Unique::None`]. A submission that meets a live job
    /// gets that job's handle and, in the foreground, its result; its own workload and priority are dropped.
    pub fn unique(mut self, unique: impl Into<Unique<'a>>) -> Self {
        self.unique = unique.into();
        self
    }

    /// Nobody waits for the result: the task is over when the server has the job, which it keeps when the client leaves.
    pub fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// To run from `time` on, to the second; in the background. A time that has passed means at once.
    pub fn at(mut self, time: SystemTime) -> Self {
        let epoch = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => seconds_up(since),
            Err(_) => 0,
        };
        self.start = Start::At(epoch);
        self
    }

    /// As [`Submission::at`], as a Unix second.
    pub fn epoch(mut self, second: i64) -> Self {
        self.start = Start::At(second);
        self
    }

    /// To run when `delay` has passed, to the second and never earlier; in the background. The client's clock decides.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.start = Start::In(delay);
        self
    }

    /// To run again and again by a cron line of five fields, as `*/5 * * * *`: minute, hour, day of month, month, day of week;
    /// in the background, until it is cancelled through the admin protocol. **The day of week counts from 0 = Monday** to
    /// 6 = Sunday, as the Gearman protocol has it, not from Sunday as cron has. gearmand refuses such jobs.
    pub fn schedule(mut self, line: &str) -> Self {
        self.start = Start::Schedule(line.into());
        self
    }

    /// A map/reduce job: `reducer` is the function that the worker submits the pieces to.
    pub fn reduce(mut self, reducer: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.reducer = Some(reducer.as_ref());
        self
    }

    /// How long its task may take, from now until its last event; then the task ends with [`ErrorKind::Timeout`] while the
    /// job may run on. The default is the client's `task_timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(super) const fn own_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Checks everything and hands the packet to `then`. `unix` tells the time since 1970.
    pub(super) fn packet<R>(
        &self,
        limits: &Limits,
        unix: impl FnOnce() -> Duration,
        then: impl FnOnce(Submit<'_>) -> R,
    ) -> Result<R> {
        check_function("submit", self.function, limits)?;
        let unique: &[u8] = match self.unique {
            Unique::None => b"",
            Unique::Workload => b"-",
            Unique::Key(key) => {
                let limit = limits.max_unique;
                check(!key.is_empty(), "the unique is empty; leave it out or use Unique::None")?;
                check(!key.contains(&0), "the unique holds a NUL byte")?;
                if key.len() > limit {
                    return Err(too_long("the unique", key.len(), limit));
                }
                key
            }
        };
        if let Some(reducer) = self.reducer {
            check_function("submit", reducer, limits)?;
            if reducer.len() > limits.max_unique {
                return Err(too_long("the reducer", reducer.len(), limits.max_unique));
            }
        }
        let plain = self.priority == Priority::Normal && matches!(self.start, Start::Now);
        check(plain || self.reducer.is_none(), "a reduce job has no priority and no time")?;
        let timed = !matches!(self.start, Start::Now);
        check(
            !timed || self.priority == Priority::Normal,
            "a job with a time or a schedule has no priority of its own",
        )?;
        let room = limits.max_packet.saturating_sub(self.function.len() + unique.len() + 256);
        if self.workload.len() > room {
            let detail = format!("the workload has {} bytes, the limit is {room}", self.workload.len());
            return Err(Error::new(ErrorKind::DataTooLarge, "submit", detail));
        }
        let fields;
        let when = match &self.start {
            Start::Now => When::Now,
            Start::At(second) => When::Epoch(*second),
            Start::In(delay) => When::Epoch(seconds_up(unix().saturating_add(*delay))),
            Start::Schedule(line) => {
                fields = line.split_whitespace().collect::<Vec<_>>().join("\0");
                let schedule = Schedule::new(fields.as_bytes()).filter(|schedule| {
                    schedule.fields().all(|field| !field.is_empty() && field.iter().all(|byte| *byte != 0))
                });
                let why = "a schedule has five fields: minute, hour, day of month, month, day of week";
                When::Schedule(schedule.ok_or_else(|| invalid(why))?)
            }
        };
        Ok(then(Submit {
            function: self.function,
            unique,
            priority: self.priority,
            background: self.background || timed,
            when,
            reducer: self.reducer,
            workload: self.workload.reborrow(),
        }))
    }
}

/// Whole seconds, rounded up: a job never runs too early.
fn seconds_up(time: Duration) -> i64 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "submit", why)
}

fn check(fine: bool, why: &str) -> Result<()> {
    if fine { Ok(()) } else { Err(invalid(why)) }
}

fn too_long(what: &str, length: usize, limit: usize) -> Error {
    let detail = format!("{what} has {length} bytes, the limit is {limit}");
    Error::new(ErrorKind::ArgumentTooLarge, "submit", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Command;

    fn command(submission: Submission<'_>) -> Result<(Command, Option<String>)> {
        let unix = || Duration::from_millis(1_000_500);
        submission.packet(&Limits::default(), unix, |submit| {
            let when = match submit.when {
                When::Now => None,
                When::Epoch(second) => Some(second.to_string()),
                When::Schedule(schedule) => Some(schedule.as_bytes().escape_ascii().to_string()),
            };
            (submit.command(), when)
        })
    }

    fn job<'a>() -> Submission<'a> {
        Submission::new("f", "w")
    }

    #[test]
    fn every_kind_of_submission_has_its_packet() {
        let of = |submission| command(submission).unwrap();
        assert_eq!(of(job()), (Command::SubmitJob, None));
        assert_eq!(of(job().high()), (Command::SubmitJobHigh, None));
        assert_eq!(of(job().low().background()), (Command::SubmitJobLowBg, None));
        assert_eq!(of(job().reduce("r")), (Command::SubmitReduceJob, None));
        assert_eq!(of(job().reduce("r").background()), (Command::SubmitReduceJobBackground, None));
        assert_eq!(of(job().epoch(77)), (Command::SubmitJobEpoch, Some("77".into())));
        let late = SystemTime::UNIX_EPOCH + Duration::from_millis(76_001);
        assert_eq!(of(job().at(late)), (Command::SubmitJobEpoch, Some("77".into())));
        let delayed = job().delay(Duration::from_millis(2_600));
        assert_eq!(of(delayed), (Command::SubmitJobEpoch, Some("1004".into())));
        let cron = job().schedule(" */5  1 * * 0-4 ");
        assert_eq!(of(cron), (Command::SubmitJobSched, Some(r"*/5\x001\x00*\x00*\x000-4".into())));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let kind = |submission| command(submission).unwrap_err().kind();
        let (long, wide) = ("f".repeat(513), "u".repeat(65));
        assert_eq!(kind(Submission::new("", "w")), ErrorKind::InvalidFunctionName);
        assert_eq!(kind(Submission::new("a\0b", "w")), ErrorKind::InvalidFunctionName);
        assert_eq!(kind(Submission::new(&long, "w")), ErrorKind::InvalidFunctionName);
        assert_eq!(kind(job().unique("")), ErrorKind::InvalidArgument);
        assert_eq!(kind(job().unique("a\0")), ErrorKind::InvalidArgument);
        assert_eq!(kind(job().unique(&wide)), ErrorKind::ArgumentTooLarge);
        assert_eq!(kind(job().high().epoch(1)), ErrorKind::InvalidArgument);
        assert_eq!(kind(job().low().reduce("r")), ErrorKind::InvalidArgument);
        assert_eq!(kind(job().schedule("* * * *")), ErrorKind::InvalidArgument);
        assert_eq!(kind(job().schedule("* * * * * *")), ErrorKind::InvalidArgument);
        assert_eq!(kind(Submission::new("f", vec![0; 64 << 20])), ErrorKind::DataTooLarge);
    }
}
