//! Where jobs come from and go to.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lineshaft::store::log::Finding;
use lineshaft::store::{Log, LogSettings, Store};

use super::jobs::{Filter, Jobs};
use super::lines;
use crate::daemon::store;
use crate::exit::{Exit, Failure, say};

/// A store, or JSON lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The standard input or output.
    Pipe,
    /// A file of JSON lines.
    Lines(PathBuf),
    /// A store, by its address, with whole paths.
    Store(String),
}

/// Kinds of stores whose places are paths.
const FILES: [&str; 3] = ["log", "sqlite", "tokyocabinet"];

impl Place {
    pub(super) fn read(text: &OsStr) -> Result<Self, Failure> {
        let usage = |text| Failure::new(Exit::Usage, text);
        if text == "-" {
            return Ok(Self::Pipe);
        }
        let text = text.to_str().ok_or_else(|| usage(format!("{}: not UTF-8", text.display())))?;
        let whole = |path: &str| {
            let path = std::path::absolute(path);
            path.map_err(|error| Failure::system(format_args!("cannot make a whole path of {text}"), &error))
        };
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        if kind == "jsonl" {
            return match rest {
                "" => {
                    Err(usage("jsonl: has no file: jsonl:FILE, or - for the standard input or output".into()))
                }
                "-" => Ok(Self::Pipe),
                path => Ok(Self::Lines(whole(path)?)),
            };
        }
        let (path, settings) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        if FILES.contains(&kind) && !path.is_empty() {
            return Ok(Self::Store(format!("{kind}:{}{settings}", whole(path)?.display())));
        }
        Ok(Self::Store(text.to_owned()))
    }

    /// For people: without passwords.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Pipe => "-".into(),
            Self::Lines(path) => path.display().to_string(),
            Self::Store(address) => {
                let place = address.split('?').next().unwrap_or_default();
                match (place.split_once("//"), place.rsplit_once('@')) {
                    (Some((kind, _)), Some((_, host))) => format!("{kind}//{host}"),
                    _ => place.to_owned(),
                }
            }
        }
    }

    /// The same for every way of writing it, for the file in which an import is remembered.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Pipe => "-".into(),
            Self::Lines(path) => format!("jsonl:{}", path.display()),
            Self::Store(address) => address.clone(),
        }
    }

    /// Everything that is there. Nothing is changed where the kind of store allows that.
    pub(super) fn load(&self, filter: &Filter) -> Result<Jobs, Failure> {
        let mut jobs = Jobs::new(filter.clone());
        match self {
            Self::Pipe => lines::read_pipe(&mut jobs)?,
            Self::Lines(path) => lines::read(path, &mut jobs)?,
            Self::Store(address) => {
                self.must_be_there()?;
                match self.log() {
                    Some(folder) => {
                        let report = Log::read(folder, &mut |change| jobs.take(change))?;
                        self.tell(&report.findings, &mut jobs);
                    }
                    None => store::read(address, &mut |change| jobs.take(change))?,
                }
            }
        }
        Ok(jobs)
    }

    /// Everything that is there, and the store itself, which nobody else may use until it is dropped.
    pub(super) fn open(&self, filter: &Filter) -> Result<(Jobs, Box<dyn Store>), Failure> {
        let Self::Store(address) = self else {
            let text = format!("{}: JSON lines are no store", self.shown());
            return Err(Failure::new(Exit::Usage, text));
        };
        self.must_be_there()?;
        let mut jobs = Jobs::new(filter.clone());
        if let Some(folder) = self.log() {
            let mut log = Log::open(LogSettings::at(folder))?;
            log.replay(&mut |change| jobs.take(change))?;
            self.tell(log.findings(), &mut jobs);
            return Ok((jobs, Box::new(log)));
        }
        let mut store = store::open(address)?;
        store.replay(&mut |change| jobs.take(change))?;
        Ok((jobs, store))
    }

    /// The folder of a log, the only kind of store that finds out what is damaged or torn; a log has no settings.
    fn log(&self) -> Option<&Path> {
        let Self::Store(address) = self else { return None };
        address.strip_prefix("log:").filter(|place| !place.contains('?')).map(Path::new)
    }

    fn tell(&self, findings: &[Finding], jobs: &mut Jobs) {
        for finding in findings {
            say(format_args!("lineshaft: {}: {finding}", self.shown()));
        }
        jobs.damaged |= findings.iter().any(Finding::is_damage);
    }

    /// A store that is only read is not made.
    fn must_be_there(&self) -> Result<(), Failure> {
        let Self::Store(address) = self else { return Ok(()) };
        let (kind, rest) = address.split_once(':').unwrap_or_default();
        let path = rest.split('?').next().unwrap_or_default();
        if !FILES.contains(&kind) || path.is_empty() || Path::new(path).exists() {
            return Ok(());
        }
        Err(Failure::new(Exit::System, format!("there is no {path}: name a store that is there")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_whole_paths() {
        let read = |text: &str| Place::read(OsStr::new(text)).unwrap();
        let here = std::env::current_dir().unwrap();
        let here = here.display();
        assert_eq!(read("-"), Place::Pipe);
        assert_eq!(read("jsonl:-"), Place::Pipe);
        assert_eq!(read("jsonl:a"), Place::Lines(format!("{here}/a").into()));
        assert_eq!(read("sqlite:a?table=x").identity(), format!("sqlite:{here}/a?table=x"));
        assert_eq!(read("log:/q").identity(), "log:/q");
        assert_eq!(read("redis://h:1/0?prefix=a").identity(), "redis://h:1/0?prefix=a");
        assert!(Place::read(OsStr::new("jsonl:")).unwrap_err().text.contains("has no file"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = |text: &str| Place::read(OsStr::new(text)).unwrap().shown();
        assert_eq!(shown("postgres://me:se@cret@host/db?password=x"), "postgres://host/db");
        assert_eq!(shown("redis://host:1/0"), "redis://host:1/0");
        assert_eq!(shown("sqlite:/q.db?table=x"), "sqlite:/q.db");
    }
}
