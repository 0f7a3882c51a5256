//! What a server tells of itself at one moment, and what has changed since the moment before.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Zoned;
use lineshaft::Result;
use lineshaft::blocking::Admin;
use lineshaft::broker::{Alarm, AlarmLimits, Alarms};
use lineshaft::client::admin::{FunctionStatus, StoreRow, WorkerStatus};

use super::Sort;
use crate::render::visible;
use crate::surroundings;

/// A server, and what it has said last.
pub(super) struct Watch {
    server: String,
    admin: Admin,
    limits: AlarmLimits,
    last: Option<Last>,
}

/// What differences are made from.
struct Last {
    at: Instant,
    functions: BTreeMap<Vec<u8>, u64>,
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
    /// All connections.
    pub(super) connections: usize,
    /// gearmand does not tell.
    pub(super) store: Option<StoreRow>,
    pub(super) alarms: Vec<Alarm>,
    /// Alarms that there was no room for.
    pub(super) more_alarms: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) queued: u64,
    pub(super) running: u64,
    pub(super) workers: u64,
    /// By how many jobs a second the queue grows; `None` at the first look.
    pub(super) change: Option<f64>,
    /// Jobs done a second; `None` where the server does not count them.
    pub(super) done: Option<f64>,
    /// How long the oldest job that waits has waited; `None` where none does, or the server does not say.
    pub(super) oldest: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) address: String,
    pub(super) id: String,
    pub(super) functions: Vec<String>,
}

impl Watch {
    pub(super) fn new(server: String, admin: Admin, limits: AlarmLimits) -> Self {
        Self { server, admin, limits, last: None }
    }

    /// Asks the server.
    pub(super) fn look(&mut self) -> Result<Sample> {
        let sample = self.ask();
        if sample.is_err() {
            // The next one may be another server, or the same with other counts.
            self.last = None;
        }
        sample
    }

    fn ask(&mut self) -> Result<Sample> {
        let version = self.admin.version()?;
        let rows = self.admin.status()?;
        let (at, time) = (surroundings::instant(), surroundings::local_time());
        let connections = self.admin.workers()?;
        let store = self.store()?;
        let mut alarms = Alarms::new(self.limits);
        if let Some(StoreRow { store, failing }) = &store {
            alarms.store(store, failing.as_deref());
        }
        let seconds = self.last.as_ref().map(|last| at.duration_since(last.at).as_secs_f64());
        let mut functions = Vec::with_capacity(rows.len());
        for row in &rows {
            let queued = queued(row);
            alarms.function(&row.function, queued, row.workers, None);
            let before = self.last.as_ref().and_then(|last| last.functions.get(&row.function[..]));
            let change =
                before.zip(seconds).map(|(before, seconds)| (queued as f64 - *before as f64) / seconds);
            functions.push(Function {
                name: text(&row.function),
                queued,
                running: row.running,
                workers: row.workers,
                change,
                done: None,
                oldest: None,
            });
        }
        self.last = Some(Last {
            at,
            functions: rows.iter().map(|row| (row.function.to_vec(), queued(row))).collect(),
        });
        let (alarms, more_alarms) = alarms.list();
        let workers = connections.iter().filter(|row| !row.functions.is_empty()).map(Worker::of).collect();
        let server = self.server.clone();
        let connections = connections.len();
        Ok(Sample { server, version, time, functions, workers, connections, store, alarms, more_alarms })
    }

    /// gearmand refuses the question, and that is an answer.
    fn store(&mut self) -> Result<Option<StoreRow>> {
        match self.admin.store() {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.kind() == lineshaft::ErrorKind::InvalidArgument => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Jobs that wait; gearmand counts those in that are not yet due.
fn queued(row: &FunctionStatus) -> u64 {
    row.total.saturating_sub(row.running)
}

fn text(bytes: &[u8]) -> String {
    visible(&String::from_utf8_lossy(bytes))
}

impl Worker {
    fn of(row: &WorkerStatus) -> Self {
        Self {
            address: visible(&row.address),
            id: visible(&row.client_id),
            functions: row.functions.iter().map(|name| text(name)).collect(),
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
                Sort::Done => largest(left.done, right.done),
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
            running,
            workers,
            change: None,
            done: None,
            oldest: None,
        };
        let mut alarms = Alarms::default();
        alarms.store("log /q", Some("no room"));
        alarms.function(b"a\x1b[2J", 7, 0, None);
        Sample {
            server: "127.0.0.1:4730".into(),
            version: "0.1.0".into(),
            time: "2026-11-21T12:34:56+00:00[UTC]".parse().unwrap(),
            functions: vec![
                function("mail", [0, 0, 1]),
                Function { change: Some(0.01), done: Some(12.0), ..function("resize", [2, 2, 1]) },
                Function {
                    change: Some(3.5),
                    oldest: Some(Duration::from_secs(60)),
                    ..function("a\x1b[2J", [7, 0, 0])
                },
            ],
            workers: vec![Worker {
                address: "10.0.0.1".into(),
                id: "shop".into(),
                functions: vec!["resize".into(), "mail".into()],
            }],
            connections: 3,
            store: Some(StoreRow { store: "log /q".into(), failing: Some("no room".into()) }),
            alarms: alarms.list().0,
            more_alarms: 0,
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
