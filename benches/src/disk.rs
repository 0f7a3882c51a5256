//! The disk under the servers' folders.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::{Result, clock};

/// Where the servers' folders are made, and what lies under it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The file system's type and device.
    pub(crate) disk: String,
}

impl Place {
    /// `named`; else the folder for temporary files, and where that is in memory only, the folder of this program.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self> {
        if let Some(folder) = named {
            let folder =
                folder.canonicalize().map_err(|error| format!("--folder {}: {error}", folder.display()))?;
            return Self::at(folder);
        }
        let temporary = Self::at(std::env::temp_dir())?;
        if !temporary.is_memory() {
            return Ok(temporary);
        }
        let program = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
        Self::at(program.parent().unwrap_or(&program).to_owned())
    }

    fn at(folder: PathBuf) -> Result<Self> {
        let path = "/proc/self/mounts";
        let mounts = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let disk = mounted(&mounts, &folder).unwrap_or_else(|| "unknown".into());
        Ok(Self { folder, disk })
    }

    /// Syncing costs nothing here.
    pub(crate) fn is_memory(&self) -> bool {
        ["tmpfs ", "ramfs "].iter().any(|kind| self.disk.starts_with(kind))
    }
}

/// Type and device of the file system that holds `folder`, in the words of /proc/mounts. The last of several at one place is on top.
fn mounted(mounts: &str, folder: &Path) -> Option<String> {
    let mut best = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if folder.starts_with(point) && best.as_ref().is_none_or(|(length, _)| point.len() >= *length) {
            best = Some((point.len(), format!("{kind} on {device}")));
        }
    }
    best.map(|(_, disk)| disk)
}

/// What one write is, in bytes: a small job with what stands around it.
const WRITE: usize = 200;
/// The file is written once before, so that no write makes it longer or takes new blocks.
const FILE: usize = 1 << 20;
/// How often it is measured.
const WRITES: usize = 1000;

/// The median time of a small write with fdatasync, one after the other, in `folder`, within `limit`.
pub(crate) fn sync_time(folder: &Path, limit: Duration) -> Result<Duration> {
    let path = folder.join("disk");
    let failed = |error| format!("cannot write {}: {error}", path.display());
    let file = File::create(&path).map_err(failed)?;
    file.write_all_at(&vec![0; FILE], 0).and_then(|()| file.sync_all()).map_err(failed)?;
    let (mut times, until) = (Histogram::default(), clock::now() + limit);
    for number in 0..WRITES {
        let since = clock::now();
        if since >= until {
            break;
        }
        let place = (number * WRITE % (FILE - WRITE)) as u64;
        file.write_all_at(&[b'w'; WRITE], place).and_then(|()| file.sync_data()).map_err(failed)?;
        times.record(since.elapsed());
    }
    fs::remove_file(&path).map_err(failed)?;
    Ok(times.percentile(0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n";
        let disk = |folder: &str| mounted(mounts, Path::new(folder)).unwrap();
        assert_eq!(disk("/tmp/x/y"), "xfs on /dev/b");
        assert_eq!(disk("/tmp/xy"), "tmpfs on tmpfs");
        assert_eq!(disk("/tmpx"), "ext4 on /dev/a");
    }
}
