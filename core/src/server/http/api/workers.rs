//! Connections and what they do.

use serde_json::{Map, Value, json};

use super::jobs::job_value;
use super::{Answer, Call, Problem, ok, page};
use crate::broker::report::{Activity, ConnectionReport};
use crate::server::View;
use crate::server::http::text::put_name;

/// Abilities and jobs of a connection that are listed where nobody says how many, and the most.
const DETAILS: u64 = 20;
const MAX_DETAILS: u64 = 1000;
/// Abilities and jobs of all connections of an answer: with more details there are fewer connections.
const MAX_ENTRIES: usize = 20_000;

pub(super) fn workers(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&["from", "limit", "details", "all"])?;
    let (from, limit) = page(call, u32::MAX.into())?;
    let details = call.number("details", DETAILS, MAX_DETAILS)? as usize;
    let limit = limit.min(MAX_ENTRIES / details.max(1)).max(1);
    let page = view.connections(from as u32, limit, details, !call.flag("all")?);
    let workers: Vec<_> = page.items.iter().map(worker_value).collect();
    ok(&json!({ "workers": workers, "next": page.next }))
}

fn worker_value(one: &ConnectionReport) -> Value {
    let name = |name: &[u8]| {
        let mut value = Map::new();
        put_name(&mut value, "name", name);
        Value::Object(value)
    };
    let mut value = Map::new();
    value.insert("connection".into(), one.conn.slot().into());
    value.insert("peer".into(), one.peer.to_string().into());
    value.insert("identifier".into(), Value::Null);
    if let Some(identifier) = &one.identifier {
        put_name(&mut value, "identifier", identifier);
    }
    let activity = match one.activity {
        Activity::Awake => "awake",
        Activity::Asleep => "asleep",
        Activity::Woken => "woken",
    };
    let rest = json!({
        "activity": activity,
        "woken_seconds": one.woken.map(|since| since.as_secs_f64()),
        "abilities": one.abilities.iter().map(|one| name(one)).collect::<Vec<_>>(),
        "all_abilities": one.all_abilities,
        "running": one.running.iter().map(job_value).collect::<Vec<_>>(),
        "more_running": one.more_running,
    });
    if let Value::Object(rest) = rest {
        value.extend(rest);
    }
    Value::Object(value)
}
