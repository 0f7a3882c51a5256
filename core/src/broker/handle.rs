//! Job handles: `<prefix>:<number>`.

use super::Broker;
use crate::protocol::decimal;

/// A handle on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandleBuf {
    bytes: [u8; 63],
    len: u8,
}

impl HandleBuf {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Broker {
    pub(super) fn handle_of_number(&self, number: u64) -> HandleBuf {
        let mut digits = [0; 20];
        let digits = decimal(&mut digits, number);
        let prefix = self.config.handle_prefix.as_bytes();
        let len = prefix.len() + 1 + digits.len();
        let mut bytes = [0; 63];
        bytes[..prefix.len()].copy_from_slice(prefix);
        bytes[prefix.len()] = b':';
        bytes[prefix.len() + 1..len].copy_from_slice(digits);
        HandleBuf { bytes, len: len as u8 }
    }

    pub(super) fn handle_of(&self, job: u32) -> HandleBuf {
        self.handle_of_number(self.queue.job(job).number)
    }

    /// The number in a handle of ours; `None` for any other bytes.
    pub(super) fn number_of(&self, handle: &[u8]) -> Option<u64> {
        let digits = handle.strip_prefix(self.config.handle_prefix.as_bytes())?.strip_prefix(b":")?;
        let canonical = matches!(digits, [b'1'..=b'9', ..]) && digits.len() <= 20;
        if !canonical {
            return None;
        }
        digits.iter().try_fold(0u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        })
    }

    pub(super) fn find(&self, handle: &[u8]) -> Option<u32> {
        self.queue.find(self.number_of(handle)?)
    }
}
