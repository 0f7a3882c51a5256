//! Submissions that differ in a number only.

use std::ops::Range;

use lineshaft::protocol::{Command, HEADER_LEN};

use crate::wire;

/// A submission, encoded once. A number somewhere in it is written anew each time.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// Where the number stands; empty where there is none.
    digits: Range<usize>,
}

impl Template {
    /// How many digits a number has in a workload; the workload must not be shorter.
    pub(crate) const DIGITS: usize = 8;

    /// A background job without a unique. All are the same.
    pub(crate) fn background(function: &str, workload: usize) -> Self {
        Self::new(Command::SubmitJobBg, function, "", workload, 0..0)
    }

    /// What a background job is in Redis: a value for the list of the function's name. All are the same.
    pub(crate) fn push(function: &str, workload: usize) -> Self {
        let mut bytes = Vec::new();
        wire::put_redis(&mut bytes, &[b"LPUSH", function.as_bytes(), &vec![b'w'; workload]]);
        Self { bytes, digits: 0..0 }
    }

    /// A background job with a unique in the form of a UUID, which the number makes.
    pub(crate) fn background_unique(function: &str, workload: usize) -> Self {
        let unique = "6ba7b810-9dad-11d1-80b4-000000000000";
        let end = HEADER_LEN + function.len() + 1 + unique.len();
        Self::new(Command::SubmitJobBg, function, unique, workload, end - 12..end)
    }

    /// A background job of the function whose name [`Template::function`] makes of the number.
    pub(crate) fn background_spread(workload: usize) -> Self {
        let function = Self::function(0);
        let end = HEADER_LEN + function.len();
        Self::new(Command::SubmitJobBg, &function, "", workload, end - 6..end)
    }

    /// Name of one of many functions.
    pub(crate) fn function(number: usize) -> String {
        format!("function-{number:06}")
    }

    /// A foreground job whose workload begins with the number in [`Template::DIGITS`] digits.
    pub(crate) fn foreground(function: &str, workload: usize) -> Self {
        let start = HEADER_LEN + function.len() + 2;
        Self::new(Command::SubmitJob, function, "", workload, start..start + Self::DIGITS)
    }

    fn new(command: Command, function: &str, unique: &str, workload: usize, digits: Range<usize>) -> Self {
        let mut bytes = Vec::new();
        wire::put(&mut bytes, command, &[function.as_bytes(), unique.as_bytes(), &vec![b'w'; workload]]);
        Self { bytes, digits }
    }

    /// Appends the submission with `number` in it; digits that have no room are left away.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, mut number: u64) {
        for digit in self.bytes[self.digits.clone()].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        out.extend_from_slice(&self.bytes);
    }

    /// The number at the front of a workload that came from [`Template::foreground`].
    pub(crate) fn number(workload: &[u8]) -> Option<usize> {
        std::str::from_utf8(workload.get(..Self::DIGITS)?).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parts;

    fn body(mut template: Template, number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        template.put(&mut out, number);
        out.split_off(HEADER_LEN)
    }

    #[test]
    fn the_number_stands_where_it_belongs() {
        let [_, unique, workload] =
            parts(&body(Template::background_unique("f", 3), 1_234_567)).unwrap().map(Vec::from);
        assert_eq!((&unique[..], &workload[..]), (&b"6ba7b810-9dad-11d1-80b4-000001234567"[..], &b"www"[..]));

        let [function, ..] =
            parts::<3>(&body(Template::background_spread(3), 19_999)).unwrap().map(Vec::from);
        assert_eq!(function, Template::function(19_999).as_bytes());

        let [_, _, workload] = parts(&body(Template::foreground("f", 10), 42)).unwrap().map(Vec::from);
        assert_eq!((&workload[..], Template::number(&workload)), (&b"00000042ww"[..], Some(42)));
    }
}
