//! The `gearman` tool's own ways, with worker and client of one maker.

use super::failed;
use super::peers::{Peer, Session};
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use lineshaft_tests::port::free_port;
use lineshaft_tests::program::{Outcome, Program, run};
use lineshaft_tests::server::Maker;

type Check = fn(&Session, Peer) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("words_are_jobs", words_are_jobs),
    ("lines_are_jobs", lines_are_jobs),
    ("prefix", prefix),
    ("no_input", no_input),
    ("several_functions", several_functions),
    ("counted_jobs", counted_jobs),
    ("server_from_the_environment", server_from_the_environment),
    ("quiet_background", quiet_background),
    ("failed_command", failed_command),
    ("exceptions_for_everybody", exceptions_for_everybody),
    ("no_server", no_server),
    ("usage", usage),
];

pub(crate) fn trials(broker: Maker, tools: Peer) -> Vec<Trial> {
    let trial = |&(name, check): &(&'static str, Check)| {
        Trial::test(format!("{broker}::gearman_{name}::{}", tools), move || {
            let session = Session::new(broker)?;
            check(&session, tools).and_then(|()| session.end()).map_err(failed)
        })
    };
    CHECKS.iter().map(trial).collect()
}

fn is_debians(tools: Peer) -> bool {
    tools.kind() == Peer::Tool(Maker::Debian)
}

fn gearman(session: &Session, tools: Peer, words: &[&str], input: &[u8]) -> Result<Outcome> {
    run(session.tool(tools, "gearman")?.args(words), input)
}

fn prints(outcome: Outcome, expected: &str) -> Result<()> {
    let text = outcome.success()?;
    ensure!(text == expected, "it prints {text:?}, not {expected:?}");
    Ok(())
}

/// `gearman -w -f FUNCTION -- COMMAND`
fn work(session: &Session, tools: Peer, function: &str, command: &[&str]) -> Result<Program> {
    let mut gearman = session.tool(tools, "gearman")?;
    let worker = Program::start(gearman.args(["-w", "-f", function, "--"]).args(command), b"")?;
    session.wait_status(function, |[.., workers]| workers == 1)?;
    Ok(worker)
}

fn words_are_jobs(session: &Session, tools: Peer) -> Result<()> {
    let _worker = work(session, tools, "count", &["wc", "-c"])?;
    let mut lines: Vec<String> = gearman(session, tools, &["-f", "count", "a", "bcd"], b"")?
        .success()?
        .lines()
        .map(str::to_owned)
        .collect();
    // Which of two jobs ends first is nobody's promise.
    lines.sort();
    ensure!(lines == ["1", "3"], "it prints {lines:?}");
    Ok(())
}

fn lines_are_jobs(session: &Session, tools: Peer) -> Result<()> {
    let _worker = work(session, tools, "count", &["wc", "-c"])?;
    let input = b"one\nthree\nx\n";
    prints(gearman(session, tools, &["-f", "count", "-n"], input)?, "4\n6\n2\n")?;
    prints(gearman(session, tools, &["-f", "count", "-N"], input)?, "3\n5\n1\n")
}

fn prefix(session: &Session, tools: Peer) -> Result<()> {
    let _worker = work(session, tools, "wc", &["wc", "-l"])?;
    prints(gearman(session, tools, &["-f", "wc"], b"a\nb\nc\n")?, "3\n")?;
    prints(gearman(session, tools, &["-P", "-f", "wc"], b"a\nb\nc\n")?, "wc: 3\n")
}

fn no_input(session: &Session, tools: Peer) -> Result<()> {
    let _worker = work(session, tools, "count", &["wc", "-c"])?;
    prints(gearman(session, tools, &["-s", "-f", "count"], b"not read")?, "0\n")
}

fn several_functions(session: &Session, tools: Peer) -> Result<()> {
    let _count = work(session, tools, "count", &["wc", "-c"])?;
    let _words = work(session, tools, "words", &["wc", "-w"])?;
    let text = gearman(session, tools, &["-P", "-f", "count", "-f", "words"], b"two words")?.success()?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    ensure!(lines == ["count: 9", "words: 2"], "it prints {text:?}");
    Ok(())
}

fn counted_jobs(session: &Session, tools: Peer) -> Result<()> {
    for word in ["first", "second", "third"] {
        gearman(session, tools, &["-b", "-f", "log", word], b"")?.success()?;
    }
    let text = gearman(session, tools, &["-w", "-c", "2", "-f", "log"], b"")?.success()?;
    ensure!(text == "firstsecond", "it prints {text:?}");
    session.wait_status("log", |numbers| numbers == [1, 0, 0])
}

fn server_from_the_environment(session: &Session, tools: Peer) -> Result<()> {
    let _worker = work(session, tools, "count", &["wc", "-c"])?;
    let mut command = session.bare_tool(tools, "gearman")?;
    command.env("GEARMAN_SERVER", session.server.address().to_string());
    prints(run(command.args(["-f", "count"]), b"1234")?, "4\n")
}

fn quiet_background(session: &Session, tools: Peer) -> Result<()> {
    prints(gearman(session, tools, &["-b", "-f", "log"], b"x")?, "")?;
    ensure!(session.status("log")? == [1, 0, 0], "no job is queued");
    Ok(())
}

fn failed_command(session: &Session, tools: Peer) -> Result<()> {
    let _worker = work(session, tools, "fail", &["sh", "-c", "printf partly; exit 3"])?;
    let outcome = gearman(session, tools, &["-f", "fail"], b"")?;
    ensure!(outcome.status.code() == Some(1), "it ended with {}", outcome.status);
    ensure!(outcome.err == "Job failed\n", "its errors are {:?}", outcome.err);
    ensure!(outcome.text() == "partly", "it prints {:?}", outcome.text());
    Ok(())
}

fn exceptions_for_everybody(session: &Session, tools: Peer) -> Result<()> {
    let session = Session::with(session.server.maker(), &["--exceptions"])?;
    let _worker = session.worker(Peer::Gear, "exception")?;
    let outcome = gearman(&session, tools, &["-f", "exception"], b"")?;
    ensure!(outcome.err.trim_end() == "boom", "its errors are {:?}", outcome.err);
    // Debian's ends with 0 all the same.
    ensure!(outcome.status.success() == (is_debians(tools)), "it ended with {}", outcome.status);
    Ok(())
}

fn no_server(session: &Session, tools: Peer) -> Result<()> {
    let mut command = session.bare_tool(tools, "gearman")?;
    let port = free_port()?.to_string();
    let outcome = run(command.args(["-h", "127.0.0.1", "-p", &port, "-f", "any"]), b"x")?;
    // Debian's ends with 0 here; a script could not tell.
    ensure!(outcome.status.success() == (is_debians(tools)), "it ended with {}", outcome.status);
    ensure!(outcome.err.starts_with("gearman: "), "its errors are {:?}", outcome.err);
    Ok(())
}

fn usage(session: &Session, tools: Peer) -> Result<()> {
    let without = gearman(session, tools, &["-b"], b"")?;
    ensure!(without.status.code() == Some(1), "without a function it ended with {}", without.status);
    let help = gearman(session, tools, &["-f", "any", "-H"], b"")?;
    ensure!(help.status.code() == Some(0), "-H ended with {}", help.status);
    ensure!(help.text().contains("-w") && help.text().contains("-n"), "no help in {:?}", help.text());
    Ok(())
}
