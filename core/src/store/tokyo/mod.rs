//! Tokyo Cabinet: files of gearmand's plug-in, to be read only.
//!
//! A key is `FUNCTION-UNIQUE`; its value has both once more, so that dashes in them do no harm: function, NUL, unique, NUL, one digit for
//! the priority, the time in decimal (0 for at once), NUL, workload.

mod file;

use std::path::{Path, PathBuf};

use self::file::Database;
use super::address::Address;
use super::{Change, Each, Store, StoreError, StoreErrorKind, StoredJob};
use crate::types::Priority;

/// A file that gearmand's plug-in for Tokyo Cabinet has written: a hash database or a B+ tree. It is never changed; `lineshaft queue
/// import` copies it into a store.
#[derive(Clone, Debug)]
pub struct TokyoCabinet {
    path: PathBuf,
}

impl TokyoCabinet {
    /// The file at `path`, which is opened by [`TokyoCabinet::read`]. Options behind a `#`, as gearmand takes them, are left away.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let plain = path.to_str().and_then(|text| text.split_once('#')).filter(|_| !path.exists());
        Self { path: plain.map_or_else(|| path.to_owned(), |(file, _)| file.into()) }
    }

    /// Hands each job to `each`, numbered from 1 in the order of the file, and then the counter.
    ///
    /// # Errors
    /// [`StoreErrorKind::Io`] where the file cannot be read, [`StoreErrorKind::Locked`] while a gearmand has it open,
    /// [`StoreErrorKind::Settings`] where it is compressed, [`StoreErrorKind::Damaged`] where it is no queue of gearmand's. Those of
    /// `each`.
    pub fn read(&self, each: Each<'_>) -> Result<(), StoreError> {
        let mut number = 0;
        Database::open(&self.path)?.each(&mut |key, value| {
            let Some(job) = job(value, number + 1) else {
                let text = format!(
                    "{}: the record {} is no job of gearmand's: is this its queue?",
                    self.path.display(),
                    key.escape_ascii()
                );
                return Err(StoreError::new(StoreErrorKind::Damaged, text));
            };
            number += 1;
            each(&Change::Add(job))
        })?;
        each(&Change::Counter { number })
    }

    pub(super) fn open_address(address: &Address<'_>) -> Result<Box<dyn Store>, StoreError> {
        let text = format!(
            "files of Tokyo Cabinet are only read: run `lineshaft queue import tokyocabinet:{} log:FOLDER` and use that",
            address.place
        );
        Err(StoreError::new(StoreErrorKind::Settings, text))
    }

    pub(super) fn read_address(address: &Address<'_>, each: Each<'_>) -> Result<(), StoreError> {
        let [] = address.settings([])?;
        Self::new(address.place).read(each)
    }
}

fn job(value: &[u8], number: u64) -> Option<StoredJob<'_>> {
    let mut parts = value.splitn(4, |byte| *byte == 0);
    let (function, unique, how, workload) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (priority, due) = how.split_first()?;
    let priority = priority.checked_sub(b'0').and_then(|at| Priority::ALL.get(usize::from(at)));
    // A time that has wrapped is in the past.
    let due = std::str::from_utf8(due).ok()?.parse().unwrap_or(0);
    (!function.is_empty()).then_some(StoredJob {
        unique,
        priority: priority.copied().unwrap_or(Priority::Normal),
        due,
        ..StoredJob::new(number, function, workload)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_all_of_a_job() {
        let read = |value: &'static [u8]| {
            job(value, 1)
                .map(|job| (job.function, job.unique, job.priority as u8, job.due, job.workload.to_vec()))
        };
        assert_eq!(read(b"f\0u1\x0010\0n1"), Some((&b"f"[..], &b"u1"[..], 1, 0, b"n1".to_vec())));
        assert_eq!(
            read(b"f-g\0\x0004102444800\0"),
            Some((&b"f-g"[..], &b""[..], 0, 4_102_444_800, Vec::new()))
        );
        assert_eq!(read(b"f\0-\x009-5\0a\0b"), Some((&b"f"[..], &b"-"[..], 1, 0, b"a\0b".to_vec())));
        for bad in
            [&b""[..], b"text", b"f\0u\0", b"f\0u\0\0x", b"f\0u\x0010", b"\0u\x0010\0x", b"f\0u\x001\xff\0x"]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
