//! The report for people.

use std::fmt::Write;

use crate::report::{Report, Row, Summary};
use crate::scenario::{Group, Unit};

/// Widest title.
const TITLE: usize = 52;

/// The table of costs, and below it rates and latencies.
pub(crate) fn costs(report: &Report) -> String {
    let heading = match report.group {
        Group::Memory => "the server's cost".to_owned(),
        Group::Durable => format!("the same, jobs durable on {}", report.place.disk),
    };
    let mut text = format!("{heading:TITLE$} {:>5}", "");
    for variant in &report.variants {
        let _ = write!(text, " {:>9}", variant.name());
    }
    for kind in report.rivals() {
        let _ = write!(text, " {:>9}", format!("/{}", kind.name()));
    }
    let _ = writeln!(text, "  target of ours");
    for row in &report.rows {
        let _ = write!(text, "{:TITLE$} {:>5}", row.line.title, unit(row.line.unit));
        for summary in &row.columns {
            let _ = write!(text, " {:>9}", or_dash(summary.as_ref().map(|summary| number(summary.value))));
        }
        for kind in report.rivals() {
            let ratio = report.ratio(row, kind).map(|ratio| format!("{ratio:.2}"));
            let _ = write!(text, " {:>9}", or_dash(ratio));
        }
        let _ = writeln!(text, "  {}", verdicts(report, row));
    }
    text.push('\n');
    text + &rates(report)
}

/// Rates and latencies, one line for each server.
fn rates(report: &Report) -> String {
    let mut text = format!(
        "{:TITLE$} {:>11} {:>10} {:>9} {:>9} {:>9} {:>10} {:>7} {:>6}\n",
        "latency in us", "", "jobs/s", "p50", "p90", "p99", "longest", "server", "load"
    );
    for row in &report.rows {
        let mut title = row.line.title;
        for (variant, summary) in report.variants.iter().zip(&row.columns) {
            let Some(Summary { jobs: Some(jobs), .. }) = summary else { continue };
            let _ = writeln!(
                text,
                "{title:TITLE$} {:>11} {:>10.0} {:>9} {:>9} {:>9} {:>10} {:>6.0}% {:>5.0}%",
                variant.name(),
                jobs.rate,
                number(jobs.p50),
                number(jobs.p90),
                number(jobs.p99),
                number(jobs.longest),
                jobs.server_busy * 100.0,
                jobs.load_busy * 100.0,
            );
            title = "";
        }
    }
    text
}

/// Rates and latencies with one core and with several, and below them what several have brought.
pub(crate) fn more_cores(report: &Report) -> String {
    let mut text = rates(report);
    for row in &report.rows {
        let gains = report.gains(row).map(|(variant, gain)| format!("{} {gain:.2}", variant.name()));
        let gains = gains.collect::<Vec<_>>().join(", ");
        let _ = write!(text, "\n{:TITLE$}  rate over that with one core: {gains}", row.line.title);
        let ours = report.gains(row).find(|(variant, _)| variant.kind.has_targets());
        text.push_str(match ours {
            Some((_, gain)) if gain >= 1.0 => "; target of ours, at least 1: met",
            Some(_) => "; target of ours, at least 1: NOT MET",
            None => "",
        });
    }
    text.push('\n');
    text
}

fn verdicts(report: &Report, row: &Row) -> String {
    let verdicts = report.verdicts(row).into_iter().map(|verdict| {
        let met = match verdict.met {
            Some(true) => ": met",
            Some(false) => ": NOT MET",
            None => "",
        };
        verdict.target + met
    });
    verdicts.collect::<Vec<_>>().join(", ")
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::MicrosPerJob | Unit::Micros => "us",
        Unit::Millis => "ms",
        Unit::Bytes => "B",
        Unit::Packets => "",
        Unit::JobsPerSecond => "job/s",
    }
}

fn number(value: f64) -> String {
    match value {
        large if large >= 1000.0 => format!("{large:.0}"),
        middle if middle >= 100.0 => format!("{middle:.1}"),
        small => format!("{small:.2}"),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}
