//! What somebody should look at, from a report of a server: ours or another one.

use std::fmt;
use std::time::Duration;

/// When something is an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmLimits {
    /// How long a job may have been ready without being handed out. Default 5 minutes.
    pub oldest: Duration,
    /// How long a worker may take to come after it has been woken. Default 10 s. Others are woken much earlier, after
    /// [`Config::wake_grace`](super::Config::wake_grace).
    pub wake: Duration,
}

impl Default for AlarmLimits {
    fn default() -> Self {
        Self { oldest: Duration::from_mins(5), wake: Duration::from_secs(10) }
    }
}

/// Something that somebody should look at. It prints as one sentence; names stand in it as their peers sent them, so whoever
/// shows it escapes what its screen would take for orders.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    /// The store fails: background jobs are refused, or wait.
    Store {
        /// What it is, and where.
        store: String,
        /// Why it fails.
        why: String,
    },
    /// Jobs wait, and no worker can do them.
    NoWorker {
        /// Of this function.
        function: Vec<u8>,
        /// So many.
        jobs: u64,
    },
    /// A job has been ready for too long.
    Oldest {
        /// Of this function.
        function: Vec<u8>,
        /// For so long.
        age: Duration,
        /// The limit that it is above.
        limit: Duration,
    },
    /// A worker was woken and does not come.
    Wake {
        /// Its address, and what it calls itself.
        worker: String,
        /// It was woken so long ago.
        since: Duration,
    },
}

impl Alarm {
    /// One word for programs: `store`, `no_worker`, `oldest` or `wake`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Store { .. } => "store",
            Self::NoWorker { .. } => "no_worker",
            Self::Oldest { .. } => "oldest",
            Self::Wake { .. } => "wake",
        }
    }

    /// The function it is about; `None` for the store and for workers.
    pub fn function(&self) -> Option<&[u8]> {
        match self {
            Self::Store { .. } | Self::Wake { .. } => None,
            Self::NoWorker { function, .. } | Self::Oldest { function, .. } => Some(function),
        }
    }

    /// Larger comes first in a list.
    fn weight(&self) -> (u8, u128) {
        match self {
            Self::Store { .. } => (3, 0),
            Self::NoWorker { jobs, .. } => (2, (*jobs).into()),
            Self::Oldest { age, .. } => (1, age.as_millis()),
            Self::Wake { since, .. } => (0, since.as_millis()),
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |function| String::from_utf8_lossy(function);
        match self {
            Self::Store { store, why } => {
                write!(f, "the store fails, background jobs are refused or wait: {store}: {why}")
            }
            Self::NoWorker { function, jobs: 1 } => {
                write!(f, "{}: 1 job waits and no worker can do it", name(function))
            }
            Self::NoWorker { function, jobs } => {
                write!(f, "{}: {jobs} jobs wait and no worker can do them", name(function))
            }
            Self::Oldest { function, age, limit } => {
                let (age, limit) = (Age(*age), Age(*limit));
                write!(f, "{}: the oldest job has waited for {age}; the limit is {limit}", name(function))
            }
            Self::Wake { worker, since } => {
                write!(f, "worker {worker} was woken {} ago and has not come", Age(*since))
            }
        }
    }
}

/// A time as people say it: `0 s`, `59 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
#[derive(Clone, Copy, Debug)]
pub struct Age(pub Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (large, small, units) = match seconds {
            0..60 => return write!(f, "{seconds} s"),
            60..3600 => (seconds / 60, seconds % 60, ["min", "s"]),
            3600..86_400 => (seconds / 3600, seconds % 3600 / 60, ["h", "min"]),
            _ => (seconds / 86_400, seconds % 86_400 / 3600, ["d", "h"]),
        };
        write!(f, "{large} {}", units[0])?;
        if small > 0 { write!(f, " {small} {}", units[1]) } else { Ok(()) }
    }
}

/// Looks at one thing after the other and keeps the alarms.
#[derive(Debug, Default)]
pub struct Alarms {
    limits: AlarmLimits,
    found: Vec<Alarm>,
    /// Those that there was no room for.
    more: usize,
}

impl Alarms {
    /// Alarms that are listed, the weightiest ones; more are only counted.
    pub const MAX: usize = 1000;

    /// None yet.
    pub const fn new(limits: AlarmLimits) -> Self {
        Self { limits, found: Vec::new(), more: 0 }
    }

    /// A function with so many jobs that are ready, so many workers that can do it, and the time for which the oldest of these jobs
    /// has been ready; `None` where nobody says.
    pub fn function(&mut self, name: &[u8], ready: u64, workers: u64, oldest: Option<Duration>) {
        if ready == 0 {
            return;
        }
        if workers == 0 {
            self.add(Alarm::NoWorker { function: name.to_vec(), jobs: ready });
        }
        let limit = self.limits.oldest;
        if let Some(age) = oldest.filter(|age| *age > limit) {
            self.add(Alarm::Oldest { function: name.to_vec(), age, limit });
        }
    }

    /// The store; `failing` is why it fails, `None` while it is well.
    pub fn store(&mut self, store: &str, failing: Option<&str>) {
        if let Some(why) = failing {
            self.add(Alarm::Store { store: store.to_owned(), why: why.to_owned() });
        }
    }

    /// A worker that was woken so long ago, and has not come since: its address, and what it calls itself.
    pub fn woken(&mut self, address: &str, id: Option<&[u8]>, since: Duration) {
        if since > self.limits.wake {
            let worker = match id {
                None => address.to_owned(),
                Some(id) => format!("{address} ({})", String::from_utf8_lossy(id)),
            };
            self.add(Alarm::Wake { worker, since });
        }
    }

    fn add(&mut self, alarm: Alarm) {
        self.found.push(alarm);
        // Seldom, so that it costs little for each.
        if self.found.len() > 2 * Self::MAX {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.found.sort_by_key(|alarm| std::cmp::Reverse(alarm.weight()));
        self.more += self.found.len().saturating_sub(Self::MAX);
        self.found.truncate(Self::MAX);
    }

    /// The alarms, the weightiest first: the store, then functions without workers by their jobs, then old jobs, then workers that do
    /// not come; and how many more there are.
    pub fn list(mut self) -> (Vec<Alarm>, usize) {
        self.cut();
        (self.found, self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn said(alarms: Alarms) -> Vec<String> {
        alarms.list().0.iter().map(Alarm::to_string).collect()
    }

    #[test]
    fn each_kind_is_one_sentence_and_the_weightiest_comes_first() {
        let mut alarms = Alarms::default();
        alarms.woken("10.0.0.1:3", Some(b"shop"), 11 * SECOND);
        alarms.function(b"resize", 1, 3, Some(301 * SECOND));
        alarms.function(b"mail", 1, 0, None);
        alarms.function(b"pay", 12, 0, Some(SECOND));
        alarms.store("log /q", Some("no room"));
        let expected = [
            "the store fails, background jobs are refused or wait: log /q: no room",
            "pay: 12 jobs wait and no worker can do them",
            "mail: 1 job waits and no worker can do it",
            "resize: the oldest job has waited for 5 min 1 s; the limit is 5 min",
            "worker 10.0.0.1:3 (shop) was woken 11 s ago and has not come",
        ];
        assert_eq!(said(alarms), expected);
    }

    #[test]
    fn what_is_at_its_limit_is_no_alarm() {
        let mut alarms = Alarms::new(AlarmLimits { oldest: SECOND, wake: SECOND });
        alarms.store("log /q", None);
        alarms.function(b"f", 0, 0, None);
        alarms.function(b"f", 7, 1, Some(SECOND));
        alarms.woken("w", None, SECOND);
        assert_eq!(said(alarms), Vec::<String>::new());
    }

    #[test]
    fn the_list_is_bounded_and_says_so() {
        let mut alarms = Alarms::default();
        let all = 5 * Alarms::MAX + 7;
        for number in 0..all {
            alarms.function(number.to_string().as_bytes(), number as u64 + 1, 0, None);
        }
        let (list, more) = alarms.list();
        assert_eq!((list.len(), more), (Alarms::MAX, 4 * Alarms::MAX + 7));
        assert!(matches!(&list[0], Alarm::NoWorker { jobs, .. } if *jobs == all as u64), "{:?}", list[0]);
    }

    #[test]
    fn ages_are_said_as_people_say_them() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3599, "59 min 59 s"),
            (7500, "2 h 5 min"),
            (86_399, "23 h 59 min"),
            (356_400, "4 d 3 h"),
        ] {
            assert_eq!(Age(SECOND * seconds).to_string(), text);
        }
    }
}
