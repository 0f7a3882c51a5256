//! The server as a whole, and functions.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, Call, Problem, ok, page};
use crate::broker::report::FunctionReport;
use crate::broker::{Counters, Histogram, Stats};
use crate::server::http::text::put_name;
use crate::server::{Report, Staff, View};

pub(super) fn status(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    ok(&report(&view.report()))
}

pub(super) fn functions(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&["from", "limit"])?;
    let (from, limit) = page(call, u32::MAX.into())?;
    let staff = view.staff();
    let page = view.functions(from as u32, limit);
    let functions = page.items.iter().map(|one| {
        let staff = staff.as_ref().map(|staff| staff.get(&one.place).copied().unwrap_or_default());
        function_value(one, staff)
    });
    ok(&json!({ "functions": functions.collect::<Vec<_>>(), "next": page.next }))
}

pub(super) fn function(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let Some(one) = view.function(&call.param) else {
        let text = "There is no function of this name";
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_function", text));
    };
    let staff = view.staff().map(|staff| staff.get(&one.place).copied().unwrap_or_default());
    ok(&function_value(&one, staff))
}

fn report(report: &Report) -> Value {
    let broker = &report.broker;
    json!({
        "version": broker.version,
        "pid": broker.pid,
        "uptime_seconds": report.uptime.as_secs_f64(),
        "started_at": report.started.as_secs_f64(),
        "ready": report.unready().is_none(),
        "not_ready_because": report.unready(),
        "draining": broker.draining || report.stopping,
        "functions": broker.functions,
        "jobs": {
            "queued": broker.queued,
            "delayed": broker.delayed,
            "running": broker.running,
        },
        "queue_bytes": broker.queue_bytes,
        "max_queue_bytes": broker.max_queue_bytes,
        "waiting_clients": broker.waiting,
        "workers": {
            "registered": broker.workers,
            "busy": broker.busy_workers,
            "abilities": broker.abilities,
        },
        "schedules": broker.schedules,
        "connections": report.connections,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "backlog_bytes": report.backlog,
        "store": { "name": broker.store, "failing": broker.store_failing },
        "counters": stats_value(&broker.stats),
    })
}

fn stats_value(stats: &Stats) -> Value {
    json!({
        "connections": stats.connections,
        "submitted": stats.submitted,
        "coalesced": stats.coalesced,
        "assigned": stats.assigned,
        "done": stats.completed,
        "failed": stats.failed,
        "exceptions": stats.excepted,
        "retried": stats.given_back,
        "timed_out": stats.timed_out,
        "dropped": stats.dropped,
        "abandoned": stats.abandoned,
        "cancelled": stats.cancelled,
        "late_results": stats.late_results,
        "noops": stats.noops,
        "errors": stats.errors,
        "schedules_skipped": stats.schedules_skipped,
    })
}

fn function_value(one: &FunctionReport, staff: Option<Staff>) -> Value {
    let mut value = Map::new();
    put_name(&mut value, "name", &one.name);
    let by_priority = |counts: [u32; 3]| json!({ "high": counts[0], "normal": counts[1], "low": counts[2] });
    let rest = json!({
        "queued": by_priority(one.queued),
        "delayed": one.delayed,
        "running": one.running,
        "workers": one.workers,
        "idle_workers": staff.map(|staff| staff.idle),
        "busy_workers": staff.map(|staff| staff.busy),
        "max_queue": by_priority(one.max_queue),
        "bytes": one.bytes,
        "oldest_seconds": one.oldest.map(|age| age.as_secs_f64()),
        "counters": counters_value(&one.counters),
        "wait": histogram_value(&one.counters.wait),
        "run": histogram_value(&one.counters.run),
    });
    if let Value::Object(rest) = rest {
        value.extend(rest);
    }
    Value::Object(value)
}

fn counters_value(counters: &Counters) -> Value {
    json!({
        "added": counters.added,
        "done": counters.done,
        "failed": counters.failed,
        "exceptions": counters.exceptions,
        "retried": counters.retried,
        "timed_out": counters.timed_out,
        "cancelled": counters.cancelled,
        "dropped": counters.dropped,
        "abandoned": counters.abandoned,
    })
}

/// How many durations are in each range, and the longest duration that each range but the last holds.
fn histogram_value(histogram: &Histogram) -> Value {
    json!({
        "count": histogram.count(),
        "sum_seconds": histogram.sum().as_secs_f64(),
        "up_to_seconds": Histogram::BOUNDS.map(|bound| bound.as_secs_f64()),
        "counts": histogram.counts(),
    })
}
