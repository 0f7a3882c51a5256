//! What a client, a worker and a broker go through together.

use super::peers::{Answer, End, Job, Peer, Session};
use anyhow::{Context, Result, ensure};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::server::Maker;
use lineshaft_tests::wire::Peer as Wire;
use std::fs::File;

/// Who takes part in turn; where only one side varies, the other one is gear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varies {
    Both,
    Worker,
    Client,
}

/// A story.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) varies: Varies,
    /// Given a broker, a worker and a client.
    pub(crate) tell: fn(&mut Session, Peer, Peer) -> Result<()>,
}

pub(crate) const STORIES: &[Story] = &[
    Story { name: "foreground", varies: Varies::Both, tell: foreground },
    Story { name: "empty_result", varies: Varies::Both, tell: empty_result },
    Story { name: "large", varies: Varies::Both, tell: large },
    Story { name: "large_workload", varies: Varies::Both, tell: large_workload },
    Story { name: "large_result", varies: Varies::Both, tell: large_result },
    Story { name: "progress", varies: Varies::Both, tell: progress },
    Story { name: "data", varies: Varies::Both, tell: data },
    Story { name: "warning", varies: Varies::Both, tell: warning },
    Story { name: "fail", varies: Varies::Both, tell: fail },
    Story { name: "exception", varies: Varies::Both, tell: exception },
    Story { name: "exception_unwanted", varies: Varies::Both, tell: exception_unwanted },
    Story { name: "after_exception", varies: Varies::Worker, tell: after_exception },
    Story { name: "background_status", varies: Varies::Both, tell: background_status },
    Story { name: "priorities", varies: Varies::Both, tell: priorities },
    Story { name: "coalescing", varies: Varies::Client, tell: coalescing },
    Story { name: "shared_result", varies: Varies::Client, tell: shared_result },
    Story { name: "worker_killed", varies: Varies::Both, tell: worker_killed },
    Story { name: "server_restarted", varies: Varies::Worker, tell: server_restarted },
];

/// 10 MiB with every byte value in it, NUL first.
fn ten_megabytes() -> Vec<u8> {
    (0..10 << 20).map(|at: u32| (at % 251) as u8).collect()
}

fn completed(output: &[u8]) -> Answer {
    Answer { output: output.to_vec(), warnings: Vec::new(), progress: Vec::new(), end: End::Complete }
}

fn expect(answer: &Answer, expected: &Answer) -> Result<()> {
    let cut = |answer: &Answer| format!("{answer:?}").chars().take(1000).collect::<String>();
    ensure!(answer == expected, "the client heard {}\nnot {}", cut(answer), cut(expected));
    Ok(())
}

fn foreground(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "echo")?;
    for workload in [&b"hello"[..], b"\0a\0\xff\n\0"] {
        let answer = session.run(client, &Job::new("echo", workload))?;
        expect(&answer, &completed(workload))?;
    }
    Ok(())
}

fn empty_result(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "empty")?;
    // Twice: what a worker sends wrongly may swallow what follows.
    for _ in 0..2 {
        expect(&session.run(client, &Job::new("empty", b""))?, &completed(b""))?;
    }
    Ok(())
}

fn large(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "echo")?;
    let workload = ten_megabytes();
    let answer = session.run(client, &Job::new("echo", &workload))?;
    expect(&answer, &completed(&workload))
}

fn large_workload(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "count")?;
    let answer = session.run(client, &Job::new("count", &ten_megabytes()))?;
    let trimmed = Answer { output: answer.output.trim_ascii().to_vec(), ..answer };
    expect(&trimmed, &completed(b"10485760"))
}

fn large_result(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "content")?;
    let path = session.path("content");
    std::fs::write(&path, ten_megabytes())?;
    let answer = session.run(client, &Job::new("content", path.to_str().context("a path")?.as_bytes()))?;
    expect(&answer, &completed(&ten_megabytes()))
}

fn progress(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "progress")?;
    let answer = session.run(client, &Job::new("progress", b""))?;
    expect(&answer, &Answer { progress: vec![25, 50], ..completed(b"done") })
}

fn data(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "data")?;
    let output: &[u8] = match worker.kind() {
        // protocol.md 7.1: Debian's tool sends again what it has sent before.
        Peer::Tool(Maker::Debian) => b"one,\none,\ntwo,\n",
        Peer::Tool(Maker::Ours) => b"one,\ntwo,\n",
        _ => b"one,two,three",
    };
    expect(&session.run(client, &Job::new("data", b""))?, &completed(output))
}

fn warning(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "warning")?;
    let answer = session.run(client, &Job::new("warning", b""))?;
    expect(&answer, &Answer { warnings: b"careful".to_vec(), ..completed(b"done") })
}

fn fail(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "fail")?;
    let answer = session.run(client, &Job::new("fail", b""))?;
    expect(&answer, &Answer { end: End::Fail, ..completed(b"") })
}

/// Perl's worker wraps what was thrown.
fn boom(exception: &[u8]) -> bool {
    exception.windows(4).any(|window| window == b"boom")
}

fn exception(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "exception")?;
    let answer = session.run(client, &Job { exceptions: true, ..Job::new("exception", b"") })?;
    let End::Exception(exception) = &answer.end else { return expect(&answer, &completed(b"")) };
    ensure!(boom(exception), "the exception is {}", exception.escape_ascii());
    Ok(())
}

fn exception_unwanted(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "exception")?;
    let answer = session.run(client, &Job::new("exception", b""))?;
    expect(&answer, &Answer { end: End::Fail, ..completed(b"") })
}

fn after_exception(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "exception")?;
    exception_again(session, client)?;
    exception_again(session, client)?;
    expect(&session.run(client, &Job::new("echo", b"still here"))?, &completed(b"still here"))
}

fn exception_again(session: &Session, client: Peer) -> Result<()> {
    let answer = session.run(client, &Job { exceptions: true, ..Job::new("exception", b"") })?;
    ensure!(matches!(&answer.end, End::Exception(it) if boom(it)), "the client heard {answer:?}");
    Ok(())
}

fn background_status(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let release = session.path("release");
    let workload = release.to_str().context("a path")?.as_bytes().to_owned();
    let handle = session.submit_background(client, &Job::new("hold", &workload))?;
    ensure!(session.job_status(client, &handle)? == [1, 0, 0, 0], "the job does not wait");

    let _worker = session.worker(worker, "hold")?;
    session.wait_status("hold", |[_, running, _]| running == 1)?;
    let expected = match worker.kind() {
        Peer::Tool(_) => [1, 1, 0, 0],
        _ => [1, 1, 1, 4],
    };
    // The worker has the job; its word on progress is a packet of its own.
    let running = poll(PATIENCE, || session.job_status(client, &handle).ok().filter(|it| *it == expected));
    running.with_context(|| format!("the job's status is not {expected:?}"))?;

    File::create(&release)?;
    session.wait_status("hold", |[total, ..]| total == 0)?;
    ensure!(session.job_status(client, &handle)? == [0; 4], "the job is still known");
    Ok(())
}

fn priorities(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    for (workload, priority) in [
        ("low1", Some("low")),
        ("mid1", None),
        ("high1", Some("high")),
        ("low2", Some("low")),
        ("high2", Some("high")),
    ] {
        session.submit_background(client, &Job { priority, ..Job::new("log", workload.as_bytes()) })?;
    }
    let mut worker = session.worker(worker, "log")?;
    session.wait_status("log", |[total, ..]| total == 0)?;
    worker.wait_for("low2")?;
    let text = worker.kill_for_output()?;
    let order = ["high1", "high2", "mid1", "low1", "low2"];
    let places: Vec<Option<usize>> = order.iter().map(|word| text.find(word)).collect();
    ensure!(places.is_sorted() && places[0].is_some(), "the worker ran them as {text:?}, not as {order:?}");
    Ok(())
}

fn coalescing(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let job = |unique| Job { unique, ..Job::new("log", b"x") };
    let first = session.submit_background(client, &job(Some("same")))?;
    ensure!(session.submit_background(client, &job(Some("same")))? == first, "one unique, two jobs");
    ensure!(session.submit_background(client, &job(Some("other")))? != first, "two uniques, one job");
    ensure!(session.submit_background(client, &job(None))? != first, "no unique, yet an existing job");
    ensure!(session.status("log")? == [3, 0, 0], "{:?} is not three jobs", session.status("log")?);
    let _worker = session.worker(worker, "log")?;
    session.wait_status("log", |[total, ..]| total == 0)
}

fn shared_result(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let release = session.path("release");
    let workload = release.to_str().context("a path")?.as_bytes().to_owned();
    let job = Job { unique: Some("shared"), ..Job::new("hold", &workload) };
    let _worker = session.worker(worker, "hold")?;
    let first = session.submit(client, &job)?;
    session.wait_status("hold", |[_, running, _]| running == 1)?;
    let second = session.submit(client, &job)?;
    let mut wire = session.server.connect()?;
    poll(PATIENCE, || (listeners(&mut wire, "shared").ok()? == 2).then_some(())).context("two listeners")?;
    File::create(&release)?;
    ensure!(first.answer()?.output == b"released", "the first client got another result");
    // It came after the word on progress.
    expect(&second.answer()?, &completed(b"released"))
}

/// How many submissions are attached to the job with this unique.
fn listeners(wire: &mut Wire, unique: &str) -> Result<u32> {
    wire.request(41, &[unique.as_bytes()])?;
    let body = String::from_utf8(wire.expect(42)?)?;
    Ok(body.rsplit('\0').next().context("six fields")?.parse()?)
}

fn worker_killed(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let release = session.path("release");
    let workload = release.to_str().context("a path")?.as_bytes().to_owned();
    let killed = session.worker(worker, "hold")?;
    let submitted = session.submit(client, &Job::new("hold", &workload))?;
    session.wait_status("hold", |[_, running, _]| running == 1)?;
    killed.kill()?;
    session.wait_status("hold", |numbers| numbers == [1, 0, 0])?;
    let _worker = session.worker(worker, "hold")?;
    session.wait_status("hold", |numbers| numbers == [1, 1, 1])?;
    File::create(&release)?;
    let answer = submitted.answer()?;
    ensure!(answer.end == End::Complete && answer.output == b"released", "the client heard {answer:?}");
    Ok(())
}

fn server_restarted(session: &mut Session, worker: Peer, client: Peer) -> Result<()> {
    let _worker = session.worker(worker, "echo")?;
    expect(&session.run(client, &Job::new("echo", b"before"))?, &completed(b"before"))?;
    session.server.kill()?;
    session.server.start_again()?;
    session.wait_status("echo", |[.., workers]| workers == 1)?;
    expect(&session.run(client, &Job::new("echo", b"after"))?, &completed(b"after"))
}
