//! What is wrong with a log.

use std::fmt;

/// Something in a segment that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The segment's file name.
    pub segment: String,
    /// What it is.
    pub what: What,
    /// Where it begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The last write did not come to its end, as when the power fails: nothing of it had been acknowledged. It is cut off.
    Torn,
    /// Bytes in the middle are not what was written. What they held is lost, but for so many records that could be saved.
    Damage {
        /// How many.
        saved: usize,
    },
    /// The header is not what was written. The segment's batches are read nevertheless.
    Header,
    /// The file is shorter than it was.
    Short,
}

impl Finding {
    /// True where something may be lost that had been acknowledged.
    pub const fn is_damage(&self) -> bool {
        !matches!(self.what, What::Torn)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, what, offset, bytes } = self;
        match what {
            What::Torn => write!(
                f,
                "{segment}: the last write, {bytes} bytes at {offset}, did not come to its end; it had not been acknowledged \
                 and counts for nothing"
            ),
            What::Damage { saved } => {
                write!(
                    f,
                    "{segment}: {bytes} bytes at {offset} are damaged; {saved} records of them could be read"
                )
            }
            What::Header => write!(f, "{segment}: its header is damaged; its batches are read"),
            What::Short => write!(f, "{segment}: it ends at {offset}, {bytes} bytes are missing"),
        }
    }
}
