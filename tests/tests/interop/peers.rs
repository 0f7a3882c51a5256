//! Clients and workers that run as programs of their own, all driven in one way.

use anyhow::{Context, Result, bail, ensure};
use lineshaft_tests::clock::{PATIENCE, poll};
use lineshaft_tests::place;
use lineshaft_tests::program::{Outcome, Program, run};
use lineshaft_tests::server::{Maker, Server};
use lineshaft_tests::wire::kind;
use rustix::process::Signal;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Whose client or worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Perl's Gearman::Client and Gearman::Worker.
    Perl,
    /// PyPI's gear.
    Gear,
    /// The `gearman` tool: Debian's stands on libgearman.
    Tool(Maker),
    /// A program that was linked with Debian's libgearman and runs with ours.
    OnOurs(Linked),
}

/// Programs that are linked with libgearman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    /// Debian's `gearman` tool.
    Tool,
    /// PHP with php-gearman.
    Php,
    /// client.c and worker.c.
    C,
}

impl Linked {
    pub(crate) const ALL: [Self; 3] = [Self::Tool, Self::Php, Self::C];
}

impl Peer {
    /// Each meets each.
    pub(crate) const ALL: [Self; 4] =
        [Self::Perl, Self::Gear, Self::Tool(Maker::Debian), Self::Tool(Maker::Ours)];

    /// What kind of program it is: the library that it runs with does not count.
    pub(crate) fn kind(self) -> Self {
        if self == Self::OnOurs(Linked::Tool) { Self::Tool(Maker::Debian) } else { self }
    }

    /// `client` or `worker` of a peer that has them as programs of tests/peers.
    fn program(self, role: &str) -> Result<Command> {
        let script = |interpreter: Command, ending: &str| {
            with(interpreter, [place::peer(&format!("{role}.{ending}"))])
        };
        let mut command = match self {
            Self::Perl => script(Command::new("perl"), "pl"),
            Self::Gear => script(Command::new(place::python()?), "py"),
            Self::OnOurs(Linked::Php) => script(Command::new("php"), "php"),
            Self::OnOurs(Linked::C) => Command::new(place::c_peer(role)?),
            Self::Tool(_) | Self::OnOurs(Linked::Tool) => bail!("the tool is a program of its own"),
        };
        if let Self::OnOurs(_) = self {
            on_ours(&mut command)?;
        }
        Ok(command)
    }
}

/// What proves all the rest: the loader takes our library for them, not Debian's.
pub(crate) fn on_ours_have_loaded_it() -> Result<()> {
    let ours = place::libgearman()?.join("libgearman.so.8");
    let loaded = |mut command: Command| {
        let text = run(on_ours(command.env("LD_DEBUG", "libs"))?, b"")?;
        let line = format!("calling init: {}", ours.display());
        ensure!(text.err.contains(&line), "it is not loaded:\n{}", text.err);
        Ok(())
    };
    let mut php = Command::new("php");
    php.args(["-r", "new GearmanClient();"]);
    loaded(php)?;
    loaded(Command::new(place::c_peer("client")?))?;
    let mut tool = Command::new("/usr/bin/gearman");
    tool.arg("-H");
    loaded(tool)
}

/// Lets a program that is linked with libgearman run with ours.
fn on_ours(command: &mut Command) -> Result<&mut Command> {
    Ok(command.env("LD_LIBRARY_PATH", place::libgearman()?).env_remove("GEARMAN_SERVERS"))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Perl => "perl",
            Self::Gear => "gear",
            Self::Tool(Maker::Debian) => "libgearman",
            Self::Tool(Maker::Ours) => "ours",
            Self::OnOurs(Linked::Tool) => "libgearman_on_ours",
            Self::OnOurs(Linked::Php) => "php_on_ours",
            Self::OnOurs(Linked::C) => "c_on_ours",
        })
    }
}

/// What a client asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job<'a> {
    pub(crate) function: &'a str,
    pub(crate) workload: &'a [u8],
    pub(crate) unique: Option<&'a str>,
    /// `high`, `low` or neither.
    pub(crate) priority: Option<&'a str>,
    /// Wants to hear of exceptions.
    pub(crate) exceptions: bool,
}

impl<'a> Job<'a> {
    pub(crate) fn new(function: &'a str, workload: &'a [u8]) -> Self {
        Self { function, workload, ..Self::default() }
    }
}

/// How a job ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Fail,
    Exception(Vec<u8>),
}

/// What a client has heard of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Data and result, joined.
    pub(crate) output: Vec<u8>,
    pub(crate) warnings: Vec<u8>,
    /// In percent.
    pub(crate) progress: Vec<u32>,
    pub(crate) end: End,
}

/// A broker and a folder for a story.
pub(crate) struct Session {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

impl Session {
    pub(crate) fn new(broker: Maker) -> Result<Self> {
        Self::with(broker, &[])
    }

    /// With further options of the broker.
    pub(crate) fn with(broker: Maker, args: &[&str]) -> Result<Self> {
        Ok(Self { server: Server::start(broker, args)?, folder: tempfile::tempdir()? })
    }

    /// Our broker must have come through all of it well. Debian's may end in a crash after a lost worker.
    pub(crate) fn end(mut self) -> Result<()> {
        match self.server.maker() {
            Maker::Ours => self.server.stop(Signal::TERM),
            Maker::Debian => Ok(()),
        }
    }

    /// A path for a file that does not exist yet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The numbers of the broker's `status` line for `function`: total, running, workers.
    pub(crate) fn status(&self, function: &str) -> Result<[u32; 3]> {
        let answer = self.server.connect()?.text("status\n")?;
        let line = answer.lines().find_map(|line| line.strip_prefix(function)?.strip_prefix('\t'));
        let Some(line) = line else { return Ok([0; 3]) };
        let numbers: Vec<u32> = line.split('\t').map(str::parse).collect::<Result<_, _>>()?;
        numbers.try_into().ok().with_context(|| format!("status says {answer}"))
    }

    /// Waits until the `status` line for `function` is as wanted.
    pub(crate) fn wait_status(&self, function: &str, wanted: impl Fn([u32; 3]) -> bool) -> Result<()> {
        let mut last = Ok([0; 3]);
        let reached = poll(PATIENCE, || {
            last = self.status(function);
            last.as_ref().is_ok_and(|&numbers| wanted(numbers)).then_some(())
        });
        reached.with_context(|| format!("status of {function} stays at {last:?} (total, running, workers)"))
    }

    /// Starts a worker and waits until the broker knows it.
    pub(crate) fn worker(&self, peer: Peer, function: &str) -> Result<Program> {
        let [.., before] = self.status(function)?;
        if let Peer::Tool(_) = peer.kind() {
            return self.tool_worker(peer, function, before);
        }
        let mut command = peer.program("worker")?;
        let worker = Program::start(command.arg(self.server.port().to_string()), b"")?;
        self.wait_status(function, |[.., workers]| workers > before)?;
        Ok(worker)
    }

    /// `gearman -w` with a command that does what the function of the same name in worker.pl does.
    fn tool_worker(&self, peer: Peer, function: &str, before: u32) -> Result<Program> {
        // At most half a minute: a worker that is killed leaves this behind.
        let hold = "file=$(cat); n=0; until [ -e \"$file\" ] || [ $((n += 1)) -gt 600 ]; do sleep 0.05; done; printf released";
        let work: &[&str] = match function {
            "echo" => &["--", "cat"],
            "count" => &["--", "wc", "-c"],
            "content" => &["--", "sh", "-c", "cat \"$(cat)\""],
            "empty" => &["--", "true"],
            "log" => &[],
            "data" => &["-n", "--", "printf", "one,\\ntwo,\\n"],
            "fail" => &["--", "false"],
            "hold" => &["--", "sh", "-c", hold],
            _ => bail!("the gearman tool cannot do {function}"),
        };
        let mut command = self.tool(peer, "gearman")?;
        let worker = Program::start(command.args(["-w", "-f", function]).args(work), b"")?;
        self.wait_status(function, |[.., workers]| workers > before)?;
        Ok(worker)
    }

    /// A tool, pointed to the broker.
    pub(crate) fn tool(&self, tools: Peer, name: &str) -> Result<Command> {
        let mut command = self.bare_tool(tools, name)?;
        command.args(["-h", "127.0.0.1", "-p", &self.server.port().to_string()]);
        Ok(command)
    }

    /// A tool that is told nothing.
    pub(crate) fn bare_tool(&self, tools: Peer, name: &str) -> Result<Command> {
        let Peer::Tool(maker) = tools.kind() else { bail!("{tools} has no tools") };
        let mut command = Command::new(maker.program(name, &self.folder)?);
        // Whoever runs the tests may have servers of their own.
        command.env_remove("GEARMAN_SERVER").env_remove("GEARMAN_SERVERS");
        if let Peer::OnOurs(_) = tools {
            on_ours(&mut command)?;
        }
        Ok(command)
    }

    /// Submits a job in the foreground.
    pub(crate) fn submit(&self, peer: Peer, job: &Job<'_>) -> Result<Submitted> {
        let command = &mut self.client(peer, job, false)?;
        Ok(Submitted { peer, program: Program::start(command, job.workload)? })
    }

    /// Submits a job in the foreground and waits for its end.
    pub(crate) fn run(&self, peer: Peer, job: &Job<'_>) -> Result<Answer> {
        self.submit(peer, job)?.answer()
    }

    /// Submits a job in the background: its handle.
    pub(crate) fn submit_background(&self, peer: Peer, job: &Job<'_>) -> Result<String> {
        let text = run(&mut self.client(peer, job, true)?, job.workload)?.success()?;
        let words = ["created ", "Task created: "];
        let handle = words.iter().find_map(|word| text.lines().find_map(|line| line.strip_prefix(word)));
        Ok(handle.with_context(|| format!("{peer} named no handle: {text}"))?.to_owned())
    }

    fn client(&self, peer: Peer, job: &Job<'_>, background: bool) -> Result<Command> {
        let mut command = match peer.kind() {
            Peer::Tool(_) => {
                ensure!(!job.exceptions, "the gearman tool does not ask for exceptions");
                let mut command = self.tool(peer, "gearman")?;
                command.args(["-f", job.function]);
                command.args(background.then_some(["-b", "-v"]).into_iter().flatten());
                command.args(job.priority.map(|it| if it == "high" { "-I" } else { "-L" }));
                command.args(job.unique.map(|it| ["-u", it]).into_iter().flatten());
                return Ok(command);
            }
            _ => peer.program("client")?,
        };
        command.args([&self.server.port().to_string(), "do", job.function]);
        command.args(background.then_some("background"));
        command.args(job.exceptions.then_some("exceptions"));
        command.args(job.priority.map(|it| format!("priority={it}")));
        command.args(job.unique.map(|it| format!("unique={it}")));
        Ok(command)
    }

    /// Asks what the broker knows of a job: known, running, numerator, denominator.
    pub(crate) fn job_status(&self, peer: Peer, handle: &str) -> Result<[u32; 4]> {
        let mut command = match peer.kind() {
            // The tool has no way to ask.
            Peer::Tool(_) => {
                let mut wire = self.server.connect()?;
                wire.request(kind::GET_STATUS, &[handle.as_bytes()])?;
                let answer = String::from_utf8(wire.expect(kind::STATUS_RES)?)?;
                let (_, numbers) = answer.split_once('\0').context("a handle and four numbers")?;
                return four(numbers.split('\0'));
            }
            _ => peer.program("client")?,
        };
        command.args([&self.server.port().to_string(), "status", handle]);
        let text = run(&mut command, b"")?.success()?;
        four(text.split_whitespace().skip(1))
    }
}

/// A client at work.
pub(crate) struct Submitted {
    peer: Peer,
    program: Program,
}

impl Submitted {
    /// Waits for the end of the job.
    pub(crate) fn answer(self) -> Result<Answer> {
        let outcome = self.program.finish()?;
        match self.peer.kind() {
            Peer::Tool(_) => tool_answer(&outcome),
            _ => events(&outcome.success()?),
        }
    }
}

/// What client.pl and client.py print.
fn events(text: &str) -> Result<Answer> {
    let mut answer =
        Answer { output: Vec::new(), warnings: Vec::new(), progress: Vec::new(), end: End::Fail };
    let mut ended = false;
    for line in text.lines() {
        let (event, rest) = line.split_once(' ').unwrap_or((line, ""));
        match event {
            "created" => {}
            "data" => answer.output.extend(unhex(rest)?),
            "warning" => answer.warnings.extend(unhex(rest)?),
            "progress" => {
                let (numerator, denominator) = rest.split_once(' ').context("two numbers")?;
                answer.progress.push(100 * numerator.parse::<u32>()? / denominator.parse::<u32>()?);
            }
            "complete" => {
                answer.output.extend(unhex(rest)?);
                answer.end = End::Complete;
                ended = true;
            }
            "fail" => ended = true,
            "exception" => {
                answer.end = End::Exception(unhex(rest)?);
                ended = true;
            }
            _ => bail!("the client said `{line}`"),
        }
    }
    ensure!(ended, "the job has no end:\n{text}");
    Ok(answer)
}

/// What the gearman tool prints: data, result and `N% Complete` lines on one output, warnings and failure on the other.
fn tool_answer(outcome: &Outcome) -> Result<Answer> {
    let mut output = Vec::new();
    let mut progress = Vec::new();
    for line in outcome.out.split_inclusive(|&byte| byte == b'\n') {
        let Some(before) = line.strip_suffix(b"% Complete\n") else {
            output.extend_from_slice(line);
            continue;
        };
        // Debian's tool buffers these lines but not the result, which may so stand in front of the number.
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (result, number) = before.split_at(before.len() - digits);
        output.extend_from_slice(result);
        progress.push(std::str::from_utf8(number)?.parse()?);
    }
    let err = &outcome.err;
    let (warnings, end) = match (outcome.status.code(), err.strip_suffix("Job failed\n")) {
        (Some(0), None) => (err.as_str(), End::Complete),
        (Some(1), Some(before)) => (before, End::Fail),
        (exit, _) => bail!("exit code {exit:?}; errors:\n{err}"),
    };
    Ok(Answer { output, warnings: warnings.as_bytes().to_vec(), progress, end })
}

fn with<const N: usize>(mut command: Command, words: [PathBuf; N]) -> Command {
    command.args(words);
    command
}

fn four<'a>(words: impl Iterator<Item = &'a str>) -> Result<[u32; 4]> {
    let numbers: Vec<u32> = words.map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().ok().context("four numbers")
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits = text.trim().as_bytes();
    ensure!(digits.len().is_multiple_of(2), "half a byte");
    let pair = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.chunks(2).map(pair).collect()
}
