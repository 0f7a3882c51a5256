//! The programs that we stand in for: their options, their output, their exit codes.

mod gearadmin;
mod gearman;
mod gearmand;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A program: called with its name and the words behind it.
type Program = fn(&str, &[OsString]) -> ExitCode;

/// The names we answer to, with what they mean.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("gearmand", "The job server, with gearmand's options"),
    ("gearman", "Client and worker, with gearman's options"),
    ("gearadmin", "Administration, with gearadmin's options"),
];

/// The program that goes by the last part of `path`.
pub(crate) fn program(path: &Path) -> Option<Program> {
    match path.file_name()?.to_str()? {
        "gearmand" => Some(gearmand::main),
        "gearman" => Some(gearman::main),
        "gearadmin" => Some(gearadmin::main),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_a_path() {
        for (name, _) in NAMES {
            assert!(program(Path::new(name)).is_some());
            assert!(program(&Path::new("/usr/local/bin").join(name)).is_some());
        }
        assert!(program(Path::new("lineshaft")).is_none());
    }
}
