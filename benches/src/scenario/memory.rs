//! Jobs in memory only: every line of the design that needs no disk.

use std::time::Duration;

use super::{FUNCTION, Figure, Line, MANY, Scenario, Stage, Target, Unit, WORKLOAD, Who, scenario, us};
use crate::contestant::Kind;
use crate::load::{Manner, RoundTrip, Status, Submit, Template, Visit, Workers, in_process};
use crate::measure::{Window, apply, measure};
use crate::{Result, meter};

/// Everything that is measured, in the order of the table.
pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        &[us(
            "submit",
            "background submit, 8 connections x 32 outstanding",
            &[Target::Of(Kind::Tuned, 0.40)],
        )],
        |stage| stage.submit(8, 32),
    ),
    Scenario {
        who: Who::DefaultsOnce,
        ..scenario(
            &[
                us("submit-unique-10k", "the same with unique ids, 10,000 jobs queued", &[]),
                us(
                    "submit-unique-1m",
                    "the same with unique ids, 1,000,000 jobs queued",
                    &[Target::Of(Kind::Tuned, 0.40), Target::FlatTo("submit-unique-10k")],
                ),
                us(
                    "submit-unique-10m",
                    "the same with unique ids, 10,000,000 jobs queued",
                    &[Target::FlatTo("submit-unique-10k")],
                ),
            ],
            Stage::submit_unique,
        )
    },
    scenario(
        &[us("submit-one", "background submit, one at a time", &[Target::Of(Kind::Tuned, 0.75)])],
        |stage| stage.submit(1, 1),
    ),
    scenario(
        &[us("drain", "drain, 16 workers, one GRAB_JOB_UNIQ outstanding", &[Target::Of(Kind::Tuned, 0.72)])],
        |stage| stage.drain(1, 180_000),
    ),
    scenario(
        &[us("drain-8", "drain, 16 workers, 8 grabs outstanding", &[Target::Of(Kind::Tuned, 0.85)])],
        |stage| stage.drain(8, 600_000),
    ),
    Scenario {
        for_more_cores: true,
        ..scenario(
            &[us(
                "round-trip",
                "foreground, 8 clients x 8 outstanding, 8 workers",
                &[Target::Of(Kind::Tuned, 0.75)],
            )],
            |stage| stage.round_trip(8, 8, 8, Manner::Grab),
        )
    },
    Scenario {
        who: Who::NotDefaults,
        for_more_cores: true,
        ..scenario(
            &[us(
                "round-trip-all-yours",
                "the same, our workers with ALL_YOURS",
                &[Target::Of(Kind::Tuned, 0.55)],
            )],
            |stage| stage.round_trip(8, 8, 8, Manner::AllYours),
        )
    },
    scenario(
        &[us("round-trip-one", "foreground, 1 client, 1 worker", &[Target::Of(Kind::Tuned, 0.85)])],
        |stage| stage.round_trip(1, 1, 1, Manner::Grab),
    ),
    Scenario {
        who: Who::NotDefaults,
        ..scenario(
            &[us(
                "round-trip-one-all-yours",
                "the same, our worker with ALL_YOURS",
                &[Target::Of(Kind::Tuned, 0.70)],
            )],
            |stage| stage.round_trip(1, 1, 1, Manner::AllYours),
        )
    },
    scenario(
        &[
            us("wake-1000", "a job now and then, 1,000 workers asleep", &[Target::Of(Kind::Tuned, 0.90)]),
            Line {
                id: "wake-1000-noops",
                title: "    NOOPs for each",
                unit: Unit::Packets,
                targets: &[Target::AtMost(1.0)],
            },
        ],
        Stage::wake,
    ),
    scenario(
        &[us("visit", "connect, register, submit, grab, complete, close", &[Target::Of(Kind::Tuned, 0.90)])],
        // Each visit takes a local port for a while, and there are some 28,000.
        |stage| stage.per_job(&mut Visit::new(1, WORKLOAD), 20_000),
    ),
    scenario(
        &[us("echo-1m", "foreground, 1 MiB there and back", &[Target::Of(Kind::Tuned, 0.65)])],
        |stage| stage.round_trip_of(1 << 20, 1, 1, 1, Manner::Grab),
    ),
    Scenario {
        rounds: 1,
        ..scenario(
            &[Line {
                id: "memory-job",
                title: "memory for a queued job of 100 bytes",
                unit: Unit::Bytes,
                targets: &[Target::AtMost(200.0)],
            }],
            Stage::memory_for_jobs,
        )
    },
    Scenario {
        rounds: 1,
        ..scenario(
            &[Line {
                id: "memory-worker",
                title: "memory for a connected, sleeping worker",
                unit: Unit::Bytes,
                targets: &[Target::AtMost(2000.0)],
            }],
            Stage::memory_for_workers,
        )
    },
    scenario(
        &[Line {
            id: "burst-500",
            title: "500 connections at once, work, leave: p99",
            unit: Unit::Millis,
            targets: &[Target::AtMost(50.0)],
        }],
        Stage::burst,
    ),
    scenario(
        &[
            Line {
                id: "status-20000",
                title: "text `status` with 20,000 functions",
                unit: Unit::Millis,
                targets: &[Target::AtMost(3.0)],
            },
            Line {
                id: "status-20000-wait",
                title: "    longest wait of somebody else",
                unit: Unit::Millis,
                targets: &[Target::AtMost(1.0)],
            },
        ],
        Stage::status,
    ),
    Scenario {
        who: Who::OursOnly,
        ..scenario(
            &[Line {
                id: "in-process",
                title: "in process, no socket: submit, grab, complete",
                unit: Unit::JobsPerSecond,
                targets: &[Target::AtLeast(1_500_000.0)],
            }],
            // The library within this program, not the daemon.
            |stage| Ok(vec![Figure { value: in_process(WORKLOAD, stage.time)?, measured: None }]),
        )
    },
    scenario(
        &[us("depth-functions", "submit, 8 x 32, over 20,000 functions", &[Target::FlatTo("submit")])],
        |stage| {
            let template = Template::background_spread(WORKLOAD);
            let mut load = Submit::connect(&mut stage.net, 8, 32, template, 20_000)?;
            stage.per_job(&mut load, MANY)
        },
    ),
    Scenario {
        who: Who::NotDefaults,
        ..scenario(&[us("depth-sleepers", "foreground, 1 client x 8, 5,000 workers", &[])], |stage| {
            stage.round_trip(1, 8, 5000, Manner::Grab)
        })
    },
    scenario(
        &[us(
            "depth-idle",
            "foreground, 8 x 8, with 10,000 idle connections",
            &[Target::FlatTo("round-trip")],
        )],
        |stage| {
            stage.net.connect_many(10_000, |_, _| {})?;
            stage.round_trip(8, 8, 8, Manner::Grab)
        },
    ),
];

impl Stage {
    fn submit_unique(&mut self) -> Result<Vec<Figure>> {
        let template = Template::background_unique(FUNCTION, WORKLOAD);
        let mut load = Submit::connect(&mut self.net, 8, 32, template, u64::MAX)?;
        let mut figures = Vec::new();
        // How many are queued, and how many more are then measured.
        let steps: [(u64, u64); 3] = [(10_000, 20_000), (1_000_000, 200_000), (10_000_000, 200_000)];
        let deepest = match (self.kind, self.deep) {
            (Kind::Ours, true) => 3,
            (Kind::Gearmand, false) => 1,
            _ => 2,
        };
        for (queued, jobs) in &steps[..deepest] {
            self.fill(&mut load, *queued)?;
            figures.push(self.measure(&mut load, *jobs)?);
        }
        Ok(figures)
    }

    fn round_trip(
        &mut self,
        clients: usize,
        outstanding: usize,
        workers: usize,
        manner: Manner,
    ) -> Result<Vec<Figure>> {
        self.round_trip_of(WORKLOAD, clients, outstanding, workers, manner)
    }

    fn round_trip_of(
        &mut self,
        workload: usize,
        clients: usize,
        outstanding: usize,
        workers: usize,
        manner: Manner,
    ) -> Result<Vec<Figure>> {
        // Nobody else knows ALL_YOURS: others are measured with what they can do.
        let manner = if self.kind == Kind::Ours { manner } else { Manner::Grab };
        let workers = Workers::connect(&mut self.net, workers, FUNCTION, manner)?;
        let template = Template::foreground(FUNCTION, workload);
        let mut load = RoundTrip::connect(&mut self.net, clients, outstanding, workers, template)?;
        self.per_job(&mut load, MANY)
    }

    fn wake(&mut self) -> Result<Vec<Figure>> {
        let workers = Workers::connect(&mut self.net, 1000, FUNCTION, Manner::Grab)?;
        let template = Template::foreground(FUNCTION, WORKLOAD);
        let mut load =
            RoundTrip::connect(&mut self.net, 1, 1, workers, template)?.paced(Duration::from_millis(10));
        apply(&mut self.net, &mut load, Window { time: self.time, jobs: 5 })?;
        let before = load.noops();
        let figure = self.measure(&mut load, MANY)?;
        let jobs = figure.measured.as_ref().map_or(1, |measured| measured.tally.jobs.max(1));
        let noops = (load.noops() - before) as f64 / jobs as f64;
        Ok(vec![figure, Figure { value: noops, measured: None }])
    }

    fn memory_for_jobs(&mut self) -> Result<Vec<Figure>> {
        const JOBS: u64 = 1_000_000;
        let template = self.job();
        let mut load = Submit::connect(&mut self.net, 8, 32, template, u64::MAX)?;
        let before = meter::resident_bytes(self.pid)?;
        self.fill(&mut load, JOBS)?;
        self.memory(before, JOBS)
    }

    fn memory_for_workers(&mut self) -> Result<Vec<Figure>> {
        const WORKERS: usize = 5000;
        let before = meter::resident_bytes(self.pid)?;
        Workers::connect(&mut self.net, WORKERS, FUNCTION, Manner::Grab)?;
        self.memory(before, WORKERS as u64)
    }

    fn memory(&self, before: u64, count: u64) -> Result<Vec<Figure>> {
        let grown = meter::resident_bytes(self.pid)?.saturating_sub(before);
        Ok(vec![Figure { value: grown as f64 / count as f64, measured: None }])
    }

    fn burst(&mut self) -> Result<Vec<Figure>> {
        const PEERS: usize = 500;
        let mut load = Visit::new(PEERS, WORKLOAD);
        let window = Window { time: self.time, jobs: PEERS as u64 };
        let measured = measure(&mut self.net, &mut load, self.pid, window)?;
        let value = measured.tally.latency.percentile(0.99).as_secs_f64() * 1e3;
        Ok(vec![Figure { value, measured: Some(measured) }])
    }

    fn status(&mut self) -> Result<Vec<Figure>> {
        const FUNCTIONS: usize = 20_000;
        self.net.connect_many(1, |out, _| {
            for number in 0..FUNCTIONS {
                crate::wire::put(
                    out,
                    lineshaft::protocol::Command::CanDo,
                    &[Template::function(number).as_bytes()],
                );
            }
        })?;
        let mut load = Status::connect(&mut self.net)?;
        apply(&mut self.net, &mut load, Window { time: self.time, jobs: 2 })?;
        load.waits = Default::default();
        let mut figure = self.measure(&mut load, 20)?;
        let latency = figure.measured.as_ref().map(|measured| measured.tally.latency.percentile(0.5));
        figure.value = latency.unwrap_or_default().as_secs_f64() * 1e3;
        let wait = load.waits.percentile(0.5).as_secs_f64() * 1e3;
        Ok(vec![figure, Figure { value: wait, measured: None }])
    }
}
