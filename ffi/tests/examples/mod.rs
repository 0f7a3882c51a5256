//! The programs of `ffi/examples` that talk to a broker: each is built, and its client prints what it is to print.

use super::{Mode, broker, build, port};
use crate::common::{library_folder, package};
use libtest_mimic::{Failed, Trial};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Example {
    name: &'static str,
    /// Run beside each other, before the client; the broker keeps its job until they are there.
    workers: &'static [&'static str],
    client: &'static [&'static str],
    input: &'static str,
    prints: &'static str,
    /// SIGTERM lets the worker end well.
    is_graceful: bool,
}

const EXAMPLES: [Example; 3] = [
    Example {
        name: "reverse.c",
        workers: &["worker"],
        client: &["client", "hello"],
        input: "",
        prints: "olleh\n",
        is_graceful: true,
    },
    Example {
        name: "sheepcount.c",
        workers: &["worker"],
        client: &["client", "3"],
        input: "",
        prints: "1 of 3\n2 of 3\n3 of 3\n3 sheep\n",
        is_graceful: false,
    },
    Example {
        name: "wordcount.c",
        workers: &["split", "count", "count"],
        client: &["client"],
        input: "one two\ntwo three three\n\nthree\n",
        prints: "one 1\nthree 3\ntwo 2\n",
        is_graceful: false,
    },
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    EXAMPLES.iter().map(|example| Trial::test(format!("examples::{}", example.name), || run(example)))
}

fn run(example: &Example) -> Result<(), Failed> {
    let program = build(&package().join("examples").join(example.name), Mode::Sanitized)?;
    let broker = broker();
    let port = port(&broker).to_string();
    let start = |words: &[&str]| {
        let mut command = command(&program);
        command.arg(&port).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    let workers = example.workers.iter().map(|&word| start(&[word])).collect::<Result<Vec<_>, _>>()?;
    let mut client = start(example.client)?;
    if let Some(mut stdin) = client.stdin.take() {
        stdin.write_all(example.input.as_bytes())?;
    }
    let ended = client.wait_with_output()?;
    let ends: Result<Vec<_>, Failed> =
        workers.into_iter().map(|worker| end(worker, example.is_graceful)).collect();
    let ends = ends?;
    broker.stop();
    let said = String::from_utf8_lossy(&ended.stdout);
    if ended.status.success() && said == example.prints {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&ended.stderr);
    Err(format!("{}: it prints {said:?}, not {:?}\n{errors}{}", ended.status, example.prints, ends.concat())
        .into())
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", library_folder()).env_remove("GEARMAN_SERVERS");
    command
}

/// Ends a worker; answers what it has said.
fn end(mut worker: Child, is_graceful: bool) -> Result<String, Failed> {
    if is_graceful {
        let id = i32::try_from(worker.id())?;
        // SAFETY: a child that nobody has waited for keeps its id.
        unsafe { libc::kill(id, libc::SIGTERM) };
    } else {
        // It may have ended by itself.
        let _ = worker.kill();
    }
    let ended = worker.wait_with_output()?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if is_graceful && !ended.status.success() {
        return Err(format!("the worker ended with {}: {said}", ended.status).into());
    }
    Ok(said)
}
