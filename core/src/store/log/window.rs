//! A piece of a file in memory, which moves on.

use std::io;

use super::files::File;

/// What is read from a file at once, in bytes. A batch that is longer makes the window as long.
const READ: usize = 1 << 20;

/// The bytes of a file from a place on.
pub(super) struct Window<F> {
    file: F,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the file `start` is.
    offset: u64,
    /// Where reading ends, sooner or at the end of the file.
    limit: u64,
    /// Where reading from the file has come to its end, whatever `limit` says.
    ended: bool,
}

impl<F: File> Window<F> {
    /// The file from its beginning to `limit`.
    pub(super) fn new(file: F, limit: u64) -> Self {
        Self { file, bytes: Vec::new(), start: 0, end: 0, offset: 0, limit, ended: false }
    }

    /// Where it begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that there may be from here on.
    pub(super) fn room(&self) -> u64 {
        self.limit - self.offset
    }

    /// What is in memory; [`Window::need`] makes it more.
    pub(super) fn here(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The bytes from here on, at least so many unless the file ends before.
    pub(super) fn need(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.end - self.start < bytes && !self.ended {
            self.read_more()?;
        }
        Ok(self.here())
    }

    fn read_more(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let left = self.limit - self.offset - self.end as u64;
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        // How much is wanted may come from the file: there is memory for what was read, not for what a damaged length says.
        if self.bytes.len() - self.end < left.min(READ / 2) {
            self.bytes.resize(self.end + left.min(READ), 0);
        }
        let most = left.min(self.bytes.len() - self.end);
        let read = self.file.read(&mut self.bytes[self.end..self.end + most])?;
        self.end += read;
        self.ended = read == 0;
        Ok(())
    }

    /// Moves on by so many of the bytes that are here.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without end, and how often somebody has read.
    #[derive(Default)]
    struct Zeros {
        reads: usize,
    }

    impl File for Zeros {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            Ok(into.len())
        }

        fn len(&mut self) -> io::Result<u64> {
            unreachable!("nobody asks")
        }

        fn write(&mut self, _: &mut [io::IoSlice<'_>]) -> io::Result<()> {
            unreachable!("nobody writes")
        }

        fn allocate(&mut self, _: u64) -> io::Result<()> {
            unreachable!("nobody writes")
        }

        fn fill(&mut self, _: u64, _: u64) -> io::Result<()> {
            unreachable!("nobody writes")
        }

        fn sync_data(&mut self) -> io::Result<()> {
            unreachable!("nobody writes")
        }

        fn sync_all(&mut self) -> io::Result<()> {
            unreachable!("nobody writes")
        }
    }

    #[test]
    fn who_looks_ahead_byte_by_byte_does_not_read_byte_by_byte() {
        let limit = 16 * READ as u64;
        let mut window = Window::new(Zeros::default(), limit);
        let mut len = 1;
        while window.need(len).unwrap().len() >= len {
            len = window.here().len() + 1;
        }
        assert_eq!(window.here().len() as u64, limit);
        assert!(window.file.reads <= 34, "{} reads", window.file.reads);
    }
}
