//! Functions and uniques out of the keys that gearmand's plug-ins for Redis and memcached write: function, dash, unique.
//!
//! Both may hold dashes. gearmand takes the first dash, so that `resize-big` with unique 7 comes back as `resize` with unique
//! `big-7`. Here a key is split, in this order: behind the longest function that is known by itself; before a UUID, which is what
//! libgearman makes where its caller gives no unique; before `--` and `-` at the end, which are the uniques `-` and none; and
//! else at the first dash, which is counted as a guess.

use std::collections::HashSet;

/// The functions that are known so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    functions: HashSet<Vec<u8>>,
    guesses: usize,
}

impl Names {
    pub(super) fn new(functions: &[String]) -> Self {
        let functions = functions.iter().map(|name| name.clone().into_bytes()).collect();
        Self { functions, guesses: 0 }
    }

    /// This one exists.
    pub(super) fn learn(&mut self, function: &[u8]) {
        if !function.is_empty() && !self.functions.contains(function) {
            self.functions.insert(function.to_vec());
        }
    }

    /// A key with one dash can be split in one way only.
    pub(super) fn learn_from(&mut self, key: &[u8]) {
        let mut parts = key.split(|byte| *byte == b'-');
        if let (Some(function), Some(_), None) = (parts.next(), parts.next(), parts.next()) {
            self.learn(function);
        }
    }

    /// How many keys have been split at their first dash for want of something better.
    pub(super) fn guesses(&self) -> usize {
        self.guesses
    }

    /// Function and unique; `None` for what is no such key.
    pub(super) fn split<'a>(&mut self, key: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let dashes = || key.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'-').map(|(at, _)| at);
        let first = dashes().next()?;
        let known = dashes().rev().find(|at| self.functions.contains(&key[..*at]));
        let at = known.or_else(|| before_uuid(key)).unwrap_or_else(|| match key {
            [.., b'-', b'-'] if first < key.len() - 1 => key.len() - 2,
            [.., b'-'] => key.len() - 1,
            _ => {
                self.guesses += usize::from(dashes().nth(1).is_some());
                first
            }
        });
        Some((&key[..at], &key[at + 1..]))
    }
}

/// Where the dash before a UUID at the end is.
fn before_uuid(key: &[u8]) -> Option<usize> {
    const LEN: usize = 36;
    let at = key.len().checked_sub(LEN + 1).filter(|at| *at > 0)?;
    let (dash, uuid) = key[at..].split_first()?;
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    (*dash == b'-' && uuid.iter().enumerate().all(fits)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_split_where_something_tells() {
        let uuid = "990de3a2-e61c-11f1-bc98-02fc00000001";
        let mut names = Names::new(&["known-function".into()]);
        names.learn_from(b"one-1");
        names.learn_from(b"not-this-one");
        names.learn(b"one-two");
        let mut check = |key: &str, function: &str, unique: &str, guesses: usize| {
            let split = names.split(key.as_bytes());
            assert_eq!(split, Some((function.as_bytes(), unique.as_bytes())), "{key}");
            assert_eq!(names.guesses(), guesses, "{key}");
        };
        check("f-u", "f", "u", 0);
        check("known-function-a-b", "known-function", "a-b", 0);
        check("one-a-b", "one", "a-b", 0);
        check("one-two-b", "one-two", "b", 0);
        check(&format!("re-size-{uuid}"), "re-size", uuid, 0);
        check("re-size-", "re-size", "", 0);
        check("re-size--", "re-size", "-", 0);
        check("f--", "f", "-", 0);
        check("one--", "one", "-", 0);
        check("a-b-c", "a", "b-c", 1);
        check("not-this-one", "not", "this-one", 2);
    }

    #[test]
    fn what_has_no_function_is_no_key() {
        let mut names = Names::default();
        for key in ["", "f", "-", "-u"] {
            assert_eq!(names.split(key.as_bytes()), None, "{key}");
        }
        let uuid = "990de3a2-e61c-11f1-bc98-02fc00000001";
        assert_eq!(names.split(format!("-{uuid}").as_bytes()).map(|(f, _)| f), Some(&b"-990de3a2"[..]));
        assert_eq!(names.split(b"--"), Some((&b"-"[..], &b""[..])));
    }
}
