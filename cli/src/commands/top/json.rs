//! A look as JSON.

use serde_json::{Value, json};

use super::Sort;
use super::sample::{Function, Sample};
use crate::render::visible;

/// One object; what the server does not tell is null.
pub(super) fn of(sample: &Sample, sort: Sort) -> Value {
    let [queued, running] = sample.totals();
    let function = |function: &&Function| {
        json!({
            "function": function.name,
            "queued": function.queued,
            "running": function.running,
            "workers": function.workers,
            "change_per_second": function.change,
            "done_per_second": function.done,
            "oldest_seconds": function.oldest.map(|age| age.as_secs_f64()),
        })
    };
    let functions: Vec<Value> = sample.sorted(sort).iter().map(function).collect();
    let workers: Vec<Value> = sample
        .workers
        .iter()
        .map(|worker| json!({ "address": worker.address, "id": worker.id, "functions": worker.functions }))
        .collect();
    let alarms: Vec<Value> = sample
        .alarms
        .iter()
        .map(|alarm| {
            let function = alarm.function().map(String::from_utf8_lossy);
            json!({ "kind": alarm.kind(), "function": function, "text": visible(&alarm.to_string()) })
        })
        .collect();
    let store = sample.store.as_ref().map(|row| json!({ "store": row.store, "failing": row.failing }));
    json!({
        "time": sample.time.timestamp().to_string(),
        "server": sample.server,
        "version": sample.version,
        "queued": queued,
        "running": running,
        "connections": sample.connections,
        "store": store,
        "functions": functions,
        "workers": workers,
        "alarms": alarms,
        "more_alarms": sample.more_alarms,
    })
}
