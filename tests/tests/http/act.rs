//! Doing something: submit, wait, cancel.

use anyhow::{Context, Result, ensure};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::http::{Answer, connect, get, post, request};
use lineshaft_tests::wire::{Peer, kind};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use crate::House;

/// A worker that is asked to do one job of `f`, and its handle.
fn assigned(house: &House, function: &str) -> Result<(Peer, String)> {
    let mut worker = house.peer()?;
    worker.request(kind::CAN_DO, &[function.as_bytes()])?;
    let handle = poll(PATIENCE, || {
        worker.request(kind::GRAB_JOB, &[]).ok()?;
        let packet = worker.packet().ok()?;
        let handle = packet.body.split(|byte| *byte == 0).next()?.to_vec();
        (packet.kind == kind::JOB_ASSIGN).then(|| String::from_utf8_lossy(&handle).into_owned())
    });
    Ok((worker, handle.context("no job")?))
}

/// Posts on another thread, because the answer comes when the job has ended.
fn posting(http: SocketAddr, body: Value) -> JoinHandle<Result<Answer>> {
    thread::spawn(move || post(http, "/api/jobs", &body))
}

fn joined(thread: JoinHandle<Result<Answer>>) -> Result<Answer> {
    thread.join().ok().context("the thread has panicked")?
}

#[test]
fn a_foreground_submission_is_answered_by_its_result() -> Result<()> {
    let house = House::new()?;
    let asked = posting(house.http, json!({"function": "f", "workload_base64": "AP8=", "unique": "u"}));
    let (mut worker, handle) = assigned(&house, "f")?;
    ensure!(get(house.http, &format!("/api/jobs/{handle}/workload"))?.body == b"\0\xff");
    for (kind, data) in [(kind::WORK_DATA, &b"one "[..]), (kind::WORK_WARNING, b"careful")] {
        worker.request(kind, &[handle.as_bytes(), data])?;
    }
    worker.request(kind::WORK_STATUS, &[handle.as_bytes(), b"1", b"2"])?;
    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"two"])?;
    let answer = joined(asked)?;
    let expected = json!({"handle": handle, "result": "one two", "warnings": [{"warning": "careful"}]});
    ensure!(answer.status == 200 && answer.json()? == expected, "{answer:?}");

    let asked = posting(house.http, json!({"function": "f"}));
    let (mut worker, handle) = assigned(&house, "f")?;
    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"\xff"])?;
    ensure!(joined(asked)?.json()? == json!({"handle": handle, "result_base64": "/w=="}));
    Ok(())
}

#[test]
fn a_failure_is_no_success() -> Result<()> {
    let house = House::new()?;
    let asked = posting(house.http, json!({"function": "f"}));
    let (mut worker, handle) = assigned(&house, "f")?;
    worker.request(kind::WORK_FAIL, &[handle.as_bytes()])?;
    let answer = joined(asked)?;
    ensure!((answer.status, answer.code().as_deref()) == (500, Some("job_failed")), "{answer:?}");
    ensure!(answer.json()?["error"]["handle"] == handle.as_str());

    let asked = posting(house.http, json!({"function": "f"}));
    let (mut worker, handle) = assigned(&house, "f")?;
    worker.request(kind::WORK_EXCEPTION, &[handle.as_bytes(), b"boom"])?;
    let answer = joined(asked)?;
    ensure!((answer.status, answer.code().as_deref()) == (500, Some("job_exception")), "{answer:?}");
    ensure!(answer.json()?["error"]["exception"] == "boom", "{answer:?}");
    Ok(())
}

#[test]
fn who_stops_waiting_takes_the_job_along() -> Result<()> {
    let house = House::new()?;
    let answer = post(house.http, "/api/jobs", &json!({"function": "f", "timeout": 0}))?;
    ensure!((answer.status, answer.code().as_deref()) == (504, Some("timeout")), "{answer:?}");
    poll(PATIENCE, || (house.server.jobs() == 0).then_some(())).context("the job is still there")?;

    let mut stream = connect(house.http)?;
    let body = r#"{"function": "f"}"#;
    let head = format!("POST /api/jobs HTTP/1.1\r\nHost: x1\r\nContent-Length: {}", body.len());
    let head = head.replace("x1", "localhost");
    write!(stream, "{head}\r\nContent-Type: application/json\r\n\r\n{body}")?;
    poll(PATIENCE, || (house.server.jobs() == 1).then_some(())).context("no job")?;
    drop(stream);
    poll(PATIENCE, || (house.server.jobs() == 0).then_some(())).context("the job is still there")?;
    ensure!(house.server.connections() == 0);
    Ok(())
}

#[test]
fn background_jobs_are_kept_watched_and_cancelled() -> Result<()> {
    let house = House::new()?;
    let submit = |more: Value| -> Result<String> {
        let mut body = json!({"function": "f", "background": true});
        body.as_object_mut().context("an object")?.extend(more.as_object().cloned().unwrap_or_default());
        let answer = post(house.http, "/api/jobs", &body)?;
        ensure!(answer.status == 201, "{answer:?}");
        Ok(answer.json()?["handle"].as_str().context("a handle")?.to_owned())
    };
    let first = submit(json!({"priority": "low", "unique": "a"}))?;
    ensure!(submit(json!({"unique": "a"}))? == first, "the same unique, the same job");
    let late = submit(json!({"delay": 1000}))?;
    let job = get(house.http, &format!("/api/jobs/{late}"))?.json()?;
    ensure!(job["state"] == "delayed" && job["background"] == true, "{job}");

    let http = house.http;
    let path = format!("/api/jobs/{first}/result");
    let watched = thread::spawn(move || get(http, &path));
    poll(PATIENCE, || {
        let job = get(http, &format!("/api/jobs/{first}")).ok()?.json().ok()?;
        (job["clients"] == 1).then_some(())
    })
    .context("nobody watches")?;
    let (mut worker, handle) = assigned(&house, "f")?;
    ensure!(handle == first);
    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"seen"])?;
    ensure!(joined(watched)?.json()?["result"] == "seen");
    let over = get(house.http, &format!("/api/jobs/{first}/result"))?;
    ensure!((over.status, over.code().as_deref()) == (404, Some("unknown_job")), "{over:?}");

    for status in [200, 404] {
        let answer = request(house.http, &format!("DELETE /api/jobs/{late}"), &[], b"")?;
        ensure!(answer.status == status, "{answer:?}");
    }
    ensure!(house.server.jobs() == 0);
    let odd = request(house.http, "DELETE /api/jobs/a%0ab", &[], b"")?;
    ensure!(odd.status == 404, "{odd:?}");

    let answer = post(house.http, "/api/jobs", &json!({"function": "f", "schedule": "0 5 * * 0"}))?;
    let schedules = get(house.http, "/api/schedules")?.json()?;
    ensure!(schedules["schedules"][0]["schedule"] == "0 5 * * 0", "{schedules}");
    let handle = answer.json()?["handle"].as_str().context("a handle")?.to_owned();
    let answer = request(house.http, &format!("DELETE /api/schedules/{handle}"), &[], b"")?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

#[test]
fn what_the_broker_refuses_is_told() -> Result<()> {
    let house = House::new()?;
    for (body, status, code) in [
        (json!({"function": "f".repeat(600), "background": true}), 413, "too_large"),
        (json!({"function": "f", "unique": "u".repeat(65), "background": true}), 413, "too_large"),
        (json!({"function": "f", "unique": "a\0b", "background": true}), 400, "bad_request"),
        (json!({"function": "f", "schedule": "61 * * * *"}), 400, "bad_request"),
        (json!({"function": "f", "colour": 1}), 400, "unknown_field"),
    ] {
        let answer = post(house.http, "/api/jobs", &body)?;
        ensure!((answer.status, answer.code().as_deref()) == (status, Some(code)), "{body}: {answer:?}");
    }
    house.peer()?.text("maxqueue f 1\n")?;
    post(house.http, "/api/jobs", &json!({"function": "g", "background": true}))?;
    house.peer()?.text("maxqueue g 1\n")?;
    let answer = post(house.http, "/api/jobs", &json!({"function": "g", "background": true}))?;
    ensure!((answer.status, answer.code().as_deref()) == (503, Some("refused")), "{answer:?}");
    ensure!(answer.json()?["error"]["message"] == "Job queue is full", "{answer:?}");
    Ok(())
}

#[test]
fn a_result_beyond_the_limit_is_refused_by_name() -> Result<()> {
    let house = House::with(|http| http.max_result = 10)?;
    let asked = posting(house.http, json!({"function": "f"}));
    let (mut worker, handle) = assigned(&house, "f")?;
    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"eleven byte"])?;
    let answer = joined(asked)?;
    ensure!((answer.status, answer.code().as_deref()) == (500, Some("result_too_large")), "{answer:?}");
    ensure!(answer.text().contains("http-max-result"), "{answer:?}");
    Ok(())
}

#[test]
fn why_a_job_does_not_run_is_explained() -> Result<()> {
    let house = House::new()?;
    house.peer()?.submit(kind::SUBMIT_JOB_BG, "f", "", b"x")?;
    let why = get(house.http, "/api/explain/f")?.json()?;
    ensure!(why["about"] == "f" && why["reason"] == "no-worker", "{why}");
    Ok(())
}
