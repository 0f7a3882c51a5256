//! The admin protocol through `gearadmin`.

use super::failed;
use super::peers::{Job, Peer, Session};
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::{Outcome, run};
use lineshaft_tests::server::Maker;
use std::process::Command;

type Check = fn(&Session, Maker) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("status", status),
    ("workers", workers),
    ("facts_of_the_server", facts_of_the_server),
    ("functions", functions),
    ("cancel", cancel),
    ("several_actions", several_actions),
    ("usage", usage),
];

pub(crate) fn trials(broker: Maker, tools: Maker) -> Vec<Trial> {
    let trial = |&(name, check): &(&'static str, Check)| {
        Trial::test(format!("{broker}::gearadmin_{name}::{}", Peer::Tool(tools)), move || {
            let session = Session::new(broker)?;
            check(&session, tools).and_then(|()| session.end()).map_err(failed)
        })
    };
    CHECKS.iter().map(trial).collect()
}

fn gearadmin(session: &Session, tools: Maker, words: &[&str]) -> Result<Outcome> {
    run(session.tool(Peer::Tool(tools), "gearadmin")?.args(words), b"")
}

fn says(session: &Session, tools: Maker, words: &[&str], expected: &str) -> Result<()> {
    let text = gearadmin(session, tools, words)?.success()?;
    ensure!(text == expected, "gearadmin {words:?} says {text:?}, not {expected:?}");
    Ok(())
}

/// What the server refuses: on the standard error. Debian's tool ends with 0 all the same; ours does not.
fn refuses(session: &Session, tools: Maker, words: &[&str], expected: &str) -> Result<()> {
    let outcome = gearadmin(session, tools, words)?;
    ensure!(
        outcome.err.trim_end() == expected,
        "gearadmin {words:?} says {:?}, not {expected:?}",
        outcome.err
    );
    ensure!(outcome.out.is_empty(), "gearadmin {words:?} prints {:?}", outcome.text());
    ensure!(outcome.status.success() == (tools == Maker::Debian), "gearadmin ended with {}", outcome.status);
    Ok(())
}

fn background(session: &Session, tools: Maker, unique: &str, priority: Option<&str>) -> Result<String> {
    let job = Job { unique: Some(unique), priority, ..Job::new("work", b"x") };
    session.submit_background(Peer::Tool(tools), &job)
}

fn status(session: &Session, tools: Maker) -> Result<()> {
    says(session, tools, &["--status"], ".\n")?;
    background(session, tools, "u1", None)?;
    background(session, tools, "u2", Some("high"))?;
    says(session, tools, &["--status"], "work\t2\t0\t0\n.\n")?;
    says(session, tools, &["--priority-status"], "work\t1\t1\t0\t0\n.\n")
}

fn workers(session: &Session, tools: Maker) -> Result<()> {
    let _worker = session.worker(Peer::Gear, "echo")?;
    let text = gearadmin(session, tools, &["--workers"])?.success()?;
    let line = text.lines().find(|line| line.contains(" echo"));
    let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
    ensure!(words.len() > 4 && words[0].parse::<u32>().is_ok(), "no worker in {text:?}");
    ensure!(
        words[1] == "127.0.0.1" && words.contains(&":") && words.contains(&"hold"),
        "odd line in {text:?}"
    );
    ensure!(text.ends_with("\n.\n"), "no end in {text:?}");
    Ok(())
}

fn facts_of_the_server(session: &Session, tools: Maker) -> Result<()> {
    says(session, tools, &["--getpid"], &format!("{}\n", session.server.pid()))?;
    says(session, tools, &["--server-verbose"], "ERROR\n")?;
    let version = gearadmin(session, tools, &["--server-version"])?.success()?;
    ensure!(version.trim().split('.').count() >= 3, "the version is {version:?}");
    Ok(())
}

fn functions(session: &Session, tools: Maker) -> Result<()> {
    says(session, tools, &["--create-function", "made"], "OK\n")?;
    says(session, tools, &["--status"], "made\t0\t0\t0\n.\n")?;
    says(session, tools, &["--drop-function", "made"], "OK\n")?;
    says(session, tools, &["--status"], ".\n")?;
    refuses(session, tools, &["--drop-function", "made"], "Error: function not found")
}

fn cancel(session: &Session, tools: Maker) -> Result<()> {
    let handle = background(session, tools, "mine", None)?;
    says(session, tools, &["--show-jobs"], &format!("{handle}\t0\t0\t1\n.\n"))?;
    says(session, tools, &["--show-unique-jobs"], "mine\n.\n")?;
    says(session, tools, &["--cancel-job", &handle], "OK\n")?;
    if session.server.maker() == Maker::Ours {
        // gearmand keeps a cancelled job until a worker asks: protocol.md 3.15.
        says(session, tools, &["--show-jobs"], ".\n")?;
        refuses(session, tools, &["--cancel-job", &handle], "Error: UNKNOWN_JOB")?;
    }
    refuses(session, tools, &["--cancel-job", "H:nobody:1"], "Error: UNKNOWN_JOB")
}

fn several_actions(session: &Session, tools: Maker) -> Result<()> {
    let words = ["--status", "--create-function=made", "--getpid"];
    says(session, tools, &words, &format!("{}\nOK\nmade\t0\t0\t0\n.\n", session.server.pid()))
}

fn usage(session: &Session, tools: Maker) -> Result<()> {
    let nothing = gearadmin(session, tools, &[])?;
    ensure!(nothing.status.code() == Some(1), "without an action it ended with {}", nothing.status);
    ensure!(nothing.text().contains("--show-unique-jobs"), "no help in {:?}", nothing.text());
    ensure!(
        gearadmin(session, tools, &["--frobnicate"])?.status.code() == Some(1),
        "an odd option is accepted"
    );

    let mut nobody = Command::new(tools.program("gearadmin", &session.folder)?);
    let port = free_port()?.to_string();
    let unreachable = run(nobody.args(["-h", "127.0.0.1", "-p", &port, "--status"]), b"")?;
    ensure!(unreachable.status.code() == Some(1), "without a server it ended with {}", unreachable.status);
    ensure!(unreachable.err.starts_with("Error"), "no error in {:?}", unreachable.err);
    Ok(())
}
