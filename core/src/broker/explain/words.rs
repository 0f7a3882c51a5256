//! Explanations as sentences.

use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

use jiff::Timestamp;

use super::{Explanation, Holder, MOST, Note, Reason, Workers};

impl Reason {
    /// The reason in a word that stays the same, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "foreign",
            Self::Ended { .. } => "ended",
            Self::NeverGiven { .. } => "never-given",
            Self::UnknownFunction { .. } => "unknown-function",
            Self::NothingWaits { .. } => "nothing-waits",
            Self::Schedule { .. } => "schedule",
            Self::NotDue { .. } => "not-due",
            Self::Running { .. } => "running",
            Self::Draining => "draining",
            Self::NoWorker { .. } => "no-worker",
            Self::NotLooked { .. } => "not-looked",
            Self::Workers(workers) => workers.code(),
        }
    }
}

impl Workers {
    /// They have been woken, and too long ago.
    fn do_not_come(&self) -> bool {
        self.woken > 0 && self.longest_woken > self.grace
    }

    const fn is_busy(&self) -> bool {
        self.busy > 0 && self.woken == 0 && self.silent == 0
    }

    fn code(&self) -> &'static str {
        if self.is_busy() {
            "busy"
        } else if self.do_not_come() {
            "woken-stay-away"
        } else if self.woken > 0 {
            "woken"
        } else {
            "silent"
        }
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let about = Bytes(&self.about);
        let whose = match &self.function {
            Some(function) if *function != self.about => format!(" of {}", Bytes(function)),
            _ => String::new(),
        };
        match &self.reason {
            Reason::Foreign { prefix } => write!(
                f,
                "{about} is no handle of this server, whose handles begin with {prefix}: ask the server that gave it, or look at its --job-handle-prefix."
            ),
            Reason::Ended { last } => write!(
                f,
                "{about} is not here any more: it is done, has failed, was cancelled or dropped, or its clients have gone; or its number was passed over by a restart (numbers up to {last} have been given)."
            ),
            Reason::NeverGiven { last } => write!(
                f,
                "{about} has never been given by this server, whose last number is {last}: ask another server, or look at where the handle comes from."
            ),
            Reason::UnknownFunction { like: None } => write!(
                f,
                "There is no function {about}: since the server began, or since the function was dropped, nobody has submitted a job to it and no worker has registered for it."
            ),
            Reason::UnknownFunction { like: Some(like) } => write!(
                f,
                "There is no function {about}, but one called {}: names are told apart by case.",
                Bytes(like)
            ),
            Reason::NothingWaits { running, workers } => {
                write!(
                    f,
                    "No job of {about} waits: {} and {}.",
                    Count(*running, "runs", "run"),
                    Registered(*workers)
                )
            }
            Reason::Schedule { next, left, fired, skipped } => write!(
                f,
                "{about} is a schedule{whose}: its next job is due {} (in {}). It has made {fired} so far and passed over {skipped}, whose time came while the one before was not done.",
                Moment(*next),
                Span(Duration::from_secs(*left))
            ),
            Reason::NotDue { due, left, at_least } => write!(
                f,
                "{about}{whose} waits for its time, {}{} (in {}): its client has asked for that.",
                if *at_least { "not before " } else { "" },
                Moment(*due),
                Span(Duration::from_secs(*left))
            ),
            Reason::Running { holder, progress, left } => {
                write!(f, "{about}{whose} runs: {} has had it for {}", Who(holder), Span(holder.held))?;
                if progress.denominator > 0 {
                    write!(f, " and has reported {} of {}", progress.numerator, progress.denominator)?;
                }
                match left {
                    Some(left) => {
                        write!(f, "; unless it ends in {}, it is given to another worker.", Span(*left))
                    }
                    None => f.write_str(
                        "; there is no limit on its time, so it has it until it ends or goes away.",
                    ),
                }
            }
            Reason::Draining => write!(
                f,
                "{about}{whose} waits because the server is being stopped and hands out no more jobs: what is in a store runs after its restart."
            ),
            Reason::NoWorker { since: None } => write!(
                f,
                "{about}{whose} waits for a worker: none has registered since the server began. Start one, and look whether it registers by exactly this name."
            ),
            Reason::NoWorker { since: Some(since) } => write!(
                f,
                "{about}{whose} waits for a worker: the last one went away {} ago. Start one again.",
                Span(*since)
            ),
            Reason::NotLooked { workers } => write!(
                f,
                "{about}{whose} waits, and {}: ask for this function alone to hear what they do.",
                Registered(*workers)
            ),
            Reason::Workers(workers) => write!(f, "{about}{whose} waits: {workers}"),
        }?;
        self.notes.iter().try_for_each(|note| write!(f, " {note}"))
    }
}

impl Display for Workers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_busy() {
            match self.busy {
                1 => f.write_str("the one worker is busy")?,
                busy => write!(f, "all {busy} workers are busy")?,
            }
            for (at, holder) in self.holders.iter().enumerate() {
                let comma = if at > 0 { ", " } else { ": " };
                let (function, held) = (Bytes(&holder.function), Span(holder.held));
                write!(f, "{comma}{} with {} of {function} for {held}", Who(holder), holder.handle)?;
            }
            let more = (self.busy as usize).saturating_sub(self.holders.len());
            if more > 0 && !self.holders.is_empty() {
                write!(f, ", and {more} more")?;
            }
            return f.write_str(". Wait, or start more workers.");
        }
        if self.do_not_come() {
            let names: Vec<String> = self.absent.iter().map(|(peer, id)| named(peer, id)).collect();
            let have = if self.woken == 1 { "worker has" } else { "workers have" };
            let names = names.join(", ");
            return write!(
                f,
                "{} {have} been woken and not come, the first for {} ({names}): hung, stopped, or busy with jobs of another server. Look at them, or restart them.",
                self.woken,
                Span(self.longest_woken)
            );
        }
        if self.woken > 0 {
            return write!(
                f,
                "{} has just been told of it, and is to come any moment.",
                Count(self.woken, "worker", "workers")
            );
        }
        write!(
            f,
            "{} connected, without a job, and not asking for one{}: busy with jobs of another server, or hung.",
            Count(self.silent, "worker is", "workers are"),
            if self.busy > 0 { format!(" ({} more are busy)", self.busy) } else { String::new() }
        )
    }
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ahead { jobs } => {
                let least = if jobs.contains(&(MOST as u64)) { "at least " } else { "" };
                let sum = Count(jobs.iter().sum::<u64>(), "job stands", "jobs stand");
                write!(f, "Before it {least}{sum} in line ({}).", ByPriority(*jobs))
            }
            Self::Queued { jobs } => {
                let sum = Count(jobs.iter().sum::<u64>(), "job waits", "jobs wait");
                write!(f, "{sum} ({}).", ByPriority(*jobs))
            }
            Self::GivenBack { returns, allowed } => {
                write!(
                    f,
                    "It has been given back {}, by workers that were lost or too slow",
                    Count(*returns, "time", "times")
                )?;
                match allowed {
                    Some(allowed) => write!(f, "; it fails at {} (--job-retries).", (*allowed).max(1)),
                    None => f.write_char('.'),
                }
            }
            Self::Reducer { reducer } => write!(
                f,
                "It has the reducer {}, of which only workers hear that ask with GRAB_JOB_ALL.",
                Bytes(reducer)
            ),
            Self::Full { jobs, limits: [high, normal, low] } => write!(
                f,
                "Submissions are refused: {}, and maxqueue allows {high} high, {normal} normal, {low} low (0: any number).",
                Count(*jobs, "job is there", "jobs are there")
            ),
            Self::NoMemory { limit, held, allowed } => {
                write!(
                    f,
                    "Submissions are refused: jobs hold {held} of the {allowed} bytes that {limit} allows."
                )
            }
            Self::StoreFails { why, refusing } => {
                let what = if *refusing { "are refused" } else { "wait for their acknowledgement" };
                write!(f, "The store fails, so that background submissions {what}: {why}.")
            }
        }
    }
}

/// A name that a peer chose.
struct Bytes<'a>(&'a [u8]);

impl Display for Bytes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

struct Count<N>(N, &'static str, &'static str);

impl<N: Display + Into<u64> + Copy> Display for Count<N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0.into() == 1 { self.1 } else { self.2 })
    }
}

struct Registered(u32);

impl Display for Registered {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no worker is registered for it"),
            1 => f.write_str("one worker is registered for it"),
            count => write!(f, "{count} workers are registered for it"),
        }
    }
}

struct ByPriority([u64; 3]);

impl Display for ByPriority {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [high, normal, low] = self.0;
        write!(f, "{high} high, {normal} normal, {low} low")
    }
}

struct Who<'a>(&'a Holder);

impl Display for Who<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&named(&self.0.peer, &self.0.id))
    }
}

fn named(peer: &str, id: &str) -> String {
    if id.is_empty() { format!("the worker at {peer}") } else { format!("worker {id} at {peer}") }
}

/// A span in the one unit that says enough.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let seconds = self.0.as_secs();
        match seconds {
            0 => write!(f, "{millis} ms"),
            1..120 => write!(f, "{seconds} s"),
            120..7200 => write!(f, "{} min", seconds / 60),
            7200..172_800 => write!(f, "{} h", seconds / 3600),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// A Unix second as a date; as it is where no calendar has it.
struct Moment(u64);

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).ok().and_then(|second| Timestamp::from_second(second).ok()) {
            Some(moment) => write!(f, "{moment}"),
            None => write!(f, "second {}", self.0),
        }
    }
}
