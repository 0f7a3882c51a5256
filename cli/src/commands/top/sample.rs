//! What a server tells of itself at one moment, and what has changed since the moment before.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Zoned;
use lineshaft::Result;
use lineshaft::blocking::Admin;
use lineshaft::client::admin::StoreRow;

use super::Sort;
use super::answers::{self, FunctionTold};
use crate::render::visible;
use crate::surroundings;

/// A server, and what it has said last.
pub(super) struct Watch {
    server: String,
    admin: Admin,
    /// Whether it is one of ours; `None` before it has been asked.
    ours: Option<bool>,
    last: Option<Last>,
}

/// What differences are made from.
struct Last {
    at: Instant,
    functions: BTreeMap<Vec<u8>, Before>,
}

/// How a function stood then.
struct Before {
    queued: u64,
    counts: Option<[u64; 3]>,
}

/// A look at a server.
pub(super) struct Sample {
    /// As it was asked for.
    pub(super) server: String,
    pub(super) version: String,
    pub(super) time: Zoned,
    pub(super) functions: Vec<Function>,
    /// Connections that can do something, as opposed to clients.
    pub(super) workers: Vec<Worker>,
    /// All connections; `None` where the server has not been asked.
    pub(super) connections: Option<usize>,
    /// gearmand does not tell.
    pub(super) store: Option<StoreRow>,
    /// The weightiest first; where there are too many, the last one is of the kind `more`.
    pub(super) alarms: Vec<Alarm>,
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) queued: u64,
    /// Jobs that are not yet due; `None` where the server counts them among those that wait.
    pub(super) delayed: Option<u64>,
    pub(super) running: u64,
    pub(super) workers: u64,
    /// By how many jobs a second the queue grows; `None` at the first look.
    pub(super) change: Option<f64>,
    /// Jobs added, done and failed a second; `None` where the server does not count them.
    pub(super) rates: Option<[f64; 3]>,
    /// How long the oldest job that waits has waited; `None` where none does, or the server does not say.
    pub(super) oldest: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) address: String,
    pub(super) id: String,
    /// `awake`, `asleep`, `woken` or `busy`; gearmand does not tell.
    pub(super) state: Option<String>,
    /// The job it has, that job's function, and for how long; gearmand does not tell.
    pub(super) runs: Option<(String, String, Duration)>,
    /// What it can do; of ours only the number is asked for.
    pub(super) functions: Vec<String>,
    pub(super) all_functions: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Alarm {
    pub(super) kind: String,
    pub(super) function: Option<String>,
    pub(super) text: String,
}

impl Watch {
    pub(super) fn new(server: String, admin: Admin) -> Self {
        Self { server, admin, ours: None, last: None }
    }

    /// Asks the server.
    pub(super) fn look(&mut self) -> Result<Sample> {
        let sample = self.ask();
        if sample.is_err() {
            // The next one may be another server, or the same with other counts.
            (self.last, self.ours) = (None, None);
        }
        sample
    }

    fn ask(&mut self) -> Result<Sample> {
        let version = visible(&self.admin.version()?);
        let ours = if self.ours == Some(false) { None } else { answers::ours(&mut self.admin)? };
        self.ours = Some(ours.is_some());
        let told = match ours {
            Some(told) => told,
            None => answers::any(&mut self.admin)?,
        };
        let (at, time) = (surroundings::instant(), surroundings::local_time());
        let last = self.last.take();
        let seconds = last.as_ref().map(|last| at.duration_since(last.at).as_secs_f64());
        let functions = told.functions.iter().map(|function| {
            let before = last.as_ref().and_then(|last| last.functions.get(&function.name)).zip(seconds);
            Function::compared(function, before)
        });
        let functions = functions.collect();
        let kept = |FunctionTold { name, queued, counts, .. }| (name, Before { queued, counts });
        self.last = Some(Last { at, functions: told.functions.into_iter().map(kept).collect() });
        Ok(Sample {
            server: self.server.clone(),
            version,
            time,
            functions,
            workers: told.workers,
            connections: told.connections,
            store: told.store,
            alarms: told.alarms,
        })
    }
}

impl Function {
    /// With what has changed since it stood so, so many seconds ago.
    fn compared(told: &FunctionTold, before: Option<(&Before, f64)>) -> Self {
        let change = before.map(|(before, seconds)| (told.queued as f64 - before.queued as f64) / seconds);
        let counts = before.and_then(|(before, seconds)| Some((told.counts?, before.counts?, seconds)));
        let rates = counts.map(|(now, before, seconds)| {
            [0, 1, 2].map(|at| now[at].saturating_sub(before[at]) as f64 / seconds)
        });
        Self {
            name: visible(&String::from_utf8_lossy(&told.name)),
            queued: told.queued,
            delayed: told.delayed,
            running: told.running,
            workers: told.workers,
            change,
            rates,
            oldest: told.oldest,
        }
    }
}

impl Sample {
    /// The functions in the order that somebody wants.
    pub(super) fn sorted(&self, sort: Sort) -> Vec<&Function> {
        let mut functions: Vec<&Function> = self.functions.iter().collect();
        let largest = |left: Option<f64>, right: Option<f64>| {
            let [left, right] = [left, right].map(|number| number.unwrap_or(f64::NEG_INFINITY));
            right.total_cmp(&left)
        };
        functions.sort_by(|left, right| {
            let order = match sort {
                Sort::Name => Ordering::Equal,
                Sort::Queued => right.queued.cmp(&left.queued),
                Sort::Running => right.running.cmp(&left.running),
                Sort::Workers => right.workers.cmp(&left.workers),
                Sort::Change => largest(left.change, right.change),
                Sort::Done => largest(left.rates.map(|it| it[1]), right.rates.map(|it| it[1])),
                Sort::Oldest => Reverse(left.oldest).cmp(&Reverse(right.oldest)),
            };
            order.then_with(|| left.name.cmp(&right.name))
        });
        functions
    }

    /// Jobs that wait, and jobs that run.
    pub(super) fn totals(&self) -> [u64; 2] {
        let sum = |of: fn(&Function) -> u64| self.functions.iter().map(of).sum();
        [sum(|function| function.queued), sum(|function| function.running)]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A look at a server that is not well.
    pub(in super::super) fn sample() -> Sample {
        let function = |name: &str, [queued, running, workers]: [u64; 3]| Function {
            name: visible(name),
            queued,
            delayed: Some(0),
            running,
            workers,
            change: None,
            rates: None,
            oldest: None,
        };
        let alarm = |kind: &str, function: Option<&str>, text: &str| Alarm {
            kind: kind.into(),
            function: function.map(visible),
            text: visible(text),
        };
        Sample {
            server: "127.0.0.1:4730".into(),
            version: "0.1.0".into(),
            time: "2026-11-21T12:34:56+00:00[UTC]".parse().unwrap(),
            functions: vec![
                function("mail", [0, 0, 1]),
                Function {
                    change: Some(0.01),
                    rates: Some([1.0, 12.0, 0.0]),
                    ..function("resize", [2, 2, 1])
                },
                Function {
                    change: Some(3.5),
                    oldest: Some(Duration::from_secs(60)),
                    ..function("a\x1b[2J", [7, 0, 0])
                },
            ],
            workers: vec![Worker {
                address: "10.0.0.1".into(),
                id: "shop".into(),
                state: Some("busy".into()),
                runs: Some(("H:7".into(), "resize".into(), Duration::from_secs(3))),
                functions: Vec::new(),
                all_functions: 2,
            }],
            connections: Some(3),
            store: Some(StoreRow { store: "log /q".into(), failing: Some("no room".into()) }),
            alarms: vec![
                alarm("store", None, "the store fails: no room"),
                alarm("no_worker", Some("a\x1b[2J"), "a\x1b[2J: 7 jobs wait"),
            ],
        }
    }

    #[test]
    fn names_go_up_and_numbers_down() {
        let sample = sample();
        let names = |sort| sample.sorted(sort).iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
        let (odd, resize, mail) = ("a\\u{1b}[2J", "resize", "mail");
        assert_eq!(names(Sort::Name), [odd, mail, resize]);
        assert_eq!(names(Sort::Queued), [odd, resize, mail]);
        assert_eq!(names(Sort::Running), [resize, odd, mail]);
        assert_eq!(names(Sort::Workers), [mail, resize, odd]);
        assert_eq!(names(Sort::Change), [odd, resize, mail]);
        assert_eq!(names(Sort::Done), [resize, odd, mail]);
        assert_eq!(names(Sort::Oldest), [odd, mail, resize]);
    }
}
