//! The endpoints under `/api/`.

mod act;
mod jobs;
mod log;
mod status;
mod submit;
mod workers;

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::Value;

use super::answer::{Answer, Problem, answer, json_answer};
use super::dashboard;
use super::health::{alive, ready};
use super::listen::House;
use super::metrics::metrics;
use super::route::{Call, Endpoint};

/// The endpoints in OpenAPI's words.
const DESCRIPTION: &str = include_str!("../openapi.json");

/// Entries of a page where nobody says how many, and the most.
const PAGE: u64 = 100;
const MAX_PAGE: u64 = 1000;

/// Answers a request.
pub(super) async fn run(house: &Arc<House>, call: &Call) -> Result<Answer, Problem> {
    let view = &house.view;
    match call.endpoint {
        Endpoint::Status => status::status(view, call),
        Endpoint::Functions => status::functions(view, call),
        Endpoint::Function => status::function(view, call),
        Endpoint::Workers => workers::workers(view, call),
        Endpoint::Jobs => jobs::jobs(view, call),
        Endpoint::Job => jobs::job(view, call),
        Endpoint::Schedules => jobs::schedules(view, call),
        Endpoint::Alarms => dashboard::alarms(house, call),
        Endpoint::Page => dashboard::page(house, call),
        Endpoint::Events => dashboard::events(house, call),
        Endpoint::Asset => dashboard::asset(call),
        Endpoint::CancelByForm => dashboard::cancel(house, call).await,
        Endpoint::Submit => act::submit(house, call).await,
        Endpoint::Workload => jobs::workload(view, call),
        Endpoint::Result => act::result(house, call).await,
        Endpoint::Cancel => act::cancel(house, call).await,
        Endpoint::Explain => jobs::explain(view, call),
        Endpoint::Log => log::log(view, call),
        Endpoint::SetLog => log::set(house, call).await,
        Endpoint::Description => Ok(answer(StatusCode::OK, "application/json", DESCRIPTION)),
        Endpoint::Metrics => Ok(metrics(view, &call.accept, house.settings.max_metric_functions)),
        Endpoint::Alive => Ok(alive(view)),
        Endpoint::Ready => Ok(ready(view)),
    }
}

fn ok(value: &Value) -> Result<Answer, Problem> {
    Ok(json_answer(StatusCode::OK, value))
}

/// The page that a request asks for: where it begins and how many entries it has.
fn page(call: &Call, places: u64) -> Result<(u64, usize), Problem> {
    let (from, limit) = (call.number("from", 0, places)?, call.number("limit", PAGE, MAX_PAGE)?);
    Ok((from, limit.max(1) as usize))
}
