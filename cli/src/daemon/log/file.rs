//! Where lines go: a file, which is opened anew when it has been rotated, or the standard error.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Where the lines go; clones share the file.
#[derive(Clone, Debug)]
pub(crate) struct Sink(Arc<Mutex<Target>>);

#[derive(Debug)]
enum Target {
    Nowhere,
    Stderr,
    File(File),
}

impl Target {
    fn open(name: &Path) -> io::Result<Self> {
        Ok(match name.to_str() {
            Some("stderr") => Self::Stderr,
            Some("none") => Self::Nowhere,
            _ => {
                let file = OpenOptions::new().append(true).create(true).mode(0o644).open(name)?;
                Self::File(file)
            }
        })
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stderr => io::stderr().write_all(line),
            Self::File(file) => file.write_all(line),
        }
    }
}

impl Sink {
    /// Opens `stderr`, `none` or a file, which is appended to. What cannot be opened gives way to the standard error; the second
    /// value then says why.
    pub(super) fn open(name: &Path) -> (Self, Option<String>) {
        let (target, problem) = match Target::open(name) {
            Ok(target) => (target, None),
            Err(error) => {
                let why = crate::exit::reason(&error);
                let here = std::env::current_dir().unwrap_or_default();
                let (name, here) = (name.display(), here.display());
                let text = format!(
                    "Could not open log file \"{name}\", from \"{here}\", switching to stderr. ({why})"
                );
                (Target::Stderr, Some(text))
            }
        };
        (Self(Arc::new(Mutex::new(target))), problem)
    }

    /// Opens the file at `name` and writes there from now on, as after a rotation. Where that fails the old one stays in use.
    pub(super) fn reopen(&self, name: &Path) -> Result<(), String> {
        match Target::open(name) {
            Ok(new) => {
                *self.lock() = new;
                Ok(())
            }
            Err(error) => {
                let why = crate::exit::reason(&error);
                Err(format!("{}: cannot be reopened: {why}; logging to the old file", name.display()))
            }
        }
    }

    /// Writes a line as it is.
    pub(super) fn raw(&self, line: &str) {
        // Nobody is left to hear of it.
        let _ = self.lock().line(line.as_bytes());
    }

    /// Whether it goes to a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(*self.lock(), Target::File(..))
    }

    fn lock(&self) -> MutexGuard<'_, Target> {
        // A panic in the middle of a line does no harm to the next.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lock().line(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_rotated_file_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (name, old) = (folder.path().join("log"), folder.path().join("old"));
        let (sink, _) = Sink::open(&name);
        fs::rename(&name, &old).unwrap();
        sink.raw("old\n");
        sink.reopen(&name).unwrap();
        sink.raw("new\n");
        assert_eq!(fs::read_to_string(&old).unwrap(), "old\n");
        assert_eq!(fs::read_to_string(&name).unwrap(), "new\n");
        let why = sink.reopen(Path::new("/nonexistent/log")).unwrap_err();
        assert!(why.starts_with("/nonexistent/log: cannot be reopened: No such file"), "{why}");
        sink.raw("newer\n");
        assert_eq!(fs::read_to_string(&name).unwrap(), "new\nnewer\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_gives_way_to_stderr() {
        let (_, problem) = Sink::open(Path::new("/nonexistent/log"));
        let problem = problem.unwrap();
        assert!(problem.starts_with("Could not open log file \"/nonexistent/log\", from \""), "{problem}");
        assert!(problem.ends_with("\", switching to stderr. (No such file or directory)"), "{problem}");
    }
}
