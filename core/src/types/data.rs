//! Opaque bytes: workloads and results.

use bytes::Bytes;
use std::ops::Deref;

/// Opaque bytes: borrowed from a reader's buffer while they are small, shared without a copy where they are large.
#[derive(Clone, Debug)]
pub enum Data<'a> {
    /// Bytes of somebody else's buffer; whoever keeps them copies them.
    Borrowed(&'a [u8]),
    /// Bytes with an owner of their own; keeping them costs a counter.
    Shared(Bytes),
}

impl Data<'_> {
    /// No bytes.
    pub const EMPTY: Self = Data::Borrowed(&[]);

    /// From this many bytes on, data is shared rather than copied.
    pub const SHARE_FROM: usize = 16 << 10;

    /// The bytes, kept: a copy of small ones, one more reference to large ones.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Data::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Data::Shared(bytes) => bytes.clone(),
        }
    }

    /// The same data for a shorter while.
    pub fn reborrow(&self) -> Data<'_> {
        match self {
            Data::Borrowed(bytes) => Data::Borrowed(bytes),
            Data::Shared(bytes) => Data::Shared(bytes.clone()),
        }
    }
}

impl Deref for Data<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Data::Borrowed(bytes) => bytes,
            Data::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Data<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Data<'_> {}

impl<'a> From<&'a [u8]> for Data<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Data::Borrowed(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Data<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Data::Borrowed(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Data<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Data::Borrowed(bytes)
    }
}

impl<'a> From<&'a str> for Data<'a> {
    fn from(text: &'a str) -> Self {
        Data::Borrowed(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Data<'a> {
    fn from(text: &'a String) -> Self {
        Data::Borrowed(text.as_bytes())
    }
}

impl From<Bytes> for Data<'_> {
    fn from(bytes: Bytes) -> Self {
        Data::Shared(bytes)
    }
}

impl From<Vec<u8>> for Data<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Data::Shared(bytes.into())
    }
}

impl From<String> for Data<'_> {
    fn from(text: String) -> Self {
        Data::Shared(text.into())
    }
}

impl<'a> From<&'a Bytes> for Data<'a> {
    /// Small bytes are borrowed, large ones shared.
    fn from(bytes: &'a Bytes) -> Self {
        if bytes.len() < Self::SHARE_FROM { Data::Borrowed(bytes) } else { Data::Shared(bytes.clone()) }
    }
}
