//! How far an import has come, for a second run after the first one has been killed: a small file for each pair of places.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::jobs::{FNV, Filter, fnv};
use super::place::Place;
use crate::exit::{Exit, Failure};
use crate::surroundings;

/// Where an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Jobs are being copied.
    Copying,
    /// All are durable in the target, and are being deleted in the source.
    Taking,
    /// All is done.
    Done,
}

/// What has to be known to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// What was added to the numbers.
    pub(super) base: u64,
    /// The highest number that may have been used in the source.
    pub(super) highest: u64,
    /// All jobs of the source up to the one with this number are durable in the target.
    pub(super) copied: u64,
    /// Of the source.
    pub(super) fingerprint: u64,
}

#[derive(Debug)]
pub(super) struct Memory {
    file: PathBuf,
}

const PHASES: [(Phase, &str); 3] =
    [(Phase::Copying, "copying"), (Phase::Taking, "taking"), (Phase::Done, "done")];

impl Memory {
    /// The file for this pair: below the user's state directory.
    pub(super) fn of(source: &Place, target: &Place, filter: &Filter) -> Result<Self, Failure> {
        let variable =
            |name, path: &str| surroundings::variable(name).map(|place| PathBuf::from(place).join(path));
        let folder = variable("XDG_STATE_HOME", "lineshaft/imports")
            .or_else(|| variable("HOME", ".local/state/lineshaft/imports"));
        let folder = folder.ok_or_else(|| {
            let text = "neither XDG_STATE_HOME nor HOME says where to remember how far the import is: set one of them";
            Failure::new(Exit::Usage, text)
        })?;
        fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, &error))?;
        let mut pair = format!("{}\n{}", source.identity(), target.identity()).into_bytes();
        for function in &filter.functions {
            pair.push(b'\n');
            pair.extend_from_slice(function.as_bytes());
        }
        Ok(Self { file: folder.join(format!("{:016x}.json", fnv(FNV, &pair))) })
    }

    /// What an earlier run has left.
    pub(super) fn read(&self) -> Result<Option<State>, Failure> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &self.file, &error)),
        };
        let state = serde_json::from_str(&text).ok().and_then(|value| state(&value));
        let strange = || {
            let text = format!(
                "{} is not what an import has written: remove it, or give --again",
                self.file.display()
            );
            Failure::new(Exit::System, text)
        };
        state.map(Some).ok_or_else(strange)
    }

    /// Remembers it, durably.
    pub(super) fn write(&self, state: &State) -> Result<(), Failure> {
        let State { phase, base, highest, copied, fingerprint } = state;
        let phase = PHASES.iter().find(|(it, _)| it == phase).map_or("", |(_, name)| name);
        let value = json!({
            "phase": phase, "base": base, "highest": highest, "copied": copied, "fingerprint": fingerprint
        });
        let part = self.file.with_extension("part");
        let written = File::create(&part).and_then(|mut file| {
            file.write_all(value.to_string().as_bytes())?;
            file.sync_data()?;
            fs::rename(&part, &self.file)
        });
        written.map_err(|error| cannot("write", &self.file, &error))
    }
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::system(format_args!("cannot {verb} {}", path.display()), error)
}

fn state(value: &Value) -> Option<State> {
    let number = |name: &str| value.get(name)?.as_u64();
    let phase = value.get("phase")?.as_str()?;
    Some(State {
        phase: PHASES.iter().find(|(_, name)| *name == phase)?.0,
        base: number("base")?,
        highest: number("highest")?,
        copied: number("copied")?,
        fingerprint: number("fingerprint")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory { file: folder.path().join("x.json") };
        assert_eq!(memory.read().unwrap(), None);
        for (phase, _) in PHASES {
            let state = State { phase, base: 1, highest: u64::MAX, copied: 3, fingerprint: u64::MAX - 1 };
            memory.write(&state).unwrap();
            assert_eq!(memory.read().unwrap(), Some(state));
        }
        fs::write(&memory.file, "{}").unwrap();
        assert!(memory.read().unwrap_err().text.contains("is not what an import has written"));
    }
}
