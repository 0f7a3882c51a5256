//! Jobs that are on the disk when the answer comes.

use std::time::Duration;

use super::{Figure, Line, Scenario, Stage, Target, Unit, scenario, us};
use crate::contestant::Kind;
use crate::{Result, disk};

/// The rule that the log earns its place by: the rest of the server does the same for both.
const HALF_OF_SQLITE: Target = Target::Of(Kind::Sqlite, 0.5);
/// What a single submission may take beyond the disk's own time, in microseconds.
const BEYOND_THE_DISK: f64 = 100.0;
/// No longer than this is the disk measured alone.
const DISK_TIME: Duration = Duration::from_millis(500);

/// The line of the store's thread, the last of its scenario: only ours have one.
const fn thread(id: &'static str) -> Line {
    us(id, "    of that, the store's thread", &[HALF_OF_SQLITE])
}

/// Everything that is measured, in the order of the table.
pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        &[
            us(
                "durable-submit",
                "durable submit, 8 connections x 32 outstanding",
                &[Target::Of(Kind::Redis, 1.0), Target::RateOf(Kind::Redis)],
            ),
            thread("durable-submit-store"),
        ],
        |stage| stage.submit(8, 32).map(with_thread),
    ),
    scenario(
        &[
            us("durable-submit-one", "durable submit, one at a time", &[]),
            Line {
                id: "durable-submit-one-p50",
                title: "    latency, p50",
                unit: Unit::Micros,
                targets: &[Target::Above("disk", BEYOND_THE_DISK)],
            },
            Line {
                id: "disk",
                title: "    the disk alone: write of 200 B, fdatasync, p50",
                unit: Unit::Micros,
                targets: &[],
            },
            thread("durable-submit-one-store"),
        ],
        Stage::durable_submit_one,
    ),
    scenario(
        &[
            us("durable-drain", "durable drain, 16 workers, one grab outstanding", &[]),
            thread("durable-drain-store"),
        ],
        |stage| stage.durable_drain(1, 120_000),
    ),
    scenario(
        &[
            us("durable-drain-8", "durable drain, 16 workers, 8 grabs outstanding", &[]),
            thread("durable-drain-8-store"),
        ],
        |stage| stage.durable_drain(8, 600_000),
    ),
];

/// Jobs to drain for each second, enough for gearmand, which needs milliseconds to store each of them.
const SLOW: u64 = 1500;

/// Adds what the store's thread has cost for each job, where there is one.
fn with_thread(mut figures: Vec<Figure>) -> Vec<Figure> {
    let measured = figures.iter().find_map(|figure| figure.measured.as_ref());
    let store = measured.and_then(|measured| Some((measured.store?, measured.tally.jobs)));
    let value = store.map(|(time, jobs)| micros(time) / jobs.max(1) as f64);
    figures.extend(value.map(|value| Figure { value, measured: None }));
    figures
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Stage {
    fn durable_submit_one(&mut self) -> Result<Vec<Figure>> {
        let disk = disk::sync_time(&self.folder, DISK_TIME)?;
        let mut figures = self.submit(1, 1)?;
        let measured = figures.iter().find_map(|figure| figure.measured.as_ref());
        let latency = measured.map(|measured| measured.tally.latency.percentile(0.5));
        let times = [latency.unwrap_or_default(), disk].map(micros);
        figures.extend(times.map(|value| Figure { value, measured: None }));
        Ok(with_thread(figures))
    }

    fn durable_drain(&mut self, grabs: usize, jobs: u64) -> Result<Vec<Figure>> {
        self.drain(grabs, if self.kind == Kind::GearmandSqlite { SLOW } else { jobs }).map(with_thread)
    }
}
