//! Refused command lines and files: word for word what Debian's gearmand says, and its exit codes.

use std::fs;
use std::process::Command;

use lineshaft_tests::program::run;
use lineshaft_tests::server::Maker;

use super::Place;

/// Command lines that both take or refuse in the same way.
const COMMAND_LINES: &[&[&str]] = &[
    &[],
    &["--x"],
    &["--x=3"],
    &["-z"],
    &["-v"],
    &["stray"],
    &["--"],
    &["--", "stray"],
    &["-"],
    &[""],
    &["--port"],
    &["-p"],
    &["-t"],
    &["--por", "1"],
    &["--port="],
    &["--port=1", "--port=2"],
    &["-p1", "--port=2"],
    &["-p", "-x"],
    &["-p=3"],
    &["--verbose", "-p", "1"],
    &["-dR"],
    &["-dRx"],
    &["-dd"],
    &["-d1"],
    &["-dp", "3"],
    &["--daemon=1"],
    &["--daemon="],
    &["-h=1"],
    &["--help=1"],
    &["--threads", "x"],
    &["--threads", ""],
    &["-tx"],
    &["-t3"],
    &["-t", "1.5"],
    &["-t", " 5"],
    &["-t", "0x10"],
    &["-t", "4294967296"],
    &["-j", "-"],
    &["-j", "-1"],
    &["-j", "99999999999"],
    &["--backlog", "+5"],
    &["--backlog", "2147483647"],
    &["--backlog", "2147483648"],
    &["--keepalive-idle", "2147483648"],
    &["--verbose", "foo"],
    &["--verbose", "info"],
    &["--verbose", "INFO"],
    &["--hashtable-buckets", "0"],
    &["--hashtable-buckets", "1"],
    &["-q", "BuiltIn"],
    &["--syslog"],
    &["--log-file=--foo"],
    &["-t", "x", "--bar"],
    &["-p", "1", "-p", "2", "--bar"],
    &["--bar", "--port"],
    &["--port=", "--bar"],
    &["--exceptions", "--exceptions"],
    &["@file"],
];

/// Configuration files that both take or refuse in the same way.
const FILES: &[&str] = &[
    "",
    "--port 1\n--port 2\n",
    "--nosuch\n",
    "-z\n",
    "# a comment\n",
    "port=4797\n",
    "#--port=1\n",
    "# --port=x --threads=x\n",
    "--por 33\n",
    "--p 3\n",
    "--keepalive-i 3\n",
    "--port=44 --threads=2\n-t 3\n",
    "--check-args\n",
    "--threads x\n",
    "--thr x\n",
    "--threads\r\n3\r\n",
    "--threads 3 4\n",
    "-dR\n",
    "-dRz\n",
    "-j\n5\n",
    "-tfoo",
    "--port\n",
    "--port=\n",
    "--port\t55\n",
    "--PORT=3\n",
    "--daemon 1\n",
    "--daemon=1\n",
    "--daemon\n--daemon\n",
    "--verbose foo\n",
    "--hashtable 0\n",
    "--conf x\n",
    "--help\n",
    "--\n",
    "-- --port\n",
    "-\n",
];

/// How a program has ended and what it said, its own name left out.
fn verdict(place: &Place, maker: Maker, words: &[&str]) -> (Option<i32>, String) {
    let mut command = match maker {
        Maker::Ours => place.command("gearmand"),
        Maker::Debian => Command::new(maker.program("gearmand", &place.folder).unwrap()),
    };
    let name = format!("{}: ", command.get_program().display());
    let outcome = run(command.current_dir(place.folder.path()).arg("--check-args").args(words), b"").unwrap();
    (outcome.status.code(), outcome.err.replace(&name, ""))
}

#[test]
fn command_lines_are_judged_as_by_gearmand() {
    let place = Place::new();
    for words in COMMAND_LINES {
        assert_eq!(verdict(&place, Maker::Ours, words), verdict(&place, Maker::Debian, words), "{words:?}");
    }
}

#[test]
fn files_are_judged_as_by_gearmand() {
    let place = Place::new();
    for text in FILES {
        fs::write(place.path("file"), text).unwrap();
        for further in [&[][..], &["--threads", "1"]] {
            let words = [&["--config-file", "file"], further].concat();
            let ours = verdict(&place, Maker::Ours, &words);
            assert_eq!(ours, verdict(&place, Maker::Debian, &words), "{text:?} with {words:?}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let place = Place::new();
    let (ours, debian) = (Maker::Ours, Maker::Debian);
    let words = ["--config-file", "nonexistent"];
    let (code, text) = verdict(&place, ours, &words);
    let (expected, beginning) = verdict(&place, debian, &words);
    assert_eq!(code, expected);
    assert_eq!(text.strip_prefix(beginning.trim_end()), Some(" (nonexistent: no such file)\n"));
}

#[test]
fn help_and_version_are_on_the_standard_output() {
    let place = Place::new();
    for words in [["--help"], ["-h"]] {
        let help = place.run("gearmand", &words, b"").success().unwrap();
        assert!(help.starts_with("Allowed options:\n\nGeneral options:\n  -b [ --backlog ] arg"), "{help}");
    }
    let version = place.run("gearmand", &["-V"], b"").success().unwrap();
    assert!(version.starts_with(concat!("\ngearmand ", env!("CARGO_PKG_VERSION"), " - ")), "{version}");
}
