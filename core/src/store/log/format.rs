//! The bytes of segments; `docs/log.md` has them as tables. All numbers are little-endian.
//!
//! A segment is a header and batches. A batch is a head, a table with the length and the CRC32C of each record, and the records:
//! as the head's CRC32C covers the table, a batch whose CRCs all hold is whole, and one damaged record loses no other.
//!
//! Every batch begins with the log's mark, eight bytes that were drawn by lot when the log began. Where damage hides how long a batch
//! is, the next one is found by it, and no client can make a workload that looks like a batch.

/// How every segment begins.
pub(super) const MAGIC: [u8; 8] = *b"LSHAFT\r\n";
/// The version that is written. Version, magic and CRC have their places in all versions to come.
pub(super) const VERSION: u32 = 1;
/// Bytes of a segment's header.
pub(super) const HEADER: usize = 64;
/// Bytes of a batch's head, without its table.
pub(super) const HEAD: usize = 32;
/// Bytes of each record's entry in the table.
pub(super) const ENTRY: usize = 8;

/// How a segment came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Batches were appended as they came. Where its valid bytes end, the next segment says.
    Appended = 0,
    /// What was still needed of older segments, written anew. An empty batch is its end.
    Rewritten = 1,
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) origin: Origin,
    /// Its place in the order of segments, as in its name. The first is 1.
    pub(super) sequence: u64,
    /// The log's mark.
    pub(super) mark: u64,
    /// The segment before it, 0 for none. What is numbered between the two counts for nothing.
    pub(super) previous: u64,
    /// Where the valid bytes of that one end, if it is still there as it was then.
    pub(super) previous_end: u64,
    /// Numbers up to this one had been used when it began.
    pub(super) counter: u64,
}

/// Why a header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// A newer version has written it: this one.
    Newer(u32),
    /// It is all zeros: the segment was made ahead of need and has not been used.
    Unused,
    /// It is damaged, or something else.
    Damaged,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.origin as u32).to_le_bytes());
        let numbers = [self.sequence, self.mark, self.previous, self.previous_end, self.counter];
        for (place, number) in bytes[16..56].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes[..HEADER - 4]);
        bytes[HEADER - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `bytes` may be fewer than it has.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(BadHeader::Unused);
        }
        let bytes = bytes.get(..HEADER).ok_or(BadHeader::Damaged)?;
        if bytes[..8] != MAGIC || crc32c::crc32c(&bytes[..HEADER - 4]) != u32_at(bytes, HEADER - 4) {
            return Err(BadHeader::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version > VERSION {
            return Err(BadHeader::Newer(version));
        }
        let origin = match u32_at(bytes, 12) {
            0 => Origin::Appended,
            1 => Origin::Rewritten,
            _ => return Err(BadHeader::Damaged),
        };
        Ok(Self {
            origin,
            sequence: u64_at(bytes, 16),
            mark: u64_at(bytes, 24),
            previous: u64_at(bytes, 32),
            previous_end: u64_at(bytes, 40),
            counter: u64_at(bytes, 48),
        })
    }
}

/// What a batch says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Counts batches, by one within a segment.
    pub(super) sequence: u64,
    /// Bytes that its records have together.
    pub(super) bytes: u64,
    /// How many records it has.
    pub(super) count: u32,
    crc: u32,
}

impl Head {
    /// Writes head and table into the room for them at the beginning of `batch`: `count` entries, whose records have `bytes` together.
    pub(super) fn seal(batch: &mut [u8], mark: u64, sequence: u64, count: u32, bytes: u64) {
        batch[..8].copy_from_slice(&mark.to_le_bytes());
        batch[8..16].copy_from_slice(&sequence.to_le_bytes());
        batch[16..24].copy_from_slice(&bytes.to_le_bytes());
        batch[24..28].copy_from_slice(&count.to_le_bytes());
        let table = HEAD + count as usize * ENTRY;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&batch[..28]), &batch[HEAD..table]);
        batch[28..32].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a head, right or wrong; `None` where its lengths are more than `room`.
    pub(super) fn read(bytes: &[u8], room: u64) -> Option<Self> {
        let bytes = bytes.get(..HEAD)?;
        let head = Self {
            sequence: u64_at(bytes, 8),
            bytes: u64_at(bytes, 16),
            count: u32_at(bytes, 24),
            crc: u32_at(bytes, 28),
        };
        let before_records = HEAD as u64 + u64::from(head.count) * ENTRY as u64;
        let len = head.bytes.checked_add(before_records)?;
        (len <= room && usize::try_from(len).is_ok()).then_some(head)
    }

    /// Bytes before the first record.
    pub(super) const fn before_records(&self) -> usize {
        HEAD + self.count as usize * ENTRY
    }

    /// Bytes of the whole batch.
    pub(super) const fn len(&self) -> usize {
        self.before_records() + self.bytes as usize
    }

    /// True where head and table are what was written: `batch` has at least both.
    pub(super) fn holds(&self, batch: &[u8], mark: u64) -> bool {
        let table = &batch[HEAD..self.before_records()];
        u64_at(batch, 0) == mark
            && crc32c::crc32c_append(crc32c::crc32c(&batch[..28]), table) == self.crc
            && entries(table).map(|(len, _)| u64::from(len)).sum::<u64>() == self.bytes
    }
}

/// Writes a record's entry into the table.
pub(super) fn put_entry(place: &mut [u8], len: u32, crc: u32) {
    place[..4].copy_from_slice(&len.to_le_bytes());
    place[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Length and CRC of each record.
pub(super) fn entries(table: &[u8]) -> impl Iterator<Item = (u32, u32)> + Clone {
    table.chunks_exact(ENTRY).map(|entry| (u32_at(entry, 0), u32_at(entry, 4)))
}

/// The name of a segment.
pub(super) fn name(sequence: u64) -> String {
    format!("{sequence:016x}.log")
}

/// The number in the name of a segment; `None` for other names.
pub(super) fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let sequence = u64::from_str_radix(digits, 16).ok()?;
    // The first one is 1, and there is one behind each.
    (self::name(sequence) == name && sequence > 0 && sequence < u64::MAX).then_some(sequence)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_and_tell_what_is_wrong() {
        let header = Header {
            origin: Origin::Rewritten,
            sequence: 7,
            mark: 0x1234_5678_9abc_def0,
            previous: 5,
            previous_end: 4711,
            counter: u64::MAX,
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        assert_eq!(Header::decode(&[0; HEADER]), Err(BadHeader::Unused));
        assert_eq!(Header::decode(&[]), Err(BadHeader::Unused));
        assert_eq!(Header::decode(&bytes[..HEADER - 1]), Err(BadHeader::Damaged));
        for at in 0..HEADER {
            let mut damaged = bytes;
            damaged[at] ^= 4;
            assert_eq!(Header::decode(&damaged), Err(BadHeader::Damaged), "byte {at}");
        }
        let mut newer = bytes;
        newer[8] = 2;
        let crc = crc32c::crc32c(&newer[..HEADER - 4]);
        newer[HEADER - 4..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&newer), Err(BadHeader::Newer(2)));
    }

    #[test]
    fn names_are_sequences_and_nothing_else_is() {
        assert_eq!(name(255), "00000000000000ff.log");
        assert_eq!(sequence(&name(u64::MAX - 1)), Some(u64::MAX - 1));
        assert_eq!(
            (sequence(&name(0)), sequence(&name(u64::MAX))),
            (None, None),
            "there is one before and one behind"
        );
        for other in ["lock", "1.log", "00000000000000FF.log", "+0000000000000ff.log", "00000000000000ff.tmp"]
        {
            assert_eq!(sequence(other), None, "{other}");
        }
    }
}
