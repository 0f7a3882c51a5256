//! Uniques that the library makes.

use std::time::SystemTime;

/// Bytes of a UUID as text.
pub(crate) const UUID_SIZE: usize = 36;

/// 100 ns steps between the beginnings of the Gregorian calendar and of Unix time.
const GREGORIAN: u64 = 0x01b2_1dd2_1381_4000;

/// A UUID of version 1 in lower case. Its clock sequence and node are random every time, so that two processes after a
/// fork never make the same.
pub(crate) fn uuid() -> [u8; UUID_SIZE] {
    #[allow(clippy::disallowed_methods, reason = "the only clock of this library that is written down")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ticks = (now.as_nanos() / 100) as u64 + GREGORIAN;
    let mut random = [0u8; 8];
    // SAFETY: the kernel writes at most as many bytes as there are. Where it has none, time alone tells UUIDs apart.
    unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) };
    let mut bytes = [0u8; 16];
    bytes[..4].copy_from_slice(&(ticks as u32).to_be_bytes());
    bytes[4..6].copy_from_slice(&((ticks >> 32) as u16).to_be_bytes());
    bytes[6..8].copy_from_slice(&((ticks >> 48) as u16 & 0x0fff | 0x1000).to_be_bytes());
    bytes[8..].copy_from_slice(&random);
    // The variant, and a node that is no network card's.
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes[10] |= 1;
    text(&bytes)
}

fn text(bytes: &[u8; 16]) -> [u8; UUID_SIZE] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; UUID_SIZE];
    let mut at = 0;
    for (number, byte) in bytes.iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

/// What a unique of `#` stands for: MurmurHash3 (32 bits, x86) of the workload, its seed 0xdeadbeef times the length.
pub(crate) fn hash(workload: &[u8]) -> u32 {
    let scramble = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let length = workload.len() as u32;
    let (blocks, tail) = workload.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0xdead_beef_u32.wrapping_mul(length), |hash, block| {
        let mixed = hash ^ scramble(u32::from_le_bytes(*block));
        mixed.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let rest = tail.iter().rev().fold(0, |rest, &byte| rest << 8 | u32::from(byte));
    hash ^= scramble(rest) ^ length;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_libgearmans() {
        for (workload, expected) in [
            ("a", 2_289_228_744),
            ("ab", 2_181_799_184),
            ("abc", 634_628_250),
            ("abcd", 180_520_834),
            ("abcdefgh", 740_384_448),
            ("bg", 3_547_785_083),
        ] {
            assert_eq!(hash(workload.as_bytes()), expected, "{workload}");
        }
    }

    #[test]
    fn uuids_have_their_form_and_differ() {
        let (a, b) = (uuid(), uuid());
        assert_ne!(a, b);
        assert_eq!([8, 13, 18, 23].map(|at| a[at]), [b'-'; 4]);
        assert_eq!(a[14], b'1');
        assert!(b"89ab".contains(&a[19]));
    }
}
