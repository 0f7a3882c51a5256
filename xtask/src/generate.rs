//! `cargo xtask generate`: files that are made from others and committed.

use crate::run::{Failure, Workspace, step};
use std::fs;

/// Every function of the C library, from the exports of ffi/.
const FUNCTIONS: &str = "include/libgearman-1.0/functions.h";

/// Writes them anew.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    step(FUNCTIONS);
    let path = workspace.root.join(FUNCTIONS);
    let text = functions(workspace)?;
    fs::write(&path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// An error where a committed file is not what [`run`] would write.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let path = workspace.root.join(FUNCTIONS);
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed == functions(workspace)? {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "{FUNCTIONS} is not what ffi/src says: run `cargo xtask generate` and commit it"
        )))
    }
}

fn functions(workspace: &Workspace) -> Result<String, Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::new(format!("{FUNCTIONS}: {error}"));
    let config = cbindgen::Config::from_file(workspace.root.join("include/cbindgen.toml"))
        .map_err(|error| failure(&error))?;
    // The C++ function has a mangled name and a prototype of its own.
    let bindings = cbindgen::Builder::new()
        .with_crate(workspace.root.join("ffi"))
        .with_config(config)
        .generate()
        .map_err(|error| failure(&error))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).map_err(|error| failure(&error))?;
    Ok(for_c(&text))
}

/// Leaves out what is for readers of Rust: the sections on safety, which say what every C programmer knows of pointers.
fn for_c(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skip = false;
    for line in text.lines() {
        if line == " # Safety" {
            skip = true;
            if kept.last().is_some_and(|line| line.is_empty()) {
                kept.pop();
            }
        }
        skip &= line != " */";
        if !skip {
            kept.push(line);
        }
    }
    kept.join("\n").replace("fn * ", "fn *") + "\n"
}
