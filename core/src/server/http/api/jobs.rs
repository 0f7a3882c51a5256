//! Jobs and schedules, to be looked at.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, Call, Problem, ok, page};
use crate::broker::Right;
use crate::broker::report::{JobFilter, JobReport, JobState, JobStateName, ScheduleReport};
use crate::server::View;
use crate::server::http::answer::answer;
use crate::server::http::text::put_name;
use crate::types::Priority;

pub(super) fn jobs(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&["from", "limit", "function", "state"])?;
    let (from, limit) = page(call, u32::MAX.into())?;
    let state = match call.word("state")? {
        None => None,
        Some("queued") => Some(JobStateName::Queued),
        Some("delayed") => Some(JobStateName::Delayed),
        Some("running") => Some(JobStateName::Running),
        Some(_) => return Err(Problem::bad("The query 'state' is queued, delayed or running")),
    };
    let page = view.jobs(from as u32, limit, JobFilter { function: call.bytes("function"), state });
    let jobs: Vec<_> = page.items.iter().map(job_value).collect();
    ok(&json!({ "jobs": jobs, "next": page.next }))
}

pub(super) fn job(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let job = view.job(&call.param).ok_or_else(unknown_job)?;
    ok(&job_value(&job))
}

/// What a job is about, as it was submitted.
pub(super) fn workload(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let function = view.job(&call.param).ok_or_else(unknown_job)?.function;
    let permitted = view.permit(&call.who.identity, Right::Work, &function);
    permitted.map_err(|why| Problem::new(StatusCode::FORBIDDEN, "refused", why))?;
    let workload = view.workload(&call.param).ok_or_else(unknown_job)?;
    Ok(answer(StatusCode::OK, "application/octet-stream", workload))
}

/// Why a job, or the next one of a function, does not run.
pub(super) fn explain(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let why = view.explain(&call.param);
    let mut value = Map::new();
    put_name(&mut value, "about", &why.about);
    value.insert("reason".into(), why.reason.code().into());
    value.insert("text".into(), why.to_string().into());
    ok(&Value::Object(value))
}

/// There is no such job.
pub(super) fn unknown_job() -> Problem {
    let text = "There is no job of this handle: it has ended, or never was";
    Problem::new(StatusCode::NOT_FOUND, "unknown_job", text)
}

pub(super) fn schedules(view: &View, call: &Call) -> Result<Answer, Problem> {
    call.allow(&["from", "limit"])?;
    let (from, limit) = page(call, u64::MAX)?;
    let page = view.schedules(from, limit);
    let schedules: Vec<_> = page.items.iter().map(schedule_value).collect();
    ok(&json!({ "schedules": schedules, "next": page.next }))
}

/// What is told of a job.
pub(super) fn job_value(job: &JobReport) -> Value {
    let mut value = Map::new();
    value.insert("handle".into(), job.handle.clone().into());
    put_name(&mut value, "function", &job.function);
    put_name(&mut value, "unique", &job.unique);
    if let Some(reducer) = &job.reducer {
        put_name(&mut value, "reducer", reducer);
    }
    let priority = match job.priority {
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    };
    let state = match job.state {
        JobState::Queued { since } => json!({ "state": "queued", "since_seconds": since.as_secs_f64() }),
        JobState::Delayed { due } => json!({ "state": "delayed", "run_at": due }),
        JobState::Running { worker, since, progress } => json!({
            "state": "running",
            "since_seconds": since.as_secs_f64(),
            "connection": worker.slot(),
            "progress": { "numerator": progress.numerator, "denominator": progress.denominator },
        }),
    };
    let rest = json!({
        "priority": priority,
        "background": job.background,
        "returns": job.returns,
        "clients": job.clients,
        "workload_bytes": job.workload_len,
        "schedule": job.schedule,
    });
    for part in [state, rest] {
        if let Value::Object(part) = part {
            value.extend(part);
        }
    }
    Value::Object(value)
}

fn schedule_value(schedule: &ScheduleReport) -> Value {
    let mut value = Map::new();
    value.insert("handle".into(), schedule.handle.clone().into());
    put_name(&mut value, "function", &schedule.function);
    put_name(&mut value, "unique", &schedule.unique);
    let rest = json!({
        "schedule": schedule.line,
        "next_at": schedule.next,
        "fired": schedule.fired,
        "skipped": schedule.skipped,
    });
    if let Value::Object(rest) = rest {
        value.extend(rest);
    }
    Value::Object(value)
}
