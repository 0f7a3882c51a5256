//! The operations on files that the log needs: a folder of the file system, or what the tests put in its place.

use std::io::{self, IoSlice};

/// A folder with files in it. Names are plain file names.
pub(super) trait Folder: Send + 'static {
    /// A file of it. Reading and writing go on where they have stopped, from the beginning.
    type File: File;

    /// The names of all that is in it, in no order.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// Opens a file for reading.
    fn open(&mut self, name: &str) -> io::Result<Self::File>;
    /// Makes an empty file for writing; an error where the name exists.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;
    /// Ends a file at `bytes`, durably; what it had before is durable then as well.
    fn cut(&mut self, name: &str, bytes: u64) -> io::Result<()>;
    /// Gives a file another name, in place of whatever had it.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file one more name.
    fn link(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a name.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes names durable: those that were made, changed and removed.
    fn sync(&mut self) -> io::Result<()>;
}

/// An open file.
pub(super) trait File: Send {
    /// How long it is.
    fn len(&mut self) -> io::Result<u64>;
    /// Some bytes; 0 at the end.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize>;
    /// Writes all of the parts, one behind the other.
    fn write(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Makes it so long, with zeros, on the disk where the file system can, so that writing needs no more room.
    fn allocate(&mut self, bytes: u64) -> io::Result<()>;
    /// Writes zeros over room that was allocated, durably, where that makes later writes cheaper. The place where reading and
    /// writing go on stays.
    fn fill(&mut self, at: u64, bytes: u64) -> io::Result<()>;
    /// Makes what was written durable, and the length where it has grown.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Makes all of it durable.
    fn sync_all(&mut self) -> io::Result<()>;
}
