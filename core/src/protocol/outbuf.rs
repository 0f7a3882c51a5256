//! Bytes on their way to a peer.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;

use super::{Data, HEADER_LEN};

/// Sent bytes at the front of the tail are moved away from this many on.
const COMPACT_FROM: usize = 64 << 10;

/// An out-buffer: packets are written into it, and a socket takes them out. Small pieces are copied together; large data
/// stands between them by reference.
#[derive(Debug, Default)]
pub struct OutBuf {
    /// Finished pieces, oldest first; `sent` bytes of the first one are gone.
    pieces: VecDeque<Bytes>,
    /// What has been written since the last finished piece.
    tail: Vec<u8>,
    /// How much of the oldest piece (or of `tail`, where there is none) has been sent.
    sent: usize,
    /// Bytes still to be sent.
    len: usize,
}

impl OutBuf {
    /// An empty buffer. Nothing is allocated before the first byte.
    pub const fn new() -> Self {
        Self { pieces: VecDeque::new(), tail: Vec::new(), sent: 0, len: 0 }
    }

    /// An empty buffer that begins with the memory of `tail`, so that buffers can be used again.
    pub fn with_memory(mut tail: Vec<u8>) -> Self {
        tail.clear();
        Self { tail, ..Self::new() }
    }

    /// Gives back the memory for small pieces; what has not been sent is dropped.
    pub fn into_memory(mut self) -> Vec<u8> {
        self.tail.clear();
        self.tail
    }

    /// Bytes still to be sent.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when everything has been sent.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True where no memory has been allocated for small pieces.
    pub fn is_bare(&self) -> bool {
        self.tail.capacity() == 0
    }

    /// Appends a copy of `bytes`.
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends `data`: a copy where it is small, a reference where it is large.
    pub fn put_data(&mut self, data: &Data<'_>) {
        match data {
            Data::Shared(bytes) if bytes.len() >= Data::SHARE_FROM => {
                self.finish_tail();
                self.len += bytes.len();
                self.pieces.push_back(bytes.clone());
            }
            _ => self.put(data),
        }
    }

    /// Makes a finished piece of the tail, so that something can follow it that is not copied.
    fn finish_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let mut piece = Bytes::from(std::mem::take(&mut self.tail));
        if self.pieces.is_empty() {
            piece = piece.split_off(self.sent);
            self.sent = 0;
        }
        self.pieces.push_back(piece);
    }

    /// Begins a packet whose body will have `body_len` bytes.
    pub(super) fn header(&mut self, magic: [u8; 4], number: u32, body_len: usize) {
        let mut header = [0; HEADER_LEN];
        header[..4].copy_from_slice(&magic);
        header[4..8].copy_from_slice(&number.to_be_bytes());
        // A body above 4 GiB cannot be built: every piece of it has passed a limit far below.
        header[8..].copy_from_slice(&(body_len as u32).to_be_bytes());
        self.put(&header);
    }

    /// Fills `slices` with the oldest bytes, for a vectored write; says how many are filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.sent;
        let parts = self.pieces.iter().map(|piece| &piece[..]).chain([&self.tail[..]]);
        let mut filled = 0;
        for part in parts {
            let part = &part[std::mem::take(&mut skip)..];
            if part.is_empty() {
                continue;
            }
            let Some(slot) = slices.get_mut(filled) else { break };
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    /// The bytes where they stand in one piece, the usual case; `None` where large data is among them.
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.pieces.is_empty().then(|| &self.tail[self.sent..])
    }

    /// Forgets the oldest `count` bytes: they have been sent.
    pub fn advance(&mut self, mut count: usize) {
        debug_assert!(count <= self.len);
        self.len -= count;
        while let Some(piece) = self.pieces.front() {
            let left = piece.len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            self.pieces.pop_front();
        }
        self.sent += count;
        if self.sent == self.tail.len() {
            self.tail.clear();
            self.sent = 0;
        } else if self.sent >= COMPACT_FROM && self.sent > self.tail.len() / 2 {
            // A reader that is always a little behind must not make the sent part grow for ever.
            self.tail.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Appends all of `other`, leaving it empty.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        if let Some(bytes) = other.contiguous() {
            self.put(bytes);
        } else {
            self.finish_tail();
            other.finish_tail();
            if let Some(first) = other.pieces.front_mut() {
                let _ = first.split_to(std::mem::take(&mut other.sent));
            }
            self.len += other.len;
            self.pieces.append(&mut other.pieces);
        }
        *other = Self::with_memory(std::mem::take(&mut other.tail));
    }

    /// A copy of all that is to be sent.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); self.pieces.len() + 1];
        let filled = self.slices(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect()
    }
}
