//! The report for programs.

use serde_json::{Map, Value, json};

use crate::report::{Report, Row, Summary};
use crate::scenario::Unit;

/// All figures of all rounds.
pub(crate) fn report(reports: &[Report], settings: Value) -> Value {
    let lines = reports.iter().flat_map(|report| report.rows.iter().map(move |row| line(report, row)));
    json!({ "settings": settings, "lines": lines.collect::<Vec<_>>() })
}

fn line(report: &Report, row: &Row) -> Value {
    let servers = report.variants.iter().zip(&row.columns);
    let servers = servers.filter_map(|(variant, summary)| Some((variant.name(), server(summary.as_ref()?))));
    let targets = report.verdicts(row);
    let targets = targets.iter().map(|verdict| json!({ "target": verdict.target, "met": verdict.met }));
    json!({
        "line": row.line.id,
        "title": row.line.title.trim(),
        "unit": match row.line.unit {
            Unit::MicrosPerJob => "cpu_us_per_job",
            Unit::Micros => "us",
            Unit::Millis => "ms",
            Unit::Bytes => "bytes",
            Unit::Packets => "packets_per_job",
            Unit::JobsPerSecond => "jobs_per_cpu_second",
        },
        "servers": servers.collect::<Map<_, _>>(),
        "ratio_to": report.rivals().map(|kind| (kind.name().into(), report.ratio(row, kind).into())).collect::<Map<_, _>>(),
        "targets": targets.collect::<Vec<_>>(),
    })
}

fn server(summary: &Summary) -> Value {
    let mut fields = Map::new();
    fields.insert("median".into(), summary.value.into());
    fields.insert("rounds".into(), summary.values.clone().into());
    if let Some(jobs) = &summary.jobs {
        for (name, value) in [
            ("jobs_per_second", jobs.rate),
            ("latency_us_p50", jobs.p50),
            ("latency_us_p90", jobs.p90),
            ("latency_us_p99", jobs.p99),
            ("latency_us_longest", jobs.longest),
            ("server_busy", jobs.server_busy),
            ("load_busy", jobs.load_busy),
        ] {
            fields.insert(name.into(), value.into());
        }
    }
    fields.into()
}
