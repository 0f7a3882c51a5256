//! What the figures say.

use std::time::Duration;

use crate::scenario::{Figure, Line, Target};
use crate::server::{Kind, Variant};

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

/// All rows, and whose columns they have.
#[derive(Debug)]
pub(crate) struct Report {
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
    /// The column of a server with one core.
    fn column(&self, kind: Kind) -> Option<usize> {
        self.variants.iter().position(|variant| *variant == Variant { kind, cores: 1 })
    }

    /// A server's median in a row.
    pub(crate) fn value(&self, row: &Row, kind: Kind) -> Option<f64> {
        row.columns[self.column(kind)?].as_ref().map(|summary| summary.value)
    }

    /// Our median as a part of another server's.
    pub(crate) fn ratio(&self, row: &Row, to: Kind) -> Option<f64> {
        let other = self.value(row, to).filter(|value| *value > 0.0)?;
        Some(self.value(row, Kind::Ours)? / other)
    }

    /// The rate of each server with several cores, as a multiple of its rate with one.
    pub(crate) fn gains(&self, row: &Row) -> impl Iterator<Item = (Variant, f64)> {
        let rate = |column: usize| Some(row.columns[column].as_ref()?.jobs.as_ref()?.rate);
        self.variants.iter().enumerate().filter(|(_, variant)| variant.cores > 1).filter_map(
            move |(column, variant)| {
                let one = rate(self.column(variant.kind)?)?;
                Some((*variant, rate(column)? / one))
            },
        )
    }

    /// Each target of a row.
    pub(crate) fn verdicts(&self, row: &Row) -> Vec<Verdict> {
        row.line.targets.iter().map(|target| self.verdict(row, *target)).collect()
    }

    fn verdict(&self, row: &Row, target: Target) -> Verdict {
        let ours = self.value(row, Kind::Ours);
        match target {
            Target::OfTuned(part) => Verdict {
                target: format!("{part:.2} of tuned"),
                met: self.ratio(row, Kind::Tuned).map(|ratio| ratio <= part),
            },
            Target::AtMost(most) => {
                Verdict { target: format!("at most {most}"), met: ours.map(|ours| ours <= most) }
            }
            Target::AtLeast(least) => {
                Verdict { target: format!("at least {least}"), met: ours.map(|ours| ours >= least) }
            }
            Target::FlatTo(id) => {
                let other = self.rows.iter().find(|row| row.line.id == id);
                let other = other.and_then(|row| self.value(row, Kind::Ours));
                Verdict {
                    target: format!("flat to {id}"),
                    met: ours.zip(other).map(|(ours, other)| ours <= other * NOISE),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Unit;

    const LINES: [Line; 2] = [
        Line { id: "small", title: "", unit: Unit::MicrosPerJob, targets: &[Target::OfTuned(0.5)] },
        Line {
            id: "large",
            title: "",
            unit: Unit::MicrosPerJob,
            targets: &[Target::FlatTo("small"), Target::AtMost(3.0)],
        },
    ];

    fn figures(values: &[f64]) -> Option<Summary> {
        Summary::of(&values.iter().map(|value| Figure { value: *value, measured: None }).collect::<Vec<_>>())
    }

    #[test]
    fn verdicts_compare_medians() {
        let variants = vec![Variant { kind: Kind::Ours, cores: 1 }, Variant { kind: Kind::Tuned, cores: 1 }];
        let rows = vec![
            Row { line: &LINES[0], columns: vec![figures(&[9.0, 1.0, 2.0]), figures(&[4.0, 4.0])] },
            Row { line: &LINES[1], columns: vec![figures(&[2.6, 2.6]), None] },
        ];
        let report = Report { variants, rows };
        let met = |row: usize| {
            report.verdicts(&report.rows[row]).iter().map(|verdict| verdict.met).collect::<Vec<_>>()
        };
        assert_eq!(met(0), [Some(true)]);
        assert_eq!(met(1), [Some(false), Some(true)]);
        assert_eq!(report.ratio(&report.rows[1], Kind::Tuned), None);
    }

    #[test]
    fn nothing_measured_is_no_summary() {
        assert!(figures(&[]).is_none());
    }
}
