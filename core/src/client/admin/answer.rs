//! From the bytes of an admin answer to its lines. No socket.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};

/// Where an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// After one line.
    Line,
    /// After a line with nothing but a dot.
    List,
}

impl Shape {
    /// How the answer to `command` ends.
    pub(super) fn of(command: &str) -> Self {
        let word = command.split(' ').next().unwrap_or_default();
        let lists = ["status", "prioritystatus", "workers", "show", "explain"];
        if lists.iter().any(|list| word.eq_ignore_ascii_case(list)) { Self::List } else { Self::Line }
    }
}

/// An answer as it arrives.
#[derive(Debug)]
pub(super) struct Answer {
    shape: Shape,
    limit: usize,
    bytes: Vec<u8>,
    /// Where the line begins whose end has not come.
    line: usize,
}

impl Answer {
    /// `limit` is for the whole answer, in bytes.
    pub(super) const fn new(shape: Shape, limit: usize) -> Self {
        Self { shape, limit, bytes: Vec::new(), line: 0 }
    }

    /// Takes what has arrived. True when the answer is whole.
    ///
    /// # Errors
    /// [`ErrorKind::DataTooLarge`].
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<bool> {
        let mut from = self.bytes.len();
        if from + bytes.len() > self.limit {
            let detail = format!("the answer is larger than max_answer ({} bytes)", self.limit);
            return Err(Error::new(ErrorKind::DataTooLarge, "admin", detail));
        }
        self.bytes.extend_from_slice(bytes);
        while let Some(at) = memchr::memchr(b'\n', &self.bytes[from..]) {
            let end = from + at;
            let line = trim(&self.bytes[self.line..end]);
            let first = self.line == 0;
            if self.shape == Shape::Line || line == b"." || (first && is_error(line)) {
                self.bytes.truncate(end);
                return Ok(true);
            }
            self.line = end + 1;
            from = end + 1;
        }
        Ok(false)
    }

    /// The lines without their ends, and without the final dot.
    ///
    /// # Errors
    /// What the server says in an `ERR` line.
    pub(super) fn lines(self) -> Result<Vec<Bytes>> {
        let all = Bytes::from(self.bytes);
        let mut lines: Vec<_> =
            all.split(|byte| *byte == b'\n').map(|line| all.slice_ref(trim(line))).collect();
        if let [only] = lines.as_slice()
            && is_error(only)
        {
            return Err(refusal(only));
        }
        if self.shape == Shape::List {
            lines.pop();
        }
        Ok(lines)
    }
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `ERR` and a blank: a function of that name would have a TAB behind it.
fn is_error(line: &[u8]) -> bool {
    line.starts_with(b"ERR ")
}

/// `ERR UNKNOWN_COMMAND Unknown+server+commandx`: a code, and a text whose blanks are written `+`.
fn refusal(line: &[u8]) -> Error {
    let said = String::from_utf8_lossy(&line[4..]).replace('+', " ");
    let kind = match said.split(' ').next() {
        Some("UNKNOWN_JOB") => ErrorKind::JobNotFound,
        Some("UNKNOWN_COMMAND") => ErrorKind::InvalidCommand,
        Some("INVALID_ARGUMENTS" | "UNKNOWN_SHOW_ARGUMENTS") => ErrorKind::InvalidArgument,
        _ => ErrorKind::Server,
    };
    Error::new(kind, "admin", said)
}

/// What follows the `OK` of an answer; empty where nothing does.
///
/// # Errors
/// [`ErrorKind::InvalidPacket`]: the line does not begin with `OK`.
pub(super) fn ok(lines: &[Bytes]) -> Result<String> {
    let line = lines.first().map_or(&b""[..], |line| line);
    match line.strip_prefix(b"OK") {
        Some(rest) => Ok(String::from_utf8_lossy(rest.trim_ascii()).into_owned()),
        None => {
            let detail = format!("OK was expected, the server has said: {}", line.escape_ascii());
            Err(Error::new(ErrorKind::InvalidPacket, "admin", detail))
        }
    }
}

/// Looks whether `word` can stand in a command.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`]: it is empty, or blanks and control characters would end it too early.
pub(super) fn word(word: &[u8]) -> Result<&str> {
    let plain = !word.is_empty() && !word.iter().any(|byte| *byte == b' ' || byte.is_ascii_control());
    match std::str::from_utf8(word) {
        Ok(text) if plain => Ok(text),
        _ => {
            let detail = format!("`{}` cannot be sent in a text command", word.escape_ascii());
            Err(Error::new(ErrorKind::InvalidArgument, "admin", detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shape: Shape, bytes: &[u8]) -> Result<Vec<Bytes>> {
        // However it is cut, the answer is the same.
        let mut results = (0..=bytes.len()).map(|cut| {
            let mut answer = Answer::new(shape, 1000);
            assert!(!answer.take(&bytes[..cut]).unwrap() || bytes[cut..].is_empty());
            if cut < bytes.len() {
                assert!(answer.take(&bytes[cut..]).unwrap());
            }
            answer.lines()
        });
        let first = results.next().unwrap();
        for other in results {
            assert_eq!(format!("{first:?}"), format!("{other:?}"));
        }
        first
    }

    #[test]
    fn answers_end_where_they_end() {
        assert_eq!(read(Shape::List, b".\n").unwrap(), Vec::<Bytes>::new());
        assert_eq!(read(Shape::List, b"a\t1\r\n\nERR x\n.\r\n").unwrap(), ["a\t1", "", "ERR x"]);
        assert_eq!(read(Shape::Line, b"OK 1.0\n").unwrap(), ["OK 1.0"]);
        assert_eq!(read(Shape::Line, b"OK\r\n").unwrap(), ["OK"]);
    }

    #[test]
    fn an_err_line_is_an_error_wherever_it_is_the_answer() {
        for (shape, line, kind, text) in [
            (Shape::Line, &b"ERR UNKNOWN_JOB\r\n"[..], ErrorKind::JobNotFound, "UNKNOWN_JOB"),
            (Shape::List, b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n", ErrorKind::InvalidArgument, "UNKNOWN_SHOW"),
            (
                Shape::Line,
                b"ERR UNKNOWN_COMMAND Unknown+server+commandx\r\n",
                ErrorKind::InvalidCommand,
                "Unknown server commandx",
            ),
            (Shape::Line, b"ERR function not found\r\n", ErrorKind::Server, "function not found"),
        ] {
            let error = read(shape, line).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.detail().contains(text), "{error}");
        }
    }

    #[test]
    fn an_endless_answer_is_cut_off() {
        let mut answer = Answer::new(Shape::List, 100);
        assert!(!answer.take(&[b'x'; 100]).unwrap());
        assert_eq!(answer.take(b"x").unwrap_err().kind(), ErrorKind::DataTooLarge);
    }

    #[test]
    fn words_that_would_change_the_command_are_refused() {
        for bad in [&b""[..], b"a b", b"a\n", b"a\0", b"\xff"] {
            assert_eq!(word(bad).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(word("größe".as_bytes()).unwrap(), "größe");
    }
}
