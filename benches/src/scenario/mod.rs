//! What is measured: one entry for each line of the tables.

mod durable;
mod memory;

use std::path::PathBuf;
use std::time::Duration;

use crate::Result;
use crate::contestant::Kind;
use crate::load::{Drain, Submit, Template};
use crate::measure::{Load, Measured, Window, apply, measure};
use crate::net::Net;
use crate::server::Server;

/// Workloads, in bytes, where nothing else is said.
const WORKLOAD: usize = 100;
const FUNCTION: &str = "function";
/// A window may be cut short by its number of jobs, but not by this one.
const MANY: u64 = 3_000_000;
/// No scenario fills a queue for longer than this.
const FILL_TIME: Duration = Duration::from_secs(300);

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// The server's CPU time for one job, in microseconds.
    MicrosPerJob,
    /// Time that somebody waits, in microseconds.
    Micros,
    /// Time that somebody waits, in milliseconds.
    Millis,
    /// Resident memory for one of something, in bytes.
    Bytes,
    /// Packets for one job.
    Packets,
    /// Jobs for each second of CPU time.
    JobsPerSecond,
}

/// What the design asks of us.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At most this part of another one's figure in the same run.
    Of(Kind, f64),
    /// At least the rate of another one in the same run.
    RateOf(Kind),
    /// At most so much more than our own figure in this other line.
    Above(&'static str, f64),
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Not above our own figure in this other line; less than a quarter more means nothing.
    FlatTo(&'static str),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Its name for `--only` and in JSON.
    pub(crate) id: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) targets: &'static [Target],
}

/// Which servers run a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Everybody,
    /// gearmand with its defaults in the first round only: it may need minutes.
    DefaultsOnce,
    /// gearmand with its defaults not at all: it would need minutes, or is no comparison.
    NotDefaults,
    /// Nobody else can.
    OursOnly,
}

/// Work for one fresh server, which gives the figures of one or more lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) lines: &'static [Line],
    pub(crate) who: Who,
    /// Rounds beyond this are left out: the figure does not depend on how busy the machine is.
    pub(crate) rounds: usize,
    /// Shows whether more cores help.
    pub(crate) for_more_cores: bool,
    run: fn(&mut Stage) -> Result<Vec<Figure>>,
}

/// One figure of one line, from one round.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// The window it comes from, where jobs were run.
    pub(crate) measured: Option<Measured>,
}

/// Where a scenario takes place.
struct Stage {
    net: Net,
    /// The server process.
    pid: u32,
    /// Where the server keeps its files.
    folder: PathBuf,
    kind: Kind,
    time: Duration,
    deep: bool,
}

impl Scenario {
    /// One of its lines has this name.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.lines.iter().any(|line| line.id == id)
    }

    /// It is measured where only these lines are asked for; where none is, all are, or all that show whether more `cores` help.
    pub(crate) fn is_chosen(&self, only: &[String], cores: usize) -> bool {
        match only {
            [] => cores == 1 || self.for_more_cores,
            only => only.iter().any(|id| self.has(id)),
        }
    }

    /// Applies the scenario to a fresh server. There are as many figures as lines, or fewer where the last ones were not
    /// asked for.
    pub(crate) fn run(&self, server: &Server, kind: Kind, time: Duration, deep: bool) -> Result<Vec<Figure>> {
        (self.run)(&mut Stage {
            net: Net::new(server.address(), kind.language())?,
            pid: server.pid(),
            folder: server.folder().to_owned(),
            kind,
            time,
            deep,
        })
    }
}

const fn us(id: &'static str, title: &'static str, targets: &'static [Target]) -> Line {
    Line { id, title, unit: Unit::MicrosPerJob, targets }
}

const fn scenario(lines: &'static [Line], run: fn(&mut Stage) -> Result<Vec<Figure>>) -> Scenario {
    Scenario { lines, who: Who::Everybody, rounds: usize::MAX, for_more_cores: false, run }
}

/// The lines of one kind of servers, which are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Jobs end with the server.
    Memory,
    /// An answer says that the job is on the disk.
    Durable,
}

impl Group {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Durable];

    /// Everything that is measured, in the order of the table.
    pub(crate) const fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Memory => memory::SCENARIOS,
            Self::Durable => durable::SCENARIOS,
        }
    }
}

/// The most connections of a scenario, on either side, and some files beside.
pub(crate) const DESCRIPTORS: u64 = 10_200;

impl Stage {
    /// The server's CPU time for a job of `load`, after a while of getting warm.
    fn per_job(&mut self, load: &mut impl Load, jobs: u64) -> Result<Vec<Figure>> {
        let warm = Window { time: self.time / 8, jobs: jobs / 8 };
        apply(&mut self.net, load, warm)?;
        Ok(vec![self.measure(load, jobs)?])
    }

    fn measure(&mut self, load: &mut impl Load, jobs: u64) -> Result<Figure> {
        let window = Window { time: self.time, jobs };
        let measured = measure(&mut self.net, load, self.pid, window)?;
        if measured.tally.jobs == 0 {
            return Err("no job was done".into());
        }
        Ok(Figure { value: measured.micros_per_job(), measured: Some(measured) })
    }

    /// What is submitted where nothing else is said. What gearmand stores has a unique: without one it would store each job in the
    /// place of the last.
    fn job(&self) -> Template {
        match self.kind {
            Kind::Redis => Template::push(FUNCTION, WORKLOAD),
            Kind::GearmandSqlite => Template::background_unique(FUNCTION, WORKLOAD),
            _ => Template::background(FUNCTION, WORKLOAD),
        }
    }

    /// Submits until `jobs` jobs have been submitted in all.
    fn fill(&mut self, load: &mut Submit, jobs: u64) -> Result<()> {
        let missing = jobs.saturating_sub(load.submitted());
        apply(&mut self.net, load, Window { time: FILL_TIME, jobs: missing })?;
        if load.submitted() < jobs {
            return Err(format!("only {} of {jobs} jobs could be queued in {FILL_TIME:?}", load.submitted()));
        }
        Ok(())
    }

    fn submit(&mut self, connections: usize, outstanding: usize) -> Result<Vec<Figure>> {
        let template = self.job();
        let mut load = Submit::connect(&mut self.net, connections, outstanding, template, u64::MAX)?;
        self.per_job(&mut load, MANY)
    }

    /// So many `jobs` are queued for each second of the window; where they are too few the window ends early.
    fn drain(&mut self, grabs: usize, jobs: u64) -> Result<Vec<Figure>> {
        let jobs = (jobs as f64 * self.time.as_secs_f64()) as u64;
        let template = self.job();
        let mut filler = Submit::connect(&mut self.net, 8, 32, template, u64::MAX)?;
        self.fill(&mut filler, jobs)?;
        let mut load = Drain::connect(&mut self.net, 16, grabs, FUNCTION)?;
        self.per_job(&mut load, MANY)
    }
}
