//! A look as JSON.

use serde_json::{Value, json};

use super::Sort;
use super::sample::{Alarm, Function, Sample};

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
            "delayed": function.delayed,
            "added_per_second": function.rates.map(|rates| rates[0]),
            "done_per_second": function.rates.map(|rates| rates[1]),
            "failed_per_second": function.rates.map(|rates| rates[2]),
            "oldest_seconds": function.oldest.map(|age| age.as_secs_f64()),
        })
    };
    let functions: Vec<Value> = sample.sorted(sort).iter().map(function).collect();
    let workers: Vec<Value> = sample
        .workers
        .iter()
        .map(|worker| {
            let job = worker.runs.as_ref().map(|(job, function, age)| {
                json!({ "handle": job, "function": function, "seconds": age.as_secs_f64() })
            });
            json!({
                "address": worker.address,
                "id": worker.id,
                "state": worker.state,
                "job": job,
                "functions": worker.functions,
                "all_functions": worker.all_functions,
            })
        })
        .collect();
    let alarm = |alarm: &Alarm| json!({ "kind": alarm.kind, "function": alarm.function, "text": alarm.text });
    let alarms: Vec<Value> = sample.alarms.iter().map(alarm).collect();
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
    })
}
