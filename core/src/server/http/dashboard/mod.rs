//! The dashboard: one page that is HTML of ours alone, reads without JavaScript, and keeps itself up to date with it.
//!
//! A [`Snapshot`](snapshot::Snapshot) is taken when somebody wants one and shared by all who do within the second; nothing is computed
//! while nobody looks.

mod live;
mod page;
mod query;
mod snapshot;

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::answer::{Answer, Body, Problem, answer, json_answer};
use super::caller::order;
use super::listen::House;
use super::route::{Call, pairs};
use super::text::put_name;
use live::{Listeners, Watched};
use query::{Notice, Query};
use snapshot::Snapshots;

/// What the dashboard keeps between requests.
#[derive(Debug, Default)]
pub(super) struct Dashboard {
    snapshots: Snapshots,
    listeners: Listeners,
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");
const ICON: &str = include_str!("icon.svg");

/// `GET /`.
pub(super) fn page(house: &House, call: &Call) -> Result<Answer, Problem> {
    let query = Query::of(call)?;
    let snapshot = house.dashboard.snapshots.get(&house.view);
    let main = page::main(&house.view, &snapshot, &query, call.may_change);
    match main.and_then(|main| page::whole(main, &query)) {
        Ok(html) => Ok(answer(StatusCode::OK, "text/html; charset=utf-8", html)),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not_rendered", error.to_string())),
    }
}

/// `GET /events`: the changing part of the page, again and again.
pub(super) fn events(house: &Arc<House>, call: &Call) -> Result<Answer, Problem> {
    let watched = Watched { query: Query::of(call)?, may_cancel: call.may_change };
    let Some(events) = live::listen(house, watched) else {
        let text = format!(
            "The limit of {} who watch at once (http-listeners) is reached",
            house.settings.max_listeners
        );
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners", text));
    };
    let mut stream = answer(StatusCode::OK, "text/event-stream", "");
    *stream.body_mut() = Body::Pieces(events);
    Ok(stream)
}

/// `GET /dashboard/...`: what the page is made with.
pub(super) fn asset(call: &Call) -> Result<Answer, Problem> {
    let (content, text) = match &call.param[..] {
        b"style.css" => ("text/css; charset=utf-8", STYLE),
        b"live.js" => ("text/javascript; charset=utf-8", SCRIPT),
        b"icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "The dashboard has no such file")),
    };
    Ok(answer(StatusCode::OK, content, text))
}

/// `POST /cancel`: what the buttons of the page send. The answer leads back to the page.
pub(super) async fn cancel(house: &House, call: &Call) -> Result<Answer, Problem> {
    let text = std::str::from_utf8(&call.body).ok();
    let fields = text.and_then(pairs).ok_or_else(|| Problem::bad("The body is no form"))?;
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| &value[..]);
    let handle = field("handle").filter(|handle| handle.iter().all(u8::is_ascii_graphic));
    let Some(handle) = handle.filter(|handle| !handle.is_empty()) else {
        return Err(Problem::bad("The field 'handle' is not the handle of a job"));
    };
    let line = [b"cancel job ", handle].concat();
    let notice = match &order(house, &call.who, &line).await?[..] {
        b"OK" => Notice::Cancelled,
        _ => Notice::Gone,
    };
    // Only what is a page of ours is led back to.
    let back = field("back").and_then(|back| std::str::from_utf8(back).ok()).unwrap_or_default();
    let back = Query::parse(back.trim_start_matches('?')).unwrap_or_default();
    let back = format!("/{}", back.with(|query| query.notice = Some(notice)));
    let mut answer = Response::new(Body::Whole(Bytes::new()));
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let back = HeaderValue::try_from(back).map_err(|_| Problem::bad("The field 'back' is no page"))?;
    answer.headers_mut().insert(LOCATION, back);
    Ok(answer)
}

/// `GET /api/alarms`.
pub(super) fn alarms(house: &House, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let snapshot = house.dashboard.snapshots.get(&house.view);
    let alarm = |alarm: &crate::broker::Alarm| {
        let mut value = serde_json::Map::new();
        value.insert("kind".into(), alarm.kind().into());
        match alarm.function() {
            Some(name) => put_name(&mut value, "function", name),
            None => drop(value.insert("function".into(), serde_json::Value::Null)),
        }
        value.insert("text".into(), alarm.to_string().into());
        serde_json::Value::Object(value)
    };
    let limits = house.view.alarm_limits();
    let value = json!({
        "alarms": snapshot.alarms.iter().map(alarm).collect::<Vec<_>>(),
        "more": snapshot.more_alarms,
        "limits": { "oldest_seconds": limits.oldest.as_secs_f64(), "wake_seconds": limits.wake.as_secs_f64() },
    });
    Ok(json_answer(StatusCode::OK, &value))
}
