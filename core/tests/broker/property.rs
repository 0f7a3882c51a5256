//! Many clients and workers against the model: whatever they do, the broker says what the model says.
//!
//! `PROPTEST_CASES=20000 cargo test -p lineshaft --test broker property` runs longer.

use std::time::Duration;

use lineshaft::broker::{Broker, Compat, Config, Input, Now, Stats};
use lineshaft::protocol::{Decoder, Limits, Step};
use lineshaft::types::ConnId;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{FUNCTIONS, Model, State, Submission, packet_of};
use crate::shelf::Shelf;
use crate::story::{NOON, Sent, packet};

const PEERS: usize = 4;
/// The connection that asks admin questions and clears up at the end.
const ADMIN: usize = PEERS;
const GRACE: Duration = Duration::from_millis(50);
const UNIQUES: [&str; 4] = ["", "-", "u", "v"];
const WORKLOADS: [&str; 3] = ["", "x", "y"];
const REPORTS: [&str; 6] =
    ["WORK_COMPLETE", "WORK_FAIL", "WORK_EXCEPTION", "WORK_DATA", "WORK_WARNING", "WORK_STATUS"];

#[derive(Clone, Debug)]
enum Op {
    Submit {
        peer: usize,
        function: usize,
        unique: &'static str,
        workload: &'static str,
        kind: usize,
    },
    CanDo {
        peer: usize,
        function: usize,
        limit: u64,
    },
    CantDo {
        peer: usize,
        function: usize,
    },
    Reset {
        peer: usize,
    },
    Grab {
        peer: usize,
        kind: &'static str,
    },
    PreSleep {
        peer: usize,
    },
    AllYours {
        peer: usize,
    },
    Exceptions {
        peer: usize,
    },
    /// On one of the jobs the peer holds, where it holds any and `any` does not say otherwise.
    Work {
        peer: usize,
        pick: u64,
        any: bool,
        report: &'static str,
    },
    Status {
        peer: usize,
        pick: u64,
    },
    StatusUnique {
        peer: usize,
        unique: &'static str,
    },
    Cancel {
        pick: u64,
    },
    Close {
        peer: usize,
    },
    Pass {
        millis: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let peer = || 0..PEERS;
    let function = || 0..FUNCTIONS.len();
    prop_oneof![
        8 => (peer(), function(), select(&UNIQUES[..]), select(&WORKLOADS[..]), 0..9usize)
            .prop_map(|(peer, function, unique, workload, kind)| Op::Submit { peer, function, unique, workload, kind }),
        5 => (peer(), function(), select(vec![0, 0, 10, 2500]))
            .prop_map(|(peer, function, limit)| Op::CanDo { peer, function, limit }),
        1 => (peer(), function()).prop_map(|(peer, function)| Op::CantDo { peer, function }),
        1 => peer().prop_map(|peer| Op::Reset { peer }),
        6 => (peer(), select(vec!["GRAB_JOB", "GRAB_JOB_UNIQ", "GRAB_JOB_ALL"]))
            .prop_map(|(peer, kind)| Op::Grab { peer, kind }),
        6 => peer().prop_map(|peer| Op::PreSleep { peer }),
        1 => peer().prop_map(|peer| Op::AllYours { peer }),
        1 => peer().prop_map(|peer| Op::Exceptions { peer }),
        6 => (peer(), any::<u64>(), proptest::bool::weighted(0.1), select(&REPORTS[..]))
            .prop_map(|(peer, pick, any, report)| Op::Work { peer, pick, any, report }),
        1 => (peer(), any::<u64>()).prop_map(|(peer, pick)| Op::Status { peer, pick }),
        1 => (peer(), select(vec!["-", "u", "v"])).prop_map(|(peer, unique)| Op::StatusUnique { peer, unique }),
        1 => any::<u64>().prop_map(|pick| Op::Cancel { pick }),
        1 => peer().prop_map(|peer| Op::Close { peer }),
        4 => select(vec![1, 20, 60, 400, 1000, 3000]).prop_map(|millis| Op::Pass { millis }),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let compat = select(vec![
        (Compat::V2_0, false),
        (Compat::V2_0, false),
        (Compat::V1_1, false),
        (Compat::V1_1, true),
    ]);
    let retries = select(vec![None, None, Some(1), Some(3)]);
    let wakeup = select(vec![None, None, Some(0), Some(1)]);
    (compat, retries, wakeup).prop_map(|((compat, round_robin), job_retries, worker_wakeup)| Config {
        compat,
        round_robin,
        job_retries,
        worker_wakeup,
        wake_grace: GRACE,
        handle_prefix: "T".into(),
        ..Config::default()
    })
}

struct House {
    broker: Broker,
    shelf: Shelf,
    model: Model,
    now: Now,
    conns: [ConnId; PEERS + 1],
    generation: u32,
    wakeup: Option<u32>,
}

impl House {
    fn new(config: Config) -> Self {
        let Config { compat, round_robin, job_retries, worker_wakeup, .. } = config;
        let mut house = Self {
            model: Model::new(compat, round_robin, job_retries, NOON, PEERS + 1),
            broker: Broker::new(config, Limits::default()).expect("usable settings"),
            shelf: Shelf::default(),
            now: Now { mono: Duration::from_secs(7), wall: Duration::from_secs(NOON) },
            conns: [ConnId::new(0, 0); PEERS + 1],
            generation: 0,
            wakeup: worker_wakeup,
        };
        for peer in 0..=PEERS {
            house.open(peer);
        }
        house
    }

    fn open(&mut self, peer: usize) {
        self.generation += 1;
        let conn = ConnId::new(peer as u32, self.generation);
        self.conns[peer] = conn;
        self.apply(Input::Opened { conn, peer: "model" }, false);
    }

    /// Applies an input and compares what is sent with what the model has foretold.
    fn apply(&mut self, input: Input<'_>, exactly: bool) {
        let mut sent = Sent::default();
        self.broker.handle(self.now, input, &mut sent);
        #[cfg(debug_assertions)]
        self.broker.check();
        for record in sent.1 {
            self.shelf.keep(&record);
        }
        for (conn, words) in sent.0 {
            let peer = self.conns.iter().position(|open| *open == conn).expect("sent to who is there");
            let expected = self.model.expected.entry(peer).or_default();
            if expected.first() == Some(&words) {
                expected.remove(0);
            } else if words == "NOOP" {
                self.model.woken(peer);
            } else if words.starts_with("JOB_ASSIGN") && expected.is_empty() {
                self.model.pushed(peer, &words, exactly);
            } else {
                panic!("peer {peer} has been sent {words}, but waits for {expected:?}");
            }
        }
        for (peer, expected) in &self.model.expected {
            assert!(expected.is_empty(), "peer {peer} waits in vain for {expected:?}");
        }
    }

    fn send(&mut self, peer: usize, line: &str, exactly: bool) {
        let (conn, bytes) = (self.conns[peer], packet(line));
        let Ok(Step::Frame { frame, .. }) = Decoder::default().next(&bytes) else { panic!("{line}") };
        self.apply(Input::Received { conn, frame: &frame }, exactly);
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now.mono + Duration::from_millis(millis);
        while let Some(at) = self.broker.next_wakeup().filter(|at| *at <= end) {
            self.clock(at);
            self.model.tick();
            self.apply(Input::Tick, false);
        }
        self.clock(end);
        assert!(
            self.model.first_deadline().is_none_or(|at| at > self.model.now),
            "a deadline has been slept through"
        );
    }

    fn clock(&mut self, at: Duration) {
        let step = at.saturating_sub(self.now.mono);
        self.now.mono += step;
        self.now.wall += step;
        self.model.now = (self.now.wall - Duration::from_secs(NOON)).as_millis() as u64;
    }

    fn play(&mut self, op: &Op) {
        match *op {
            Op::Submit { peer, function, unique, workload, kind } => {
                self.submit(
                    peer,
                    Submission { function, unique, workload, priority: 1, background: false, due: 0 },
                    kind,
                );
            }
            Op::CanDo { peer, function, limit } => {
                self.model.can_do(peer, function, limit);
                let name = FUNCTIONS[function];
                match limit {
                    0 => self.send(peer, &format!("CAN_DO {name}"), true),
                    limit => self.send(peer, &format!("CAN_DO_TIMEOUT {name} {limit}"), true),
                }
            }
            Op::CantDo { peer, function } => {
                self.model.cant_do(peer, function);
                self.send(peer, &format!("CANT_DO {}", FUNCTIONS[function]), false);
            }
            Op::Reset { peer } => {
                self.model.reset(peer);
                self.send(peer, "RESET_ABILITIES", false);
            }
            Op::Grab { peer, kind } => {
                self.model.grab(peer, kind);
                self.send(peer, kind, true);
            }
            Op::PreSleep { peer } => {
                self.model.pre_sleep(peer);
                self.send(peer, "PRE_SLEEP", true);
            }
            Op::AllYours { peer } => {
                self.model.peers[peer].all_yours = true;
                self.send(peer, "ALL_YOURS", true);
            }
            Op::Exceptions { peer } => {
                self.model.exceptions(peer);
                self.send(peer, "OPTION_REQ exceptions", true);
            }
            Op::Work { peer, pick, any, report } => {
                let holds = |state| matches!(state, State::Running { worker, .. } if worker == peer);
                let held = self.model.jobs.iter().filter(|job| holds(job.state)).map(|job| job.number);
                let held: Vec<u64> = held.collect();
                let number =
                    if any || held.is_empty() { self.pick(pick) } else { held[pick as usize % held.len()] };
                self.model.work(peer, number, report);
                self.send(peer, &packet_of(report, number), true);
            }
            Op::Status { peer, pick } => {
                let number = self.pick(pick);
                self.model.get_status(peer, number);
                self.send(peer, &format!("GET_STATUS T:{number}"), true);
            }
            Op::StatusUnique { peer, unique } => {
                self.model.get_status_unique(peer, unique);
                self.send(peer, &format!("GET_STATUS_UNIQUE {unique}"), true);
            }
            Op::Cancel { pick } => {
                let number = self.pick(pick);
                let answer = self.model.cancel(number);
                self.model.expected.entry(ADMIN).or_default().push(answer.into());
                self.send(ADMIN, &format!("\"cancel job T:{number}\""), true);
            }
            Op::Close { peer } => self.close(peer),
            Op::Pass { millis } => self.pass(millis),
        }
    }

    fn submit(&mut self, peer: usize, plain: Submission, kind: usize) {
        let wall = self.now.wall.as_secs();
        let (priority, background, due) = match kind {
            0..6 => (kind % 3, kind >= 3, 0),
            6 => (1, true, wall + 1),
            7 => (1, true, wall + 4),
            _ => (1, true, wall - 1),
        };
        let new = Submission { priority, background, due, ..plain };
        let word = |text: &'static str| if text.is_empty() { "''" } else { text };
        let (function, unique, workload) = (FUNCTIONS[new.function], word(new.unique), word(new.workload));
        let line = match kind {
            0..6 => {
                let priority = ["_HIGH", "", "_LOW"][priority];
                format!(
                    "SUBMIT_JOB{priority}{} {function} {unique} {workload}",
                    if background { "_BG" } else { "" }
                )
            }
            _ => format!("SUBMIT_JOB_EPOCH {function} {unique} {due} {workload}"),
        };
        self.model.submit(peer, &new);
        self.send(peer, &line, true);
    }

    /// Any job there is, or a number that is no job's.
    fn pick(&self, pick: u64) -> u64 {
        let jobs = &self.model.jobs;
        if pick.is_multiple_of(4) || jobs.is_empty() {
            pick % (self.model.last + 2) + 1
        } else {
            jobs[pick as usize % jobs.len()].number
        }
    }

    fn close(&mut self, peer: usize) {
        self.model.close(peer);
        self.apply(Input::Closed { conn: self.conns[peer] }, false);
        self.open(peer);
    }

    /// The admin's lists are the model's, and a store would hold what there is.
    fn compare(&mut self) {
        self.shelf.compare(&self.broker);
        for (command, lines) in [("status", self.model.status()), ("show jobs", self.model.show_jobs())] {
            let mut sent = Sent::default();
            let conn = self.conns[ADMIN];
            let frame = lineshaft::protocol::Frame::Text(command.as_bytes());
            self.broker.handle(self.now, Input::Received { conn, frame: &frame }, &mut sent);
            let text = sent.0.remove(0).1;
            let mut got: Vec<&str> = text.trim_matches('"').split_terminator("\\n").collect();
            assert_eq!(got.pop(), Some("."));
            got.sort_unstable();
            assert_eq!(got, lines, "{command}");
        }
        let Stats { submitted, coalesced, assigned, completed, failed, excepted, .. } = self.model.stats;
        let got = self.broker.stats();
        assert_eq!(
            (submitted, coalesced, assigned, completed, failed, excepted),
            (got.submitted, got.coalesced, got.assigned, got.completed, got.failed, got.excepted)
        );
        let Stats { given_back, timed_out, dropped, abandoned, cancelled, late_results, .. } =
            self.model.stats;
        assert_eq!(
            (given_back, timed_out, dropped, abandoned, cancelled, late_results),
            (got.given_back, got.timed_out, got.dropped, got.abandoned, got.cancelled, got.late_results)
        );
    }

    /// Nobody sleeps on work without a wake-up on its way.
    fn nobody_is_forgotten(&self) {
        let forgotten = self.model.forgotten();
        match self.wakeup {
            None if forgotten.is_empty() => {}
            None => {
                let next = self.broker.next_wakeup();
                assert!(
                    next.is_some_and(|at| at <= self.now.mono + GRACE),
                    "{forgotten:?} sleep on; next look: {next:?}"
                );
            }
            Some(0) => assert!(forgotten.is_empty(), "{forgotten:?} sleep on"),
            // A fixed number promises no more than that.
            Some(_) => {}
        }
    }

    /// All peers go, time passes, one willing worker comes: everything that was acknowledged ends.
    fn clear_up(&mut self) {
        if self.wakeup.is_none() {
            // One, two, four: three looks wake four workers.
            self.pass(GRACE.as_millis() as u64 * 4);
            assert_eq!(self.model.forgotten(), [0usize; 0]);
        }
        for peer in 0..PEERS {
            self.close(peer);
        }
        self.pass(5000);
        for function in 0..FUNCTIONS.len() {
            self.play(&Op::CanDo { peer: ADMIN, function, limit: 0 });
        }
        while self.model.has_work(ADMIN) {
            self.play(&Op::Grab { peer: ADMIN, kind: "GRAB_JOB_UNIQ" });
            self.play(&Op::Work { peer: ADMIN, pick: 0, any: false, report: "WORK_COMPLETE" });
        }
        self.play(&Op::Grab { peer: ADMIN, kind: "GRAB_JOB" });
        self.compare();
        assert_eq!((self.broker.jobs(), self.broker.running(), self.broker.next_wakeup()), (0, 0, None));
        let stats = self.broker.stats();
        let ended = stats.completed
            + stats.failed
            + stats.excepted
            + stats.dropped
            + stats.abandoned
            + stats.cancelled;
        assert_eq!(stats.submitted, ended, "every job has ended once");
    }
}

proptest! {
    #[test]
    fn the_broker_does_what_the_model_does(config in config(), ops in prop::collection::vec(op(), 1..150)) {
        let mut house = House::new(config);
        for op in &ops {
            house.play(op);
            house.compare();
            house.nobody_is_forgotten();
            house.pass(1);
        }
        house.clear_up();
    }
}
