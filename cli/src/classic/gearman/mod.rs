//! `gearman`: one job from a shell, or a command as a worker.

mod client;
mod worker;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lineshaft::net::{Address, ClientTls, Servers};
use lineshaft::types::Priority;

use crate::daemon::detach::{Detached, start_again};
use crate::daemon::pid_file::PidFile;
use crate::exit::{Exit, Failure, reason};
use crate::options::gearman::{Line, parse, usage};
use crate::options::{Refusal, parse::number};
use crate::tls::{CA_VARIABLE, TlsOptions};
use crate::{places, surroundings};

/// Runs gearman.
pub(crate) fn main(name: &str, words: &[OsString]) -> ExitCode {
    let done = match parse(words) {
        Ok(line) if line.has('H') => {
            let text = usage(name, "-H");
            let printed = if line.has('f') {
                io::stdout().write_all(text.as_bytes())
            } else {
                io::stderr().write_all(text.as_bytes())
            };
            printed.map(|()| ExitCode::SUCCESS).map_err(Failure::from)
        }
        Ok(line) => match Wish::read(line, surroundings::variable) {
            Ok(wish) => run(&wish),
            Err(why) => Err(misused(name, &why)),
        },
        Err(why) => Err(misused(name, &why)),
    };
    done.unwrap_or_else(|failure| {
        failure.print("gearman");
        failure.exit.classic()
    })
}

/// The usage text instead of a line of ours.
fn misused(name: &str, Refusal(why): &Refusal) -> Failure {
    // The exit code tells where nobody reads it.
    let _ = io::stderr().write_all(usage(name, why).as_bytes());
    Failure::new(Exit::Usage, "")
}

fn run(wish: &Wish) -> Result<ExitCode, Failure> {
    let detached = Detached::enter()?;
    if wish.daemon && detached.is_none() {
        return start_again();
    }
    let pid_file = wish.pid_file.as_deref().map(|path| {
        PidFile::create(path).map_err(|error| {
            Failure::new(
                Exit::System,
                format!("cannot write the pid file {}: {}", path.display(), reason(&error)),
            )
        })
    });
    let _pid_file = pid_file.transpose()?;
    if let Some(detached) = detached {
        detached.ready().map_err(|error| Failure::system("cannot leave the terminal", &error))?;
    }
    match wish.worker {
        true => worker::run(wish),
        false => {
            client::run(wish, &mut io::stdin().lock(), &mut io::stdout().lock(), &mut io::stderr().lock())
        }
    }
}

/// How lines become jobs of their own, or pieces of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    /// With the line feed.
    Whole,
    /// Without it.
    Stripped,
}

impl Lines {
    /// A line as it is sent; it still has its line feed, unless it is the last of its input.
    fn cut(self, line: &[u8]) -> &[u8] {
        match self {
            Self::Whole => line,
            Self::Stripped => line.strip_suffix(b"\n").unwrap_or(line),
        }
    }
}

/// What the command line and the environment want.
#[derive(Debug)]
struct Wish {
    functions: Vec<Vec<u8>>,
    servers: Servers,
    timeout: Option<Duration>,
    pid_file: Option<PathBuf>,
    tls: bool,
    verbose: bool,
    daemon: bool,
    worker: bool,
    background: bool,
    priority: Priority,
    lines: Option<Lines>,
    prefix: bool,
    no_input: bool,
    unique: Option<Vec<u8>>,
    count: Option<u64>,
    words: Vec<OsString>,
}

impl Wish {
    fn read(line: Line, env: impl Fn(&str) -> Option<OsString>) -> Result<Self, Refusal> {
        let mut wish = Self {
            functions: Vec::new(),
            servers: Servers::default(),
            timeout: None,
            pid_file: None,
            // As libgearman's gearman has it.
            tls: env(CA_VARIABLE).is_some(),
            verbose: false,
            daemon: false,
            worker: false,
            background: false,
            priority: Priority::Normal,
            lines: None,
            prefix: false,
            no_input: false,
            unique: None,
            count: None,
            words: line.words,
        };
        let (mut host, mut port) = (OsString::from("localhost"), OsString::new());
        for (letter, value) in line.options {
            match letter {
                'f' => wish.functions.push(value.into_vec()),
                'h' => host = value,
                'p' => port = value,
                // As in libgearman, a number below 0 is no limit.
                't' => wish.timeout = u64::try_from(integer('t', &value)?).ok().map(Duration::from_millis),
                'i' => wish.pid_file = Some(value.into()),
                'S' => wish.tls = true,
                'v' => wish.verbose = true,
                'd' => wish.daemon = true,
                'w' => wish.worker = true,
                'b' => wish.background = true,
                'I' => wish.priority = Priority::High,
                'L' => wish.priority = Priority::Low,
                'n' => wish.lines = Some(Lines::Whole),
                'N' => wish.lines = Some(Lines::Stripped),
                'P' => wish.prefix = true,
                's' => wish.no_input = true,
                'u' => wish.unique = Some(value.into_vec()),
                'c' => wish.count = u64::try_from(integer('c', &value)?).ok().filter(|count| *count > 0),
                _ => {}
            }
        }
        if wish.functions.is_empty() {
            return Err(Refusal("No Functions were provided".into()));
        }
        wish.servers = servers(&host, &port, env)?;
        Ok(wish)
    }

    fn tls(&self) -> Result<Option<ClientTls>, Failure> {
        TlsOptions::switched(self.tls).client(&surroundings::variable)
    }

    /// What stands in front of every piece of output.
    fn prefix_of(&self, function: &[u8]) -> Vec<u8> {
        if self.prefix { [function, b": "].concat() } else { Vec::new() }
    }
}

fn integer(letter: char, value: &OsStr) -> Result<i64, Refusal> {
    number(value).ok_or_else(|| Refusal(format!("-{letter} takes a number, not '{}'", value.display())))
}

/// The servers in the order in which a client tries them: libgearman's clients submit to the server that was added last,
/// and those of `GEARMAN_SERVERS` are added before `GEARMAN_SERVER`, or -h and -p.
fn servers(host: &OsStr, port: &OsStr, env: impl Fn(&str) -> Option<OsString>) -> Result<Servers, Refusal> {
    let mut all = list("GEARMAN_SERVERS", &env)?;
    match list("GEARMAN_SERVER", &env)? {
        named if named.is_empty() => all.push(places::server(host, port)?),
        named => all.extend(named),
    }
    Ok(all.into_iter().rev().collect())
}

fn list(variable: &str, env: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Address>, Refusal> {
    let Some(value) = env(variable) else { return Ok(Vec::new()) };
    let Some(list) = value.to_str() else { return Err(Refusal(format!("{variable}: not UTF-8"))) };
    let texts = list.split(',').map(str::trim).filter(|text| !text.is_empty());
    texts.map(|text| text.parse().map_err(|error| Refusal(format!("{variable}: {error}")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(words: &[&str], vars: &[(&str, &str)]) -> Result<Wish, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let env =
            |name: &str| vars.iter().find(|(var, _)| *var == name).map(|(_, value)| OsString::from(value));
        parse(&words).and_then(|line| Wish::read(line, env)).map_err(|why| why.0)
    }

    fn of(words: &[&str]) -> Wish {
        wish(&[&["-f", "x"], words].concat(), &[]).unwrap()
    }

    #[test]
    fn every_letter_arrives_where_it_belongs() {
        assert_eq!(of(&["-f", "y"]).functions, [b"x", b"y"]);
        assert_eq!(of(&["-t", "500"]).timeout, Some(Duration::from_millis(500)));
        assert_eq!(of(&["-t", "-1"]).timeout, None);
        assert_eq!(of(&["-i", "/x"]).pid_file, Some("/x".into()));
        assert!(of(&["-v"]).verbose && of(&["-d"]).daemon && of(&["-w"]).worker && of(&["-b"]).background);
        assert!(of(&["-S"]).tls && !of(&[]).tls);
        assert!(wish(&["-f", "x"], &[("GEARMAND_CA_CERTIFICATE", "ca.pem")]).unwrap().tls);
        assert_eq!(of(&[]).priority, Priority::Normal);
        assert_eq!(of(&["-I"]).priority, Priority::High);
        assert_eq!(of(&["-L"]).priority, Priority::Low);
        assert_eq!(of(&["-n"]).lines, Some(Lines::Whole));
        assert_eq!(of(&["-N"]).lines, Some(Lines::Stripped));
        assert!(of(&["-P"]).prefix && of(&["-s"]).no_input);
        assert_eq!(of(&["-u", "k"]).unique, Some(b"k".to_vec()));
        assert_eq!(of(&["-c", "3"]).count, Some(3));
        assert_eq!(of(&["-c", "0"]).count, None);
        assert_eq!(of(&["a", "b"]).words, ["a", "b"]);
        assert_eq!(of(&["-h", "q", "-p", "7"]).servers.to_string(), "q:7");
        assert_eq!(of(&["-h", "unix:/x"]).servers.to_string(), "unix:/x");
    }

    #[test]
    fn mistakes_are_named() {
        for (words, why) in [
            (&["-b"][..], "No Functions were provided"),
            (&["-f", "x", "-t", "soon"], "-t takes a number, not 'soon'"),
            (&["-f", "x", "-c", "x"], "-c takes a number, not 'x'"),
            (&["-f", "x", "-p", "70000"], "port '70000' is neither"),
        ] {
            let refusal = wish(words, &[]).unwrap_err();
            assert!(refusal.starts_with(why), "{refusal}");
        }
        let refusal = wish(&["-f", "x"], &[("GEARMAN_SERVER", "a:b")]).unwrap_err();
        assert!(refusal.starts_with("GEARMAN_SERVER: "), "{refusal}");
    }

    #[test]
    fn the_server_that_was_added_last_is_tried_first() {
        let order = |vars: &[(&str, &str)]| wish(&["-f", "x", "-p", "3"], vars).unwrap().servers.to_string();
        assert_eq!(order(&[]), "localhost:3");
        assert_eq!(order(&[("GEARMAN_SERVERS", "a:1,b:2")]), "localhost:3,b:2,a:1");
        assert_eq!(order(&[("GEARMAN_SERVER", "a:1,b")]), "b:4730,a:1");
        assert_eq!(order(&[("GEARMAN_SERVER", "a:1"), ("GEARMAN_SERVERS", "c:3")]), "a:1,c:3");
    }

    #[test]
    fn lines_keep_or_lose_their_line_feed() {
        assert_eq!(Lines::Whole.cut(b"a\n"), b"a\n");
        assert_eq!(Lines::Stripped.cut(b"a\n"), b"a");
        assert_eq!(Lines::Stripped.cut(b"a"), b"a");
    }
}
