//! Metrics and health.

use anyhow::{Context, Result, ensure};
use lineshaft::server::{Http, Server};
use lineshaft::store::{Batch, Each, Store, StoreError, StoreErrorKind};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::http::{get, post, request};
use lineshaft_tests::place;
use lineshaft_tests::program::run;
use lineshaft_tests::wire::{Peer, kind};
use serde_json::json;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::House;

/// A house where something has happened, to functions with all kinds of names, and its worker.
fn lived_in() -> Result<(House, Peer)> {
    let house = House::new()?;
    let (mut client, mut worker) = (house.peer()?, house.peer()?);
    for name in
        [&b"plain"[..], b"quote\"back\\slash", b"line\nend", b"\xff\xfe", b"\\xff\\xfe", "größe".as_bytes()]
    {
        worker.request(kind::CAN_DO, &[name])?;
        client.request(kind::SUBMIT_JOB_BG, &[name, b"", b"x"])?;
        client.expect(kind::JOB_CREATED)?;
    }
    worker.request(kind::GRAB_JOB, &[])?;
    let job = worker.expect(kind::JOB_ASSIGN)?;
    let handle = job.split(|byte| *byte == 0).next().context("a handle")?;
    worker.request(kind::WORK_COMPLETE, &[handle, b""])?;
    worker.sync()?;
    Ok((house, worker))
}

#[test]
fn promtool_finds_nothing_to_criticize() -> Result<()> {
    let (house, _worker) = lived_in()?;
    let answer = get(house.http, "/metrics")?;
    ensure!(answer.header("content-type") == Some("text/plain; version=0.0.4; charset=utf-8"), "{answer:?}");
    let said = run(Command::new("promtool").args(["check", "metrics"]), &answer.body)?;
    let (out, err) = (said.text(), said.err.clone());
    said.success()?;
    ensure!(out.is_empty() && err.is_empty(), "{out}{err}");
    Ok(())
}

/// Reads OpenMetrics from its standard input with the parser of Prometheus' client for Python, which is strict, and prints the samples.
const READER: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
for family in read(sys.stdin.buffer.read().decode()):
    assert family.documentation, family
    for sample in family.samples:
        labels = ','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))
        print(f'{family.type} {sample.name} {labels} {float(sample.value)}'.replace('\\n', '\\\\n'))
";

#[test]
fn what_is_said_in_open_metrics_is_what_happened() -> Result<()> {
    let (house, _worker) = lived_in()?;
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3";
    let answer = request(house.http, "GET /metrics", &[accept], b"")?;
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ensure!(answer.header("content-type") == Some(expected), "{answer:?}");
    let python = place::python()?;
    let lines = run(Command::new(python).args(["-c", READER]), &answer.body)?.success()?;
    let has = |line: &str| ensure_line(&lines, line);
    for name in ["plain", "quote\"back\\slash", "line\\nend", "\\xff\\xfe", "\\\\xff\\\\xfe", "größe"] {
        has(&format!("counter lineshaft_jobs_added_total function={name} 1.0"))?;
    }
    let count = |part: &str| lines.lines().filter(|line| line.contains(part)).count();
    ensure!(count("lineshaft_jobs_done_total ") == 6, "one for each function");
    ensure!(count("lineshaft_job_run_seconds_bucket") == 6 * 11);
    let done =
        lines.lines().filter(|line| line.contains("lineshaft_jobs_done_total") && line.ends_with(" 1.0"));
    ensure!(done.count() == 1, "{lines}");
    has("gauge lineshaft_workers state=idle 1.0")?;
    has("gauge lineshaft_functions  6.0")?;
    has("gauge lineshaft_functions_omitted  0.0")?;
    has("gauge lineshaft_store_up  1.0")?;
    has("gauge lineshaft_ready  1.0")?;
    has(&format!("info lineshaft_build_info version={} 1.0", env!("CARGO_PKG_VERSION")))?;
    let sent = lines.lines().find_map(|line| line.strip_prefix("counter lineshaft_received_bytes_total  "));
    ensure!(sent.is_some_and(|bytes| bytes.parse::<f64>().is_ok_and(|bytes| bytes > 100.0)), "{lines}");
    Ok(())
}

fn ensure_line(lines: &str, line: &str) -> Result<()> {
    ensure!(lines.lines().any(|known| known == line), "no line {line:?} in\n{lines}");
    Ok(())
}

#[test]
fn functions_beyond_the_limit_are_only_counted() -> Result<()> {
    let house = House::with(|http| http.max_metric_functions = 2)?;
    let mut worker = house.peer()?;
    for name in [b"a", b"b", b"c"] {
        worker.request(kind::CAN_DO, &[name])?;
    }
    worker.sync()?;
    let text = get(house.http, "/metrics")?.text();
    ensure_line(&text, "lineshaft_functions_omitted 1.0")?;
    ensure!(text.contains("function=\"b\"") && !text.contains("function=\"c\""), "{text}");
    Ok(())
}

#[test]
fn whoever_probes_needs_no_name() -> Result<()> {
    let house = House::new()?;
    for path in ["/healthz", "/readyz"] {
        let answer = request(house.http, &format!("GET {path}"), &["Host: pod-7.example"], b"")?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    Ok(())
}

/// A store that keeps nothing, and cannot be reached while `away` says so.
struct Away(Arc<AtomicBool>);

impl Store for Away {
    fn describe(&self) -> String {
        "a store that goes away".into()
    }

    fn replay(&mut self, _: Each<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self, _: &Batch) -> Result<(), StoreError> {
        if self.0.load(Relaxed) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "nobody answers"));
        }
        Ok(())
    }
}

#[test]
fn a_store_that_fails_is_told_and_makes_the_server_unready() -> Result<()> {
    let away = Arc::new(AtomicBool::new(false));
    let server =
        Server::builder().http(Http::on("127.0.0.1:0".parse()?)).store(Away(away.clone())).start()?;
    let http = crate::tcp(server.http_addresses())?;
    let ready = || get(http, "/readyz");
    ensure!(ready()?.status == 200);
    away.store(true, Relaxed);
    let submit = |function: &str| post(http, "/api/jobs", &json!({"function": function, "background": true}));
    let refused = submit("f")?;
    ensure!((refused.status, refused.code().as_deref()) == (503, Some("refused")), "{refused:?}");
    let answer = ready()?;
    ensure!(answer.status == 503 && answer.text().contains("nobody answers"), "{answer:?}");
    ensure_line(&get(http, "/metrics")?.text(), "lineshaft_store_up 0.0")?;
    ensure_line(&get(http, "/metrics")?.text(), "lineshaft_ready 0.0")?;
    let status = get(http, "/api/status")?.json()?;
    ensure!(status["ready"] == false && status["store"]["failing"].is_string(), "{status}");
    away.store(false, Relaxed);
    poll(PATIENCE, || (ready().ok()?.status == 200).then_some(())).context("it stays unready")?;
    ensure!(submit("f")?.status == 201);
    Ok(())
}

#[test]
fn the_alerts_of_the_guide_can_be_used() -> Result<()> {
    let guide = std::fs::read_to_string(place::root().join("docs/operations.md"))?;
    let rules = guide.split("```yaml\ngroups:").nth(1).and_then(|rest| rest.split("```").next());
    let rules = format!("groups:{}", rules.context("no rules in the guide")?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, &rules)?;
    run(Command::new("promtool").args(["check", "rules"]).arg(&file), b"")?.success()?;
    let (house, _worker) = lived_in()?;
    let told = get(house.http, "/metrics")?.text();
    let names = fancy_regex::Regex::new("lineshaft_[a-z_]+")?;
    for name in names.find_iter(&rules) {
        let name = name?.as_str();
        ensure!(told.contains(&format!("# TYPE {name} ")), "{name} is no metric");
    }
    Ok(())
}
