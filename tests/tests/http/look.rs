//! Looking: totals, functions, workers, jobs, schedules.

use anyhow::{Result, ensure};
use lineshaft_tests::http::{connect, get, request};
use lineshaft_tests::wire::kind;
use serde_json::{Value, json};
use std::io::{Read, Write};

use crate::House;

fn json_of(house: &House, path: &str) -> Result<Value> {
    let answer = get(house.http, path)?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    ensure!(answer.header("content-type") == Some("application/json"), "{answer:?}");
    answer.json()
}

#[test]
fn a_job_is_seen_from_its_beginning_to_its_end() -> Result<()> {
    let house = House::new()?;
    let (mut client, mut worker) = (house.peer()?, house.peer()?);
    let handle = client.submit(kind::SUBMIT_JOB_HIGH_BG, "paint", "u1", b"red")?;

    let functions = json_of(&house, "/api/functions")?;
    let paint = &functions["functions"][0];
    ensure!(paint["name"] == "paint" && paint["queued"] == json!({"high": 1, "normal": 0, "low": 0}));
    ensure!(paint["workers"] == 0 && paint["counters"]["added"] == 1, "{paint}");
    ensure!(paint["oldest_seconds"].is_number(), "{paint}");
    ensure!(json_of(&house, "/api/status")?["jobs"] == json!({"queued": 1, "delayed": 0, "running": 0}));

    worker.request(kind::SET_CLIENT_ID, &[b"brush"])?;
    worker.request(kind::CAN_DO, &[b"paint"])?;
    worker.request(kind::GRAB_JOB, &[])?;
    worker.expect(kind::JOB_ASSIGN)?;
    worker.request(kind::WORK_STATUS, &[handle.as_bytes(), b"1", b"3"])?;
    worker.sync()?;
    let job = json_of(&house, &format!("/api/jobs/{handle}"))?;
    ensure!(job["state"] == "running" && job["progress"] == json!({"numerator": 1, "denominator": 3}));
    ensure!(job["unique"] == "u1" && job["priority"] == "high" && job["workload_bytes"] == 3, "{job}");
    let workers = json_of(&house, "/api/workers")?;
    let one = &workers["workers"][0];
    ensure!(workers["workers"].as_array().map(Vec::len) == Some(1), "clients are no workers: {workers}");
    ensure!(one["identifier"] == "brush" && one["abilities"] == json!([{"name": "paint"}]), "{one}");
    ensure!(one["running"][0]["handle"] == handle.as_str() && one["peer"] == "127.0.0.1", "{one}");
    let all = json_of(&house, "/api/workers?all=true")?;
    ensure!(all["workers"].as_array().map(Vec::len) == Some(2), "{all}");
    let paint = json_of(&house, "/api/functions/paint")?;
    ensure!(paint["idle_workers"] == 0 && paint["busy_workers"] == 1 && paint["running"] == 1, "{paint}");

    worker.request(kind::WORK_COMPLETE, &[handle.as_bytes(), b"done"])?;
    worker.sync()?;
    let paint = json_of(&house, "/api/functions/paint")?;
    ensure!(paint["counters"]["done"] == 1 && paint["run"]["count"] == 1, "{paint}");
    ensure!(paint["wait"]["count"] == 1 && paint["oldest_seconds"].is_null(), "{paint}");
    let gone = get(house.http, &format!("/api/jobs/{handle}"))?;
    ensure!((gone.status, gone.code().as_deref()) == (404, Some("unknown_job")), "{gone:?}");
    let status = json_of(&house, "/api/status")?;
    ensure!(status["bytes_in"].as_u64() > Some(50) && status["bytes_out"].as_u64() > Some(50), "{status}");
    ensure!(house.server.stats().completed == 1);
    Ok(())
}

#[test]
fn lists_are_read_page_by_page() -> Result<()> {
    let house = House::new()?;
    let mut client = house.peer()?;
    for number in 0..300 {
        client.submit(kind::SUBMIT_JOB_BG, &format!("f{}", number % 3), "", b"x")?;
    }
    let (mut handles, mut from) = (Vec::new(), 0);
    loop {
        let page = json_of(&house, &format!("/api/jobs?function=f1&state=queued&limit=7&from={from}"))?;
        let jobs = page["jobs"].as_array().cloned().unwrap_or_default();
        ensure!(jobs.len() <= 7 && jobs.iter().all(|job| job["function"] == "f1"), "{page}");
        handles.extend(jobs.iter().map(|job| job["handle"].to_string()));
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    handles.sort();
    handles.dedup();
    ensure!(handles.len() == 100, "{}", handles.len());
    let none = json_of(&house, "/api/jobs?state=running")?;
    ensure!(none == json!({"jobs": [], "next": null}), "{none}");
    let first = json_of(&house, "/api/functions?limit=2")?;
    ensure!(first["functions"][1]["name"] == "f1" && first["next"] == 2, "{first}");
    let last = json_of(&house, "/api/functions?from=2")?;
    ensure!(last["functions"][0]["name"] == "f2" && last["next"].is_null(), "{last}");
    Ok(())
}

#[test]
fn names_that_are_no_text_are_told_and_asked_for() -> Result<()> {
    let house = House::new()?;
    let mut worker = house.peer()?;
    worker.request(kind::CAN_DO, &[b"a/\xff\\"])?;
    worker.sync()?;
    let one = json_of(&house, "/api/functions/a%2F%ff%5C")?;
    ensure!(one["name"] == "a/\\xff\\\\" && one["name_base64"] == "YS//XA==", "{one}");
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    let house = House::new()?;
    for (path, status, code) in [
        ("/nowhere", 404, "not_found"),
        ("/api/nothing", 404, "not_found"),
        ("/api/functions/none", 404, "unknown_function"),
        ("/api/jobs/H:x:1", 404, "unknown_job"),
        ("/api/jobs?limit=1001", 400, "bad_request"),
        ("/api/jobs?limit=-1", 400, "bad_request"),
        ("/api/jobs?state=odd", 400, "bad_request"),
        ("/api/jobs?functoin=f", 400, "bad_request"),
        ("/api/jobs?function=%f", 400, "bad_request"),
        ("/api/status?x", 400, "bad_request"),
    ] {
        let answer = get(house.http, path)?;
        ensure!((answer.status, answer.code().as_deref()) == (status, Some(code)), "{path}: {answer:?}");
    }
    let answer = request(house.http, "PATCH /api/schedules", &[], b"")?;
    ensure!((answer.status, answer.header("allow")) == (405, Some("GET")), "{answer:?}");
    let mut stream = connect(house.http)?;
    write!(stream, "HEAD /api/status HTTP/1.0\r\nHost: {}\r\n\r\n", house.http)?;
    let mut head = String::new();
    stream.read_to_string(&mut head)?;
    ensure!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    Ok(())
}
