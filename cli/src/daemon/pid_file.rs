//! The file with the process id.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file with this process's id; removed when the value is dropped, unless somebody else has taken its place by then.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    content: String,
}

impl PidFile {
    /// Writes the file anew, as gearmand does: one that is there is removed first.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let content = format!("{}\n", std::process::id());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o744).open(path)?;
        file.write_all(content.as_bytes())?;
        Ok(Self { path: path.to_owned(), content })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if fs::read_to_string(&self.path).is_ok_and(|content| content == self.content) {
            // Nobody is left to be told that it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn name(of: &str) -> PathBuf {
        std::env::temp_dir().join(format!("lineshaft-{of}-{}", std::process::id()))
    }

    #[test]
    fn the_file_holds_the_id_until_the_end() {
        let path = name("pid");
        fs::write(&path, "an old one that is longer than an id").unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o700);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn the_file_of_a_successor_stays() {
        let path = name("successor");
        let file = PidFile::create(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_place_that_is_not_there_is_an_error() {
        assert_eq!(
            PidFile::create(Path::new("/nonexistent/pid")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
