//! Doing something: submit, wait, cancel.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::jobs::unknown_job;
use super::submit::{MAX_WAIT, Submission, WAIT};
use super::{Answer, Call, Problem, json_answer, ok};
use crate::error::ErrorKind;
use crate::protocol::Request;
use crate::server::http::caller::{Caller, Said, order};
use crate::server::http::listen::House;
use crate::server::http::text::put_data;

/// `POST /api/jobs`.
pub(super) async fn submit(house: &House, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    let submission = Submission::read(&call.body)?;
    let mut caller = Caller::open(house.view.shared(), &call.who)?;
    if !submission.background {
        caller.request(&Request::SetOption { name: b"exceptions" })?;
    }
    let packet = submission.packet(house.wall());
    caller.request(&Request::Submit(packet))?;
    let handle = match caller.next().await? {
        Said::Created(handle) => handle,
        Said::Refused(code, text) => return Err(refused(&code, text)),
        other => return Err(odd(&other)),
    };
    if submission.background {
        let value = json!({ "handle": String::from_utf8_lossy(&handle) });
        return Ok(json_answer(StatusCode::CREATED, &value));
    }
    outcome(house, &mut caller, &handle, submission.timeout).await
}

/// `GET /api/jobs/{handle}/result`.
pub(super) async fn result(house: &House, call: &Call) -> Result<Answer, Problem> {
    call.allow(&["timeout"])?;
    let timeout = Duration::from_secs(call.number("timeout", WAIT, MAX_WAIT)?);
    let mut caller = Caller::open(house.view.shared(), &call.who)?;
    caller.request(&Request::SetOption { name: b"exceptions" })?;
    caller.watch(&call.param)?;
    match caller.next().await? {
        Said::Created(handle) => outcome(house, &mut caller, &handle, timeout).await,
        Said::Refused(code, text) => Err(refused(&code, text)),
        other => Err(odd(&other)),
    }
}

/// `DELETE /api/jobs/{handle}` and `DELETE /api/schedules/{handle}`.
pub(super) async fn cancel(house: &House, call: &Call) -> Result<Answer, Problem> {
    call.allow(&[])?;
    if call.param.iter().any(|byte| *byte <= b' ') {
        return Err(unknown_job());
    }
    let line = [b"cancel job ", &call.param[..]].concat();
    let answer = order(house, &call.who, &line).await?;
    if answer.starts_with(b"OK") {
        ok(&json!({ "cancelled": String::from_utf8_lossy(&call.param) }))
    } else {
        Err(unknown_job())
    }
}

/// Waits for the end of a job and says how it ended.
async fn outcome(
    house: &House,
    caller: &mut Caller,
    handle: &Bytes,
    timeout: Duration,
) -> Result<Answer, Problem> {
    let (mut result, mut warnings) = (BytesMut::new(), Vec::new());
    let mut left = house.settings.max_result;
    let handle = String::from_utf8_lossy(handle).into_owned();
    let problem = |status, code, text: String| {
        Problem::new(status, code, text).with_detail("handle", handle.clone().into())
    };
    let end = tokio::time::timeout(timeout, async {
        loop {
            let said = caller.next().await?;
            let (Said::Data(data) | Said::Warning(data) | Said::Complete(data)) = &said else {
                return Ok::<_, Problem>(said);
            };
            let limit = house.settings.max_result;
            left = left.checked_sub(data.len()).ok_or_else(|| {
                let text = format!("The result has more than {limit} bytes (http-max-result)");
                problem(StatusCode::INTERNAL_SERVER_ERROR, "result_too_large", text)
            })?;
            match said {
                Said::Warning(data) => warnings.push(data),
                Said::Data(data) => result.extend_from_slice(&data),
                said => return Ok(said),
            }
        }
    });
    let Ok(end) = end.await else {
        let text = format!("The job has not ended in {} s; it may run on", timeout.as_secs());
        return Err(problem(StatusCode::GATEWAY_TIMEOUT, "timeout", text));
    };
    match end? {
        Said::Complete(rest) => {
            let result = if result.is_empty() { rest } else { [&result[..], &rest].concat().into() };
            let mut value = Map::new();
            put_data(&mut value, "result", &result);
            value.insert("handle".into(), handle.into());
            if !warnings.is_empty() {
                let warnings = warnings.iter().map(|warning| {
                    let mut value = Map::new();
                    put_data(&mut value, "warning", warning);
                    Value::Object(value)
                });
                value.insert("warnings".into(), warnings.collect());
            }
            ok(&Value::Object(value))
        }
        Said::Exception(data) => {
            let text = "The worker ended the job with an exception";
            let mut exception = problem(StatusCode::INTERNAL_SERVER_ERROR, "job_exception", text.into());
            put_data(&mut exception.details, "exception", &data);
            Err(exception)
        }
        Said::Fail => {
            let text = "The job failed";
            Err(problem(StatusCode::INTERNAL_SERVER_ERROR, "job_failed", text.into()))
        }
        Said::Refused(code, text) => Err(refused(&code, text)),
        other => Err(odd(&other)),
    }
}

/// What the broker refuses.
fn refused(code: &str, text: String) -> Problem {
    let (status, code) = match ErrorKind::from_name(code.as_bytes()) {
        ErrorKind::JobNotFound => return unknown_job(),
        ErrorKind::QueueError | ErrorKind::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, "refused"),
        ErrorKind::Closed => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        ErrorKind::ArgumentTooLarge | ErrorKind::DataTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        ErrorKind::InvalidArgument | ErrorKind::InvalidFunctionName => {
            (StatusCode::BAD_REQUEST, "bad_request")
        }
        _ => (StatusCode::FORBIDDEN, "refused"),
    };
    Problem::new(status, code, text)
}

fn odd(said: &Said) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("The broker says {said:?}"))
}
