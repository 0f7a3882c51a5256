//! One server for each log.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::disk::for_writing;
use super::error;
use crate::store::{StoreError, StoreErrorKind};

/// The file that whoever uses the log has locked; its text is their process id.
const NAME: &str = "lock";

/// Held as long as the log is open. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the log in a directory.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let opened = for_writing().create(true).truncate(false).open(path.join(NAME));
        let mut file = opened.map_err(|error| error::io("open the file `lock`", path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(path, holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error::io("lock the file `lock`", path, &error)),
        }
        // For people who look; where the disk is full it stays empty.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }

    /// Keeps servers away from the log in a directory while it is read. Writes nothing; `None` where no server has been.
    pub(super) fn share(path: &Path) -> Result<Option<Self>, StoreError> {
        let mut file = match File::open(path.join(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error::io("open the file `lock`", path, &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Err(locked(path, holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(error::io("lock the file `lock`", path, &error)),
        }
    }
}

/// What stands in the file.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    let pid: String = text.chars().take_while(char::is_ascii_digit).collect();
    if read.is_ok() && !pid.is_empty() { format!("process {pid}") } else { "another process".into() }
}

fn locked(path: &Path, holder: String) -> StoreError {
    let here = if holder == format!("process {}", std::process::id()) { ", this one" } else { "" };
    StoreError::new(
        StoreErrorKind::Locked,
        format!(
            "the log {} is in use by {holder}{here}, or is being read: stop that server, or wait; or choose another directory.",
            path.display()
        ),
    )
}
