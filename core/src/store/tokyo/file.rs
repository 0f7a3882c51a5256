//! Files of Tokyo Cabinet: hash databases (`.tch`), and B+ trees (`.tcb`), whose pages are the records of a hash database.
//!
//! | at | bytes | is |
//! | --- | --- | --- |
//! | 0 | 32 | `ToKyO CaBiNeT`, a line end, the version |
//! | 32 | 1 | type: 0 hash, 1 B+ tree, 2 fixed-length, 3 table |
//! | 36 | 1 | options: 1 large; 2, 4, 8 and 16 kinds of compression |
//! | 56 | 8 | the size of the file |
//! | 64 | 8 | where the first record is; the buckets before it only serve to find records by key |
//!
//! Records follow each other. A record: 0xC8, one byte of its hash, two places of others (4 bytes each; 8 with the option large), the
//! size of its padding (2), the lengths of key and value, both, padding. Free space: 0xB0 and its whole size (4 bytes).
//! Lengths are written in groups of 7 bits, lowest first, each but the last as its complement. Other numbers are in the byte order of
//! the machine, or of the build: Debian's writes them big-endian everywhere. Which it is, is seen from those of the header.
//!
//! In a B+ tree the keys of inner pages begin with `#`. The others are leaves: two numbers of neighbours, and then entries: the lengths
//! of key and value and the count of further values, key, value, and each further value behind its length.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::store::{StoreError, StoreErrorKind};

const MAGIC: &[u8] = b"ToKyO CaBiNeT\n";
const HEADER: usize = 256;
const RECORD: u8 = 0xc8;
const FREE: u8 = 0xb0;
const LARGE: u8 = 1;
const COMPRESSED: u8 = 2 | 4 | 8 | 16;
/// What the longest length takes.
const MAX_LENGTH_BYTES: usize = 10;

/// Takes a key and its value.
pub(super) type Take<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>;

pub(super) struct Database {
    file: BufReader<File>,
    /// For sentences.
    place: String,
    tree: bool,
    large: bool,
    big_endian: bool,
    first: u64,
    end: u64,
}

impl Database {
    /// Opens it to be read, and holds off whoever would write to it.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let place = format!("{}", path.display());
        let fail = |error: std::io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => no_database(&place),
            _ => StoreError::new(StoreErrorKind::Io, format!("{place} cannot be read: {error}")),
        };
        let mut file = File::open(path).map_err(fail)?;
        if rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_err() {
            let text = format!("{place} is being written by another program: stop the gearmand that uses it");
            return Err(StoreError::new(StoreErrorKind::Locked, text));
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let refuse = |text: &str| Err(StoreError::new(StoreErrorKind::Settings, format!("{place} {text}")));
        if !header.starts_with(MAGIC) {
            return Err(no_database(&place));
        }
        if header[32] > 1 {
            return refuse(
                "is neither a hash database nor a B+ tree of Tokyo Cabinet: gearmand cannot have written it",
            );
        }
        if header[36] & COMPRESSED != 0 {
            return refuse(
                "is compressed: make an uncompressed copy of it by `tchmgr optimize -tl` or `tcbmgr optimize -tl` first",
            );
        }
        let log = format!("{place}.wal");
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return refuse(
                "was left in the middle of a transaction: `tchmgr put` or `tcbmgr put` of any key puts it right",
            );
        }
        let number = |at: usize, big_endian: bool| {
            let bytes = std::array::from_fn(|byte| header[at + byte]);
            if big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
        };
        let order = [false, true].into_iter().find(|order| {
            let (end, first) = (number(56, *order), number(64, *order));
            HEADER as u64 <= first && first <= end && end <= size
        });
        let Some(big_endian) = order else {
            return Err(damaged(&place, "is shorter than its header says"));
        };
        Ok(Self {
            file: BufReader::with_capacity(1 << 20, file),
            tree: header[32] == 1,
            large: header[36] & LARGE != 0,
            big_endian,
            first: number(64, big_endian),
            end: number(56, big_endian),
            place,
        })
    }

    /// Hands out everything in it, in the order of the file.
    pub(super) fn each(&mut self, take: Take<'_>) -> Result<(), StoreError> {
        let mut at = self.first;
        self.file.seek(SeekFrom::Start(at)).map_err(|error| self.fail(&error, at))?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while at < self.end {
            let length = self.record(at, &mut key, &mut value)?;
            if let Some(length) = length {
                at += length;
                match self.tree {
                    false => take(&key, &value)?,
                    true if key.starts_with(b"#") => {}
                    true => leaf(&value, &mut *take, &self.place)?,
                }
            } else {
                at += self.free(at)?;
            }
        }
        Ok(())
    }

    /// Reads the record at `at`: its whole size; `None` for free space, of which only the first byte has been read.
    fn record(&mut self, at: u64, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<Option<u64>, StoreError> {
        match self.bytes::<1>(at)? {
            [FREE] => return Ok(None),
            [RECORD] => {}
            _ => return Err(self.lost(at)),
        }
        let places = if self.large { 16 } else { 8 };
        let [_hash] = self.bytes(at)?;
        for _ in 0..places / 8 {
            self.bytes::<8>(at)?;
        }
        let padding = self.bytes(at)?;
        let padding = if self.big_endian { u16::from_be_bytes(padding) } else { u16::from_le_bytes(padding) };
        let mut head = 1 + 1 + places + 2;
        let key_len = self.length(at, &mut head)?;
        let value_len = self.length(at, &mut head)?;
        let whole = key_len.checked_add(value_len).and_then(|len| len.checked_add(head + u64::from(padding)));
        let Some(whole) = whole.filter(|whole| *whole <= self.end - at) else { return Err(self.lost(at)) };
        self.read(at, key, key_len)?;
        self.read(at, value, value_len)?;
        self.skip(at, padding.into())?;
        Ok(Some(whole))
    }

    /// Passes free space whose first byte has been read: its whole size.
    fn free(&mut self, at: u64) -> Result<u64, StoreError> {
        let size = self.bytes(at)?;
        let size =
            u64::from(if self.big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) });
        if size < 5 || size > self.end - at {
            return Err(self.lost(at));
        }
        self.skip(at, size - 5)?;
        Ok(size)
    }

    fn length(&mut self, at: u64, head: &mut u64) -> Result<u64, StoreError> {
        let mut bytes = [0; MAX_LENGTH_BYTES];
        for count in 0..MAX_LENGTH_BYTES {
            [bytes[count]] = self.bytes(at)?;
            *head += 1;
            if let Some((length, _)) = length(&bytes[..=count]) {
                return Ok(length);
            }
        }
        Err(self.lost(at))
    }

    fn bytes<const N: usize>(&mut self, at: u64) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|error| self.fail(&error, at))?;
        Ok(bytes)
    }

    fn read(&mut self, at: u64, into: &mut Vec<u8>, len: u64) -> Result<(), StoreError> {
        into.clear();
        let read = (&mut self.file).take(len).read_to_end(into).map_err(|error| self.fail(&error, at))?;
        if read as u64 == len { Ok(()) } else { Err(self.lost(at)) }
    }

    /// Passes what is known to be inside the file.
    fn skip(&mut self, at: u64, len: u64) -> Result<(), StoreError> {
        self.file.seek_relative(len as i64).map_err(|error| self.fail(&error, at))
    }

    fn fail(&self, error: &std::io::Error, at: u64) -> StoreError {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.lost(at),
            _ => StoreError::new(StoreErrorKind::Io, format!("{} cannot be read: {error}", self.place)),
        }
    }

    fn lost(&self, at: u64) -> StoreError {
        damaged(&self.place, &format!("has no record at byte {at}, where one must be"))
    }
}

/// Hands out the entries of a leaf.
fn leaf(page: &[u8], take: Take<'_>, place: &str) -> Result<(), StoreError> {
    let broken = || damaged(place, "has a page that cannot be read");
    let (_, rest) = length(page).ok_or_else(broken)?;
    let (_, mut rest) = length(rest).ok_or_else(broken)?;
    while !rest.is_empty() {
        let (key_len, behind) = length(rest).ok_or_else(broken)?;
        let (mut value_len, behind) = length(behind).ok_or_else(broken)?;
        let (mut more, behind) = length(behind).ok_or_else(broken)?;
        let (key, mut behind) = split(behind, key_len).ok_or_else(broken)?;
        loop {
            let (value, after) = split(behind, value_len).ok_or_else(broken)?;
            take(key, value)?;
            rest = after;
            if more == 0 {
                break;
            }
            more -= 1;
            (value_len, behind) = length(after).ok_or_else(broken)?;
        }
    }
    Ok(())
}

fn split(bytes: &[u8], len: u64) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::try_from(len).ok()?)
}

/// A length, and what follows it.
fn length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(MAX_LENGTH_BYTES).enumerate() {
        let last = *byte < 0x80;
        let group = u64::from(if last { *byte } else { !byte });
        let shifted = group.checked_shl(7 * at as u32).filter(|shifted| shifted >> (7 * at) == group)?;
        number |= shifted;
        if last {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

fn no_database(place: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged, format!("{place} is no file of Tokyo Cabinet"))
}

fn damaged(place: &str, text: &str) -> StoreError {
    let text = format!(
        "{place} {text}: it is damaged; `tchmgr optimize` or `tcbmgr optimize` of a copy may put it right"
    );
    StoreError::new(StoreErrorKind::Damaged, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_groups_of_seven_bits() {
        let cases: [(&[u8], u64); 5] =
            [(&[0], 0), (&[0x7f], 127), (&[0xcc, 2], 307), (&[0xff, 1], 128), (&[0xff, 0xff, 1], 1 << 14)];
        for (bytes, number) in cases {
            let rest = [bytes, b"rest"].concat();
            assert_eq!(length(&rest), Some((number, &b"rest"[..])), "{bytes:?}");
            assert_eq!(length(&bytes[..bytes.len() - 1]), None, "{bytes:?}");
        }
        assert_eq!(length(&[0x80; 12]), None);
        assert_eq!(length(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]), None);
    }

    #[test]
    fn leaves_hold_entries_with_several_values() {
        let page = [&[3, 5, 1, 2, 0], &b"kab"[..], &[2, 0, 2], b"ky", &[1], b"x", &[0]].concat();
        let mut found = Vec::new();
        let mut take = |key: &[u8], value: &[u8]| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(())
        };
        assert_eq!(leaf(&page, &mut take, "x"), Ok(()));
        for cut in 3..page.len() {
            // Cut off behind an entry it is whole; else it is an error, and no panic.
            let _ = leaf(&page[..cut], &mut |_, _| Ok(()), "x");
        }
        let expected: [(&[u8], &[u8]); 4] = [(b"k", b"ab"), (b"ky", b""), (b"ky", b"x"), (b"ky", b"")];
        assert!(found.iter().map(|(key, value)| (&key[..], &value[..])).eq(expected), "{found:?}");
    }
}
