//! Folders and files of the file system.

use std::fs;
use std::io::{self, IoSlice, Read, Write};
use std::path::{Path, PathBuf};

use super::files::{File, Folder};

/// A folder of the file system. Its files can be read by their owner alone: workloads are nobody else's business.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// The folder at `path`, which is there.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the folder, and those above it, where it is missing.
    pub(super) fn make(path: &Path) -> io::Result<()> {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        if path.is_dir() {
            // Somebody may have made it just now and been killed. Who may not look into the folder above cannot have made it.
            let _ = sync_folder(above.unwrap_or(Path::new(".")));
            return Ok(());
        }
        if let Some(above) = above {
            Self::make(above)?;
        }
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(path) {
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made?,
        }
        sync_folder(above.unwrap_or(Path::new(".")))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// How files are opened that are written.
pub(super) fn for_writing() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Elsewhere names are durable when their files are, or cannot be made so.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}

impl Folder for Disk {
    type File = fs::File;

    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // Names that are not UTF-8 are not ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn open(&mut self, name: &str) -> io::Result<fs::File> {
        fs::File::open(self.at(name))
    }

    fn create(&mut self, name: &str) -> io::Result<fs::File> {
        for_writing().create_new(true).open(self.at(name))
    }

    fn cut(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let file = fs::OpenOptions::new().write(true).open(self.at(name))?;
        if file.metadata()?.len() > bytes {
            file.set_len(bytes)?;
        }
        file.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn link(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.at(from), self.at(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync(&mut self) -> io::Result<()> {
        sync_folder(&self.path)
    }
}

impl File for fs::File {
    fn len(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match Read::read(self, to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn write(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        // Empty parts go first: where nothing else is left, nothing could be written.
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        loop {
            match fallocate(&*self, FallocateFlags::empty(), 0, bytes) {
                Err(Errno::INTR) => {}
                // File systems that cannot promise room.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return self.set_len(bytes),
                allocated => return Ok(allocated?),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    #[cfg(unix)]
    fn fill(&mut self, mut at: u64, bytes: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 64 << 10];
        let end = at + bytes;
        while at < end {
            let len = (end - at).min(ZEROS.len() as u64);
            std::os::unix::fs::FileExt::write_all_at(self, &ZEROS[..len as usize], at)?;
            at += len;
        }
        Self::sync_data(self)
    }

    #[cfg(not(unix))]
    fn fill(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        Self::sync_all(self)
    }
}
