//! Runs a command as the worker of a job: the workload on its standard input, its standard output as the result.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::exit::reason;

/// The largest result that is kept, in bytes: what fits into a packet, less the room for the handle.
pub(crate) const MAX_RESULT: usize = u32::MAX as usize - (64 << 10);

/// How many jobs several workers may still begin together.
#[derive(Debug)]
pub(crate) struct Quota(AtomicU64);

impl Quota {
    /// `None` is without limit.
    pub(crate) const fn new(jobs: Option<u64>) -> Self {
        Self(AtomicU64::new(match jobs {
            Some(jobs) => jobs,
            None => u64::MAX,
        }))
    }

    /// True where another job may be waited for. To be asked before the first job, and in each job for the next one: a
    /// worker that is stopped in its last job is handed no other in vain.
    pub(crate) fn another(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// What to do with the output.
pub(crate) enum Output<'a> {
    /// Keep it for the end.
    Keep,
    /// Hand over each line as it comes, with its line feed; false stops the command.
    Lines(&'a mut dyn FnMut(&[u8]) -> bool),
}

/// How a command has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What it has written; empty where lines were handed over.
    pub(crate) output: Vec<u8>,
    /// Why the job has failed: the command could not be run, ended with another code than 0, or by a signal.
    pub(crate) failure: Option<String>,
}

/// A command that does jobs.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    /// The program and its words.
    pub(crate) command: Vec<OsString>,
    /// It runs in a process group of its own: what a terminal's Ctrl-C ends is the worker, which lets it finish.
    pub(crate) own_group: bool,
}

impl Runner {
    /// Runs the command and waits for its end. Input and output flow at the same time, so that neither waits for the other,
    /// whatever their size. A command that does not read its input misses it.
    pub(crate) fn run(&self, workload: Bytes, output: Output<'_>) -> Ended {
        let [program, words @ ..] = &self.command[..] else {
            return Ended { output: Vec::new(), failure: Some("there is no command".into()) };
        };
        let failed = |what: &str, error: &io::Error| Ended {
            output: Vec::new(),
            failure: Some(format!("{what} {}: {}", program.display(), reason(error))),
        };
        let mut start = Command::new(program);
        start.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        if self.own_group {
            start.process_group(0);
        }
        let mut child = match start.spawn() {
            Ok(child) => child,
            Err(error) => return failed("cannot run", &error),
        };
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        if let Some(stdin) = stdin {
            feed(stdin, workload);
        }
        let (kept, whole) = stdout.map_or((Ok(Vec::new()), true), |stdout| collect(stdout, output));
        if !whole || kept.is_err() {
            // It may have ended on its own by now.
            let _ = child.kill();
        }
        match (ended(&mut child), kept) {
            (Err(error), _) => failed("cannot wait for", &error),
            (_, Err(error)) => failed("cannot read from", &error),
            (Ok(None), Ok(output)) if !whole => Ended { output, failure: Some("stopped".into()) },
            (Ok(failure), Ok(output)) => Ended { output, failure },
        }
    }
}

/// A thread of its own writes, and is not waited for: a child of the command may hold the pipe without ever reading it.
fn feed(mut stdin: ChildStdin, workload: Bytes) {
    let writer = move || {
        // Whoever does not read its input need not.
        let _ = stdin.write_all(&workload);
    };
    if let Err(error) = std::thread::Builder::new().name("lineshaft-stdin".into()).spawn(writer) {
        tracing::error!("cannot start a thread for the standard input of a command: {error}");
    }
}

/// Reads to the end; the second value is false where reading has been broken off.
fn collect(stdout: ChildStdout, output: Output<'_>) -> (io::Result<Vec<u8>>, bool) {
    let mut kept = Vec::new();
    match output {
        Output::Keep => {
            let read = stdout.take(MAX_RESULT as u64 + 1).read_to_end(&mut kept);
            match read {
                Err(error) => (Err(error), false),
                Ok(_) if kept.len() > MAX_RESULT => (Err(too_large()), false),
                Ok(_) => (Ok(kept), true),
            }
        }
        Output::Lines(each) => {
            let mut reader = BufReader::new(stdout);
            loop {
                kept.clear();
                match (&mut reader).take(MAX_RESULT as u64 + 1).read_until(b'\n', &mut kept) {
                    Err(error) => return (Err(error), false),
                    Ok(0) => return (Ok(Vec::new()), true),
                    Ok(_) if kept.len() > MAX_RESULT => return (Err(too_large()), false),
                    Ok(_) if !each(&kept) => return (Ok(Vec::new()), false),
                    Ok(_) => {}
                }
            }
        }
    }
}

fn too_large() -> io::Error {
    io::Error::other(format!("more than {MAX_RESULT} bytes of output"))
}

fn ended(child: &mut Child) -> io::Result<Option<String>> {
    let status = child.wait()?;
    Ok(if status.success() { None } else { Some(format!("the command ended with {status}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str], workload: Bytes, output: Output<'_>) -> Ended {
        let command = words.iter().map(OsString::from).collect();
        Runner { command, own_group: words.len() > 1 }.run(workload, output)
    }

    #[test]
    fn a_quota_is_used_up() {
        let quota = Quota::new(Some(2));
        assert_eq!([(); 3].map(|()| quota.another()), [true, true, false]);
        assert!(Quota::new(None).another());
    }

    #[test]
    fn big_input_and_big_output_do_not_wait_for_each_other() {
        let workload: Bytes = vec![7; 10 << 20].into();
        let ended = run(&["cat"], workload.clone(), Output::Keep);
        assert_eq!(ended.failure, None);
        assert!(ended.output == workload);
    }

    #[test]
    fn a_command_need_not_read_its_input() {
        let ended = run(&["echo", "done"], vec![7; 10 << 20].into(), Output::Keep);
        assert_eq!(ended, Ended { output: b"done\n".to_vec(), failure: None });
    }

    #[test]
    fn failures_are_told_apart() {
        let failure = |words: &[&str]| run(words, Bytes::new(), Output::Keep).failure.unwrap();
        assert_eq!(failure(&["/nonexistent/x"]), "cannot run /nonexistent/x: No such file or directory");
        assert_eq!(failure(&["sh", "-c", "exit 3"]), "the command ended with exit status: 3");
        assert!(failure(&["sh", "-c", "kill -9 $$"]).starts_with("the command ended with signal: 9"));
        assert_eq!(failure(&[]), "there is no command");
    }

    #[test]
    fn a_failure_keeps_what_was_written_before() {
        let ended = run(&["sh", "-c", "echo half; exit 1"], Bytes::new(), Output::Keep);
        assert_eq!(ended.output, b"half\n");
        assert!(ended.failure.is_some());
    }

    #[test]
    fn lines_come_one_by_one() {
        let mut lines = Vec::new();
        let mut each = |line: &[u8]| {
            lines.push(line.to_vec());
            true
        };
        let ended = run(&["printf", "a\\nb\\n\\nc"], Bytes::new(), Output::Lines(&mut each));
        assert_eq!(ended, Ended { output: Vec::new(), failure: None });
        assert_eq!(lines, [&b"a\n"[..], b"b\n", b"\n", b"c"]);
    }

    #[test]
    fn a_command_whose_lines_nobody_takes_is_stopped() {
        let ended = run(&["yes"], Bytes::new(), Output::Lines(&mut |_| false));
        assert!(ended.failure.is_some());
    }
}
