//! What the figures say.

use std::time::Duration;

use crate::contestant::{Kind, Variant};
use crate::disk::Place;
use crate::scenario::{Figure, Group, Line, Target};

/// "Gaps under a quarter mean nothing."
const NOISE: f64 = 1.25;

/// One line with what was measured.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: &'static Line,
    /// In the order of the variants; `None` where a server did not take part.
    pub(crate) columns: Vec<Option<Summary>>,
}

/// The rounds of one line and server.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The median of the figures.
    pub(crate) value: f64,
    /// The figures in the order of the rounds.
    pub(crate) values: Vec<f64>,
    /// What else the windows tell, where jobs were run.
    pub(crate) jobs: Option<Jobs>,
}

/// Medians over the rounds.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// Jobs a second.
    pub(crate) rate: f64,
    /// Latencies in microseconds.
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) longest: f64,
    /// Share of one core that the server used.
    pub(crate) server_busy: f64,
    /// Share of one core that the load used: near 1, it was the load that limited the rate.
    pub(crate) load_busy: f64,
}

impl Summary {
    /// `None` where there is no figure.
    pub(crate) fn of(rounds: &[Figure]) -> Option<Self> {
        let values = rounds.iter().map(|figure| figure.value).collect::<Vec<_>>();
        let value = median(values.clone())?;
        Some(Self { value, values, jobs: Jobs::of(rounds) })
    }
}

impl Jobs {
    fn of(rounds: &[Figure]) -> Option<Self> {
        let windows = rounds.iter().filter_map(|figure| figure.measured.as_ref()).collect::<Vec<_>>();
        let median_of = |read: &dyn Fn(&crate::measure::Measured) -> f64| {
            median(windows.iter().map(|window| read(window)).collect())
        };
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let latency = |share: f64| median_of(&|window| micros(window.tally.latency.percentile(share)));
        Some(Self {
            rate: median_of(&|window| window.rate())?,
            p50: latency(0.5)?,
            p90: latency(0.9)?,
            p99: latency(0.99)?,
            longest: median_of(&|window| micros(window.tally.latency.longest()))?,
            server_busy: median_of(&|window| window.server.as_secs_f64() / window.wall.as_secs_f64())?,
            load_busy: median_of(&|window| window.load.as_secs_f64() / window.wall.as_secs_f64())?,
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// All rows of a group, and whose columns they have.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) group: Group,
    pub(crate) place: Place,
    pub(crate) variants: Vec<Variant>,
    pub(crate) rows: Vec<Row>,
}

/// A target and whether it was met.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The target in words.
    pub(crate) target: String,
    /// `None` where a figure is missing that it needs.
    pub(crate) met: Option<bool>,
}

impl Report {
    /// What a server with one core has in a row.
    fn summary<'a>(&self, row: &'a Row, kind: Kind) -> Option<&'a Summary> {
        let column = self.variants.iter().position(|variant| *variant == Variant { kind, cores: 1 });
        row.columns[column?].as_ref()
    }

    /// What the one in a row has that the targets are for.
    fn ours<'a>(&self, row: &'a Row) -> Option<&'a Summary> {
        let kind = self.variants.iter().map(|variant| variant.kind).find(|kind| kind.has_targets());
        self.summary(row, kind?)
    }

    /// Whom it is compared with.
    pub(crate) fn rivals(&self) -> impl Iterator<Item = Kind> {
        let one = self.variants.iter().filter(|variant| variant.cores == 1).map(|variant| variant.kind);
        one.filter(|kind| !kind.has_targets())
    }

    /// Our median as a part of another server's.
    pub(crate) fn ratio(&self, row: &Row, to: Kind) -> Option<f64> {
        let other = self.summary(row, to)?.value;
        (other > 0.0).then_some(self.ours(row)?.value / other)
    }

    /// The rate of each server with several cores, as a multiple of its rate with one.
    pub(crate) fn gains(&self, row: &Row) -> impl Iterator<Item = (Variant, f64)> {
        let rate = |summary: Option<&Summary>| Some(summary?.jobs.as_ref()?.rate);
        self.variants.iter().enumerate().filter(|(_, variant)| variant.cores > 1).filter_map(
            move |(column, variant)| {
                let one = rate(self.summary(row, variant.kind))?;
                Some((*variant, rate(row.columns[column].as_ref())? / one))
            },
        )
    }

    /// Each target of a row.
    pub(crate) fn verdicts(&self, row: &Row) -> Vec<Verdict> {
        row.line.targets.iter().map(|target| self.verdict(row, *target)).collect()
    }

    fn verdict(&self, row: &Row, target: Target) -> Verdict {
        let ours = self.ours(row).map(|summary| summary.value);
        let elsewhere = |id: &str| Some(self.ours(self.rows.iter().find(|row| row.line.id == id)?)?.value);
        let rate = |summary: Option<&Summary>| Some(summary?.jobs.as_ref()?.rate);
        let (target, met) = match target {
            Target::Of(kind, part) => {
                let met = self.ratio(row, kind).map(|ratio| ratio <= part);
                (format!("{part:.2} of {}", kind.name()), met)
            }
            Target::RateOf(kind) => {
                let rates = rate(self.ours(row)).zip(rate(self.summary(row, kind)));
                (format!("rate of {}", kind.name()), rates.map(|(ours, other)| ours >= other))
            }
            Target::AtMost(most) => (format!("at most {most}"), ours.map(|ours| ours <= most)),
            Target::AtLeast(least) => (format!("at least {least}"), ours.map(|ours| ours >= least)),
            Target::Above(id, more) => {
                let met = ours.zip(elsewhere(id)).map(|(ours, other)| ours <= other + more);
                (format!("{id} and {more}"), met)
            }
            Target::FlatTo(id) => {
                let met = ours.zip(elsewhere(id)).map(|(ours, other)| ours <= other * NOISE);
                (format!("flat to {id}"), met)
            }
        };
        Verdict { target, met }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;
    use crate::measure::{Measured, Tally};
    use crate::scenario::Unit;

    const LINES: [Line; 3] = [
        Line { id: "small", title: "", unit: Unit::MicrosPerJob, targets: &[Target::Of(Kind::Sqlite, 0.5)] },
        Line {
            id: "large",
            title: "",
            unit: Unit::MicrosPerJob,
            targets: &[Target::FlatTo("small"), Target::AtMost(3.0), Target::Above("small", 0.7)],
        },
        Line { id: "fast", title: "", unit: Unit::MicrosPerJob, targets: &[Target::RateOf(Kind::Sqlite)] },
    ];

    fn figures(values: &[f64]) -> Option<Summary> {
        Summary::of(&values.iter().map(|value| Figure { value: *value, measured: None }).collect::<Vec<_>>())
    }

    fn done(jobs: u64) -> Option<Summary> {
        let tally = Tally { jobs, latency: Histogram::default() };
        let second = Duration::from_secs(1);
        let measured = Measured { tally, wall: second, server: second, store: None, load: second };
        Summary::of(&[Figure { value: 1.0, measured: Some(measured) }])
    }

    #[test]
    fn verdicts_compare_medians() {
        let variants = [Kind::Log, Kind::Sqlite].map(|kind| Variant { kind, cores: 1 }).to_vec();
        let rows = vec![
            Row { line: &LINES[0], columns: vec![figures(&[9.0, 1.0, 2.0]), figures(&[4.0, 4.0])] },
            Row { line: &LINES[1], columns: vec![figures(&[2.6, 2.6]), None] },
            Row { line: &LINES[2], columns: vec![done(4), done(5)] },
        ];
        let place = Place { folder: "/tmp".into(), disk: "ext4".into() };
        let report = Report { group: Group::Durable, place, variants, rows };
        let met = |row: usize| {
            report.verdicts(&report.rows[row]).iter().map(|verdict| verdict.met).collect::<Vec<_>>()
        };
        assert_eq!(met(0), [Some(true)]);
        assert_eq!(met(1), [Some(false), Some(true), Some(true)]);
        assert_eq!(met(2), [Some(false)]);
        assert_eq!(report.ratio(&report.rows[1], Kind::Sqlite), None);
        assert_eq!(report.rivals().collect::<Vec<_>>(), [Kind::Sqlite]);
    }

    #[test]
    fn nothing_measured_is_no_summary() {
        assert!(figures(&[]).is_none());
    }
}
