//! The project's own commands. `cargo xtask` alone lists them.

mod bench;
mod bench_c;
mod check;
mod deb;
mod generate;
mod install_c;
mod man;
mod node;
mod package;
mod peers;
mod python;
mod run;
mod tally;
mod test;
mod vectors;

use run::{Failure, Workspace};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  check             format, lints, documentation, the pure rooms alone, the layers of the tree
  test              everything: installs the peers where they are missing, builds the daemon, runs every suite
  test ARGS...      only `cargo test -p lineshaft-tests ARGS...`, with peers and daemon in place (`test --test interop -- perl`)
  test c            only the C library: its suites, programs of libgearman that run with it, and what `install-c` installs
  test node         only the Node.js package: packs it, installs the tarballs in an empty project, runs its suite there
  test package      only the Debian package: installed, upgraded, removed under a systemd of its own (as root)
  test python       only the Python package: builds its wheel, runs its suite on every interpreter that is there
  generate          the C headers that are made from ffi/src
  install-c ...     the C library, its headers and man pages: --prefix DIR [--profile NAME]
  deb ...           the Debian packages: [--profile NAME]
  vectors [ARGS...] the wire vectors against the built daemon; ARGS go to reference/run_vectors.py
  bench [ARGS...]   this daemon beside its rivals; ARGS go to the side-by-side harness (`bench --against gearmand,redis`)
  bench c ...       our libgearman beside Debian's: the same program, CPU per job and rates (`--rounds`, `--jobs`)
  bench node ...    the Node.js package beside npm gearman and BullMQ on Redis
  bench python ...  the Python package beside gear, gearman3 and RQ on Redis
  fuzz [SECONDS]    every fuzz target for so long (default 60)
  soak [SECONDS]    a mixed load with lost peers on one daemon for so long (default 60), then a thousand crashes";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next();
    let rest: Vec<String> = words.collect();
    let outcome = Workspace::find().and_then(|workspace| match command.as_deref() {
        Some("check") => check::run(&workspace),
        Some("test") => test::run(&workspace, &rest),
        Some("generate") => generate::run(&workspace),
        Some("install-c") => install_c::run(&workspace, &rest),
        Some("vectors") => vectors::run(&workspace, &rest),
        Some("deb") => deb::run(&workspace, &rest),
        Some("bench") => bench::run(&workspace, &rest),
        Some("fuzz") => test::fuzz(&workspace, seconds(&rest)?),
        Some("soak") => test::soak(&workspace, seconds(&rest)?),
        None | Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(Failure::new(format!("no command `{other}`\n\n{USAGE}"))),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The one optional number of `fuzz` and `soak`.
fn seconds(words: &[String]) -> Result<u64, Failure> {
    match words {
        [] => Ok(60),
        [word] => word.parse().map_err(|_| Failure::new(format!("`{word}` is not a number of seconds"))),
        _ => Err(Failure::new("one number of seconds, no more".to_owned())),
    }
}
