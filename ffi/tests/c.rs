//! Programs in C and C++ that use every group of the library's calls, each as it is, under ASan and UBSan, and under valgrind.

mod common;
mod examples;
mod nulls;
mod secure;

use common::{include, library_folder, package};
use libtest_mimic::{Arguments, Failed, Trial};
use lineshaft::net::Address;
use lineshaft::server::Server;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use secure::Secure;

/// The programs of `tests/c`.
const PROGRAMS: [&str; 14] = [
    "client_do.c",
    "client_life.c",
    "client_servers.c",
    "execute.c",
    "forking.c",
    "functions.c",
    "jobs.c",
    "leaving.c",
    "signals.c",
    "tasks.c",
    "texts.c",
    "throwing.cpp",
    "tls.c",
    "workers.c",
];

/// How a program is built and run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    /// With Debian's headers in place of ours.
    Debian,
    /// Reads and writes outside of what is allocated, what is never freed, and what C leaves undefined.
    Sanitized,
    /// The same for the library's own memory, and what is read before it is written.
    Valgrind,
}

fn main() {
    let mut trials = Vec::new();
    let written = PROGRAMS.iter().map(|program| package().join("tests/c").join(program));
    for source in written.chain([nulls::program()]) {
        let program = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut modes = vec![Mode::Plain, Mode::Sanitized, Mode::Valgrind];
        if program == "tls.c" {
            modes.push(Mode::Debian);
        }
        for mode in modes {
            let name = format!("{program}::{}", format!("{mode:?}").to_lowercase());
            let source = source.clone();
            trials.push(Trial::test(name, move || run(&source, mode)));
        }
    }
    trials.extend(examples::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Builds a program where it is older than what it is made of, and runs it with two brokers of its own.
fn run(source: &Path, mode: Mode) -> Result<(), Failed> {
    let built = build(source, mode)?;
    let brokers = [broker(), broker()];
    let mut command = match mode {
        Mode::Plain | Mode::Debian | Mode::Sanitized => Command::new(&built),
        Mode::Valgrind => {
            let mut valgrind = Command::new("valgrind");
            valgrind.args([
                "--quiet",
                "--error-exitcode=9",
                "--leak-check=full",
                "--child-silent-after-fork=yes",
            ]);
            valgrind.args([
                "--errors-for-leak-kinds=definite,indirect,possible",
                "--show-leak-kinds=definite,indirect,possible",
            ]);
            if source.ends_with("tls.c") {
                // It does not follow what ring's assembler writes, and takes every tag and what depends on it for uninitialised.
                valgrind.arg("--undef-value-errors=no");
            }
            valgrind.arg(&built);
            valgrind
        }
    };
    command.args(brokers.iter().map(|broker| port(broker).to_string()));
    command.env("LD_LIBRARY_PATH", library_folder()).env_remove("GEARMAN_SERVERS");
    for variable in ["GEARMAND_CA_CERTIFICATE", "GEARMAN_CLIENT_PEM", "GEARMAN_CLIENT_KEY"] {
        command.env_remove(variable);
    }
    let secure = source.ends_with("tls.c").then(|| Secure::start(&format!("{mode:?}")));
    if let Some(secure) = &secure {
        command.env("TEST_TLS_PORT", port(&secure.server).to_string()).env("TEST_TLS_FOLDER", &secure.folder);
    }
    let ended = command.output()?;
    for broker in brokers {
        broker.stop();
    }
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    Err(format!("{}\n{}", ended.status, String::from_utf8_lossy(&said)).into())
}

fn broker() -> Server {
    let address: Address = "127.0.0.1:0".parse().expect("an address");
    Server::builder().listen(address).start().expect("a broker")
}

fn port(broker: &Server) -> u16 {
    match broker.addresses() {
        [Address::Tcp { port, .. }] => *port,
        other => panic!("not one port: {other:?}"),
    }
}

/// Builds a program where it is older than what it is made of.
fn build(source: &Path, mode: Mode) -> Result<PathBuf, Failed> {
    let folder = package().join("tests/c");
    let sanitized = mode == Mode::Sanitized;
    let program = source.file_name().unwrap_or_default().to_string_lossy();
    let kind = match mode {
        Mode::Sanitized => "sanitized",
        Mode::Debian => "debian",
        Mode::Plain | Mode::Valgrind => "plain",
    };
    let name = format!("{program}-{kind}");
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let newest = [&folder, &include().join("libgearman-1.0"), source].into_iter().map(changed).max();
    if built.exists() && newest < Some(changed(&built)) {
        return Ok(built);
    }
    let cpp = program.ends_with(".cpp");
    let mut compiler = Command::new(if cpp { "c++" } else { "cc" });
    compiler.arg(if cpp { "-std=gnu++17" } else { "-std=gnu11" });
    compiler.args(["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"]).arg(folder);
    if mode != Mode::Debian {
        compiler.arg("-I").arg(include());
    }
    if sanitized {
        compiler.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    }
    // Another mode of the same program may be building it: whoever is last puts the same thing there.
    let fresh = built.with_extension(format!("{}-{mode:?}", std::process::id()));
    compiler.arg("-o").arg(&fresh).arg(source).arg("-L").arg(library_folder()).arg("-lgearman");
    let ended = compiler.output()?;
    if !ended.status.success() {
        return Err(
            format!("{compiler:?}: {}\n{}", ended.status, String::from_utf8_lossy(&ended.stderr)).into()
        );
    }
    std::fs::rename(&fresh, &built)?;
    Ok(built)
}

/// When a file, or the newest in a folder, was last written.
fn changed(path: &Path) -> SystemTime {
    let time = |path: &Path| {
        path.metadata()
            .and_then(|data| data.modified())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| time(&entry.path())).max().unwrap_or_else(|| time(path)),
        Err(_) => time(path),
    }
}
