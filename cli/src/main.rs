//! The one binary: `lineshaft` with its subcommands, and gearmand, gearman and gearadmin under their own names.
#![forbid(unsafe_code)]

mod classic;
mod commands;
mod daemon;
mod exit;
mod input;
mod options;
mod pipe;
mod places;
mod render;
mod surroundings;
mod tls;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| "lineshaft".into());
    let words: Vec<OsString> = words.collect();
    // The name under which we were called decides, then the first word.
    if let Some(program) = classic::program(Path::new(&name)) {
        return program(&name.display().to_string(), &words);
    }
    if let [first, rest @ ..] = &words[..]
        && let Some(program) = classic::program(Path::new(first))
    {
        return program(&first.display().to_string(), rest);
    }
    commands::run(&words)
}
