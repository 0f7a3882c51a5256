//! Workloads as they are read and named.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, Read};

use crate::exit::{Exit, Failure};

/// The largest workload, in bytes: what the format of packets can hold, less the room for names.
const MAX_WORKLOAD: usize = u32::MAX as usize - (64 << 10);

/// All of `input`, which is a workload.
pub(crate) fn whole(input: &mut dyn BufRead) -> Result<Vec<u8>, Failure> {
    let mut workload = Vec::new();
    let read = input.take(MAX_WORKLOAD as u64 + 1).read_to_end(&mut workload);
    read.map_err(|error| Failure::system("cannot read the workload", &error))?;
    fits(&workload)?;
    Ok(workload)
}

/// The next line of `input`, with its line feed; `None` at the end.
pub(crate) fn next_line(input: &mut dyn BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = input.take(MAX_WORKLOAD as u64 + 1).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::system("cannot read a line", &error))?;
    fits(&line)?;
    Ok(if line.is_empty() { None } else { Some(line) })
}

fn fits(workload: &[u8]) -> Result<(), Failure> {
    if workload.len() <= MAX_WORKLOAD {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("a workload has {MAX_WORKLOAD} bytes at most; send it in pieces")))
}

/// A unique that nobody else has. gearmand's persistent queues keep one job of each function without a unique, so
/// every job that is submitted has one.
pub(crate) fn fresh_unique() -> String {
    // Each `RandomState` has keys of its own, from those that the operating system has drawn for this process.
    let random = RandomState::new();
    let (high, low) = (random.hash_one(0u8), random.hash_one(1u8));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_their_line_feed_or_the_input() {
        let mut input = &b"a\n\nb"[..];
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, [&b"a\n"[..], b"\n", b"b"]);
    }

    #[test]
    fn no_unique_comes_twice() {
        let (one, other) = (fresh_unique(), fresh_unique());
        assert_ne!(one, other);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
