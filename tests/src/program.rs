//! Other people's clients and workers as child processes.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::clock::{PATIENCE, now, poll};

/// How a program ended and what it printed.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error, as text.
    pub err: String,
}

impl Outcome {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Its standard output as text, where it has ended well.
    ///
    /// # Errors
    /// When it has not.
    pub fn success(self) -> Result<String> {
        ensure!(self.status.success(), "{}; output:\n{}\nerrors:\n{}", self.status, self.text(), self.err);
        Ok(self.text())
    }
}

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    out: Stream,
    err: Stream,
}

impl Program {
    /// Starts `command`; `input` is fed to its standard input, which then ends.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, input: &[u8]) -> Result<Self> {
        let name = shown(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| name.clone())?;
        if let Some(mut stdin) = child.stdin.take() {
            let input = input.to_vec();
            // A program that ends early breaks the pipe; what became of it is seen elsewhere.
            thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let out = Stream::new(child.stdout.take());
        let err = Stream::new(child.stderr.take());
        Ok(Self { name, child, out, err })
    }

    /// Waits until its standard output holds `text`.
    ///
    /// # Errors
    /// When that does not happen in time.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        let deadline = now() + PATIENCE;
        while !contains(&self.out.seen, text.as_bytes()) {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() || !self.out.more(left) {
                let (out, err) = (self.out.text(), self.err.text());
                anyhow::bail!("`{}` did not print {text:?}; output:\n{out}\nerrors:\n{err}", self.name);
            }
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn finish(mut self) -> Result<Outcome> {
        let ended = poll(PATIENCE, || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            // Its output so far belongs into the error.
            let _ = self.child.kill();
        }
        self.out.rest();
        self.err.rest();
        let (out, err) = (std::mem::take(&mut self.out.seen), self.err.text());
        let shown = || String::from_utf8_lossy(&out[..out.len().min(2000)]).into_owned();
        let status = ended.with_context(|| {
            format!("`{}` did not end in {PATIENCE:?}; output:\n{}\nerrors:\n{err}", self.name, shown())
        })?;
        Ok(Outcome { status, out, err })
    }

    /// Kills it: what it has printed on its standard output.
    ///
    /// # Errors
    /// When it has ended by itself before.
    pub fn kill_for_output(mut self) -> Result<String> {
        self.end()?;
        self.out.rest();
        Ok(self.out.text())
    }

    /// Kills it, as `kill -9` does: no farewell to the server.
    ///
    /// # Errors
    /// When it has ended by itself before.
    pub fn kill(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let ended = self.child.try_wait().context("wait")?;
        self.err.more(Duration::ZERO);
        ensure!(ended.is_none(), "`{}` had ended before it was killed:\n{}", self.name, self.err.text());
        self.child.kill().context("kill")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub fn run(command: &mut Command, input: &[u8]) -> Result<Outcome> {
    Program::start(command, input)?.finish()
}

/// What a program prints on one of its outputs.
#[derive(Debug)]
struct Stream {
    chunks: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Stream {
    fn new(source: Option<impl Read + Send + 'static>) -> Self {
        let (sender, chunks) = channel();
        if let Some(mut source) = source {
            thread::spawn(move || {
                let mut chunk = vec![0; 64 << 10];
                while let Ok(length @ 1..) = source.read(&mut chunk) {
                    if sender.send(chunk[..length].to_vec()).is_err() {
                        return;
                    }
                }
            });
        }
        Self { chunks, seen: Vec::new() }
    }

    /// Waits for more; false when none comes in time or the output has ended.
    fn more(&mut self, limit: Duration) -> bool {
        let first = self.chunks.recv_timeout(limit);
        let came = first.is_ok();
        self.seen.extend(first.into_iter().flatten());
        self.seen.extend(self.chunks.try_iter().flatten());
        came
    }

    /// Everything up to the end. A grandchild that has inherited the output may hold it open for longer than anybody cares.
    fn rest(&mut self) {
        loop {
            match self.chunks.recv_timeout(Duration::from_secs(2)) {
                Ok(chunk) => self.seen.extend(chunk),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
