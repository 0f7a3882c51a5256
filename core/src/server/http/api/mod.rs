//! The endpoints under `/api/`.

mod jobs;
mod status;
mod workers;

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::Value;

use super::answer::{Answer, Problem, json_answer};
use super::dashboard;
use super::listen::House;
use super::route::{Call, Endpoint};

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
        Endpoint::Cancel => dashboard::cancel(house, call).await,
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
