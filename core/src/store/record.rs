//! What is stored of jobs, and its bytes. The log writes these bytes as they are; other stores take the fields.
//!
//! A record is a kind (one byte) and fields of fixed length, then the function, the unique, the reducer, and the rest. Numbers
//! are little-endian. `docs/log.md` has the table; whatever changes here changes the version of the log's segments.

use bytes::Bytes;

use crate::types::{Data, Priority};

/// A background job or a schedule, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredJob<'a> {
    /// The number in its handle: the key. Never 0, never used twice in one store.
    pub number: u64,
    /// Its function.
    pub function: &'a [u8],
    /// Its unique; empty for none, `-` where the workload tells which jobs are the same.
    pub unique: &'a [u8],
    /// Its reducer, where it has one.
    pub reducer: Option<&'a [u8]>,
    /// How urgent it is.
    pub priority: Priority,
    /// The Unix second from which on it may run; 0 for at once.
    pub due: u64,
    /// How often it has been given back.
    pub returns: u16,
    /// The number of the schedule that made it; 0 for none.
    pub schedule: u64,
    /// The five fields of a cron line, separated by NULs: this is no job but a schedule, which makes jobs.
    pub cron: Option<&'a [u8]>,
    /// What it is about.
    pub workload: Data<'a>,
}

impl<'a> StoredJob<'a> {
    /// A job without a unique or a reducer, of normal priority, that may run at once and has not been given back.
    pub fn new(number: u64, function: &'a [u8], workload: impl Into<Data<'a>>) -> Self {
        Self {
            number,
            function,
            unique: b"",
            reducer: None,
            priority: Priority::Normal,
            due: 0,
            returns: 0,
            schedule: 0,
            cron: None,
            workload: workload.into(),
        }
    }
}

/// What happens to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A job or schedule is new. Where its number is there already, nothing changes: the batch is being tried again.
    Add(StoredJob<'a>),
    /// A job or schedule has ended. Where the number is not there, nothing changes.
    End {
        /// Which.
        number: u64,
    },
    /// A job has been given back so many times. Where the number is not there, nothing changes.
    Returned {
        /// Which.
        number: u64,
        /// So many times.
        returns: u16,
    },
    /// Numbers up to this one may have been used, by jobs that were never stored as well. The last one said counts.
    Counter {
        /// The highest of them.
        number: u64,
    },
}

/// Bytes that are no record of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It ends too early, or its lengths do not add up.
    Truncated,
    /// A kind, flag or priority that this version does not have.
    Unknown(u8),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("a record is shorter than it says"),
            Self::Unknown(byte) => {
                write!(f, "a record has the value {byte}, which this version does not know")
            }
        }
    }
}

impl std::error::Error for RecordError {}

const ADD: u8 = 1;
const END: u8 = 2;
const RETURNED: u8 = 3;
const COUNTER: u8 = 4;

/// Flags of [`ADD`]: which of the fields of variable length are there.
const HAS_REDUCER: u8 = 1;
const HAS_CRON: u8 = 2;

/// What a record is about, without the rest of it.
#[cfg(feature = "net")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    End,
    Returned,
    Counter,
}

#[cfg(feature = "net")]
impl Kind {
    /// Kind and number of a record, which may lack its workload.
    pub(super) fn of(record: &[u8]) -> Option<(Self, u64)> {
        let (kind, rest) = record.split_first()?;
        let kind = match *kind {
            ADD => Self::Add,
            END => Self::End,
            RETURNED => Self::Returned,
            COUNTER => Self::Counter,
            _ => return None,
        };
        Some((kind, take_u64(&mut &*rest).ok()?))
    }
}

impl<'a> Change<'a> {
    /// The number it is about.
    pub const fn number(&self) -> u64 {
        match self {
            Change::Add(job) => job.number,
            Change::End { number } | Change::Returned { number, .. } | Change::Counter { number } => *number,
        }
    }

    /// Appends the record to `to`, all but a large workload: that is answered, and follows what was appended.
    pub fn encode(&self, to: &mut Vec<u8>) -> Option<Bytes> {
        match self {
            Change::Add(job) => return job.encode(to),
            Change::End { number } => {
                to.push(END);
                to.extend_from_slice(&number.to_le_bytes());
            }
            Change::Returned { number, returns } => {
                to.push(RETURNED);
                to.extend_from_slice(&number.to_le_bytes());
                to.extend_from_slice(&returns.to_le_bytes());
            }
            Change::Counter { number } => {
                to.push(COUNTER);
                to.extend_from_slice(&number.to_le_bytes());
            }
        }
        None
    }

    /// Reads a whole record.
    ///
    /// # Errors
    /// [`RecordError`] for bytes that [`Change::encode`] does not make.
    pub fn decode(record: &'a [u8]) -> Result<Self, RecordError> {
        Self::decode_parts(record, None)
    }

    /// Reads a record whose workload may stand apart from it.
    pub(super) fn decode_parts(record: &'a [u8], workload: Option<&Bytes>) -> Result<Self, RecordError> {
        let mut rest = record;
        let change = match take_u8(&mut rest)? {
            ADD => return StoredJob::decode(rest, workload).map(Change::Add),
            END => Change::End { number: take_u64(&mut rest)? },
            RETURNED => Change::Returned { number: take_u64(&mut rest)?, returns: take_u16(&mut rest)? },
            COUNTER => Change::Counter { number: take_u64(&mut rest)? },
            other => return Err(RecordError::Unknown(other)),
        };
        if rest.is_empty() { Ok(change) } else { Err(RecordError::Truncated) }
    }
}

impl<'a> StoredJob<'a> {
    /// Bytes that are its own: names and workload.
    pub fn len(&self) -> usize {
        let optional = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        self.function.len()
            + self.unique.len()
            + optional(self.reducer)
            + optional(self.cron)
            + self.workload.len()
    }

    /// Never: a job has a function.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn encode(&self, to: &mut Vec<u8>) -> Option<Bytes> {
        let Self { number, function, unique, reducer, priority, due, returns, schedule, cron, workload } =
            self;
        let flags = (u8::from(reducer.is_some()) * HAS_REDUCER) | (u8::from(cron.is_some()) * HAS_CRON);
        // Names have passed limits far below 4 GiB.
        let len = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes();
        let mut head = [0; 45];
        head[0] = ADD;
        head[1..9].copy_from_slice(&number.to_le_bytes());
        head[9..17].copy_from_slice(&due.to_le_bytes());
        head[17..25].copy_from_slice(&schedule.to_le_bytes());
        head[25..27].copy_from_slice(&returns.to_le_bytes());
        head[27] = *priority as u8;
        head[28] = flags;
        head[29..33].copy_from_slice(&len(function));
        head[33..37].copy_from_slice(&len(unique));
        let mut end = 37;
        for name in [reducer, cron].into_iter().flatten() {
            head[end..end + 4].copy_from_slice(&len(name));
            end += 4;
        }
        to.extend_from_slice(&head[..end]);
        to.extend_from_slice(function);
        to.extend_from_slice(unique);
        to.extend_from_slice(reducer.unwrap_or_default());
        to.extend_from_slice(cron.unwrap_or_default());
        match workload {
            Data::Shared(bytes) if bytes.len() >= Data::SHARE_FROM => Some(bytes.clone()),
            _ => {
                to.extend_from_slice(workload);
                None
            }
        }
    }

    fn decode(mut rest: &'a [u8], workload: Option<&Bytes>) -> Result<Self, RecordError> {
        let rest = &mut rest;
        let (number, due, schedule) = (take_u64(rest)?, take_u64(rest)?, take_u64(rest)?);
        let returns = take_u16(rest)?;
        let priority = take_u8(rest)?;
        let priority = Priority::ALL.get(usize::from(priority)).ok_or(RecordError::Unknown(priority))?;
        let flags = take_u8(rest)?;
        if flags & !(HAS_REDUCER | HAS_CRON) != 0 {
            return Err(RecordError::Unknown(flags));
        }
        let (function, unique) = (take_u32(rest)?, take_u32(rest)?);
        let optional = |there: bool, rest: &mut &'a [u8]| there.then(|| take_u32(rest)).transpose();
        let reducer = optional(flags & HAS_REDUCER != 0, rest)?;
        let cron = optional(flags & HAS_CRON != 0, rest)?;
        let mut name = |len: u32| {
            let (name, behind) = rest.split_at_checked(len as usize).ok_or(RecordError::Truncated)?;
            *rest = behind;
            Ok(name)
        };
        let (function, unique) = (name(function)?, name(unique)?);
        let (reducer, cron) = (reducer.map(&mut name).transpose()?, cron.map(&mut name).transpose()?);
        let workload = workload.map_or(Data::Borrowed(rest), |bytes| Data::Shared(bytes.clone()));
        let priority = *priority;
        Ok(Self { number, function, unique, reducer, priority, due, returns, schedule, cron, workload })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(RecordError::Truncated)?;
    *rest = behind;
    Ok(*bytes)
}

fn take_u8(rest: &mut &[u8]) -> Result<u8, RecordError> {
    take(rest).map(u8::from_le_bytes)
}

fn take_u16(rest: &mut &[u8]) -> Result<u16, RecordError> {
    take(rest).map(u16::from_le_bytes)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, RecordError> {
    take(rest).map(u32::from_le_bytes)
}

fn take_u64(rest: &mut &[u8]) -> Result<u64, RecordError> {
    take(rest).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs() -> Vec<StoredJob<'static>> {
        let plain = StoredJob {
            unique: b"u-1",
            priority: Priority::Low,
            due: 4_000_000_000,
            returns: 3,
            ..StoredJob::new(7, b"resize", b"a\0b")
        };
        let bare = StoredJob { unique: b"", workload: Data::EMPTY, due: 0, ..plain.clone() };
        let reduced = StoredJob { reducer: Some(b"sum"), schedule: 9, ..plain.clone() };
        let schedule = StoredJob { cron: Some(b"0\x001\0\0\0"), reducer: Some(b""), ..plain.clone() };
        vec![plain, bare, reduced, schedule]
    }

    #[test]
    fn records_come_back_as_they_were() {
        let mut changes: Vec<_> = jobs().into_iter().map(Change::Add).collect();
        changes.push(Change::End { number: u64::MAX });
        changes.push(Change::Returned { number: 5, returns: 65_535 });
        changes.push(Change::Counter { number: 1 << 40 });
        for change in changes {
            let mut bytes = Vec::new();
            assert_eq!(change.encode(&mut bytes), None);
            assert_eq!(Change::decode(&bytes), Ok(change));
        }
    }

    #[test]
    fn a_large_workload_stands_apart() {
        let large = Bytes::from(vec![7; Data::SHARE_FROM]);
        let job = StoredJob { workload: Data::Shared(large.clone()), ..jobs().remove(2) };
        let mut bytes = Vec::new();
        let apart = Change::Add(job.clone()).encode(&mut bytes);
        assert_eq!(apart, Some(large.clone()));
        assert_eq!(Change::decode_parts(&bytes, Some(&large)), Ok(Change::Add(job.clone())));
        bytes.extend_from_slice(&large);
        assert_eq!(Change::decode(&bytes), Ok(Change::Add(job)));
    }

    #[test]
    fn what_is_cut_off_or_changed_is_an_error_and_no_panic() {
        for job in jobs() {
            let mut bytes = Vec::new();
            let names = job.len() - job.workload.len();
            Change::Add(job).encode(&mut bytes);
            let head = bytes.len() - 3.min(bytes.len() - names);
            for cut in 0..head.min(37 + names) {
                assert!(Change::decode(&bytes[..cut]).is_err(), "{cut} of {}", bytes.len());
            }
            for at in 0..bytes.len() {
                for flip in [1, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    let _ = Change::decode(&damaged);
                }
            }
        }
        assert_eq!(Change::decode(&[]), Err(RecordError::Truncated));
        assert_eq!(Change::decode(&[9]), Err(RecordError::Unknown(9)));
        assert_eq!(Change::decode(&[END, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Err(RecordError::Truncated));
    }
}
