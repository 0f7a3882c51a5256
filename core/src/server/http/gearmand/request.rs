//! A request of gearmand's HTTP protocol. It is read as gearmand reads it, which is not quite how HTTP is written.

use crate::types::Priority;

/// "limits: request line + headers ≤ 8192 bytes, else closed".
pub(super) const MAX_HEAD: usize = 8192;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Head,
}

/// A request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: Method,
    /// It says HTTP/1.1.
    pub(super) is_1_1: bool,
    /// The path without the slashes in front, byte for byte.
    pub(super) function: Vec<u8>,
    pub(super) unique: Vec<u8>,
    pub(super) background: bool,
    pub(super) priority: Priority,
    /// Bytes of the body.
    pub(super) length: u64,
    /// The peer waits to be told to send the body.
    pub(super) expects: bool,
    /// A browser sends it on behalf of a page that is not ours: all pages.
    pub(super) from_page: bool,
    /// The body comes in pieces of unknown number, which this protocol has not.
    pub(super) chunked: bool,
}

/// What there is of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More is needed.
    Need,
    /// It is no request; there is no answer to it.
    Nonsense,
    /// The head, and how many bytes it takes.
    Head(Box<Head>, usize),
}

/// Reads the head in front of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Step {
    let mut lines = Vec::new();
    let mut at = 0;
    let end = loop {
        let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') else {
            return if bytes.len() > MAX_HEAD { Step::Nonsense } else { Step::Need };
        };
        let line = &bytes[at..at + length];
        // "line ends: CRLF or LF".
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        at += length + 1;
        if at > MAX_HEAD {
            return Step::Nonsense;
        }
        if line.is_empty() {
            break at;
        }
        lines.push(line);
    };
    let Some((first, headers)) = lines.split_first() else { return Step::Nonsense };
    let Some(mut head) = request_line(first) else { return Step::Nonsense };
    for header in headers {
        // "other headers: ignored", and so is what is none.
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { continue };
        if !head.take(&header[..colon], header[colon + 1..].trim_ascii()) {
            return Step::Nonsense;
        }
    }
    Step::Head(Box::new(head), end)
}

fn request_line(line: &[u8]) -> Option<Head> {
    let mut words = line.splitn(2, |byte| *byte == b' ');
    let method = match words.next()? {
        b"GET" => Method::Get,
        b"POST" => Method::Post,
        b"PUT" => Method::Put,
        b"HEAD" => Method::Head,
        _ => return None,
    };
    let rest = words.next()?;
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let mut words = rest[blanks..].splitn(2, |byte| *byte == b' ');
    let path = words.next()?;
    let is_1_1 = match words.next()? {
        b"HTTP/1.0" => false,
        b"HTTP/1.1" => true,
        _ => return None,
    };
    let slashes = path.iter().take_while(|byte| **byte == b'/').count();
    Some(Head {
        method,
        is_1_1,
        function: path[slashes..].into(),
        unique: b"-".into(),
        background: false,
        priority: Priority::Normal,
        length: 0,
        expects: false,
        from_page: false,
        chunked: false,
    })
}

impl Head {
    /// Takes a header; false where it makes nonsense of the request.
    fn take(&mut self, name: &[u8], value: &[u8]) -> bool {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let says = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
        if is("Content-Length") {
            // "POST and PUT only".
            if matches!(self.method, Method::Post | Method::Put) {
                let digits = std::str::from_utf8(value).ok().filter(|text| !text.starts_with('+'));
                let Some(length) = digits.and_then(|text| text.parse().ok()) else { return false };
                self.length = length;
            }
        } else if is("X-Gearman-Unique") {
            self.unique = value.into();
        } else if is("X-Gearman-Background") {
            self.background = says("true");
        } else if is("X-Gearman-Priority") {
            self.priority = match value {
                _ if says("high") => Priority::High,
                _ if says("low") => Priority::Low,
                _ => self.priority,
            };
        } else if is("Expect") {
            self.expects = says("100-continue");
        } else if is("Transfer-Encoding") {
            self.chunked = !says("identity");
        } else if is("Origin") {
            self.from_page = true;
        } else if is("Sec-Fetch-Site") {
            self.from_page |= !says("none");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        match read(text.as_bytes()) {
            Step::Head(head, length) => {
                assert_eq!(length, text.len());
                *head
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn requests_are_read_as_gearmand_reads_them() {
        let plain = head("GET /reverse HTTP/1.0\r\n\r\n");
        assert_eq!((plain.method, plain.is_1_1, &plain.function[..]), (Method::Get, false, &b"reverse"[..]));
        assert_eq!(
            (&plain.unique[..], plain.background, plain.priority),
            (&b"-"[..], false, Priority::Normal)
        );
        assert_eq!(head("PUT ///a/b?c=%20 HTTP/1.1\n\n").function, b"a/b?c=%20");
        assert_eq!(head("GET  a HTTP/1.0\r\n\r\n").function, b"a");
        let full = head(
            "POST /f HTTP/1.1\r\ncontent-length: 12\r\nX-GEARMAN-UNIQUE: u\r\nX-Gearman-Background: TRUE\r\nX-Gearman-Priority: Low\r\nnothing\r\nX: y\r\n\r\n",
        );
        assert_eq!((full.length, &full.unique[..], full.background), (12, &b"u"[..], true));
        assert_eq!(full.priority, Priority::Low);
        assert_eq!(head("GET /f HTTP/1.0\r\nContent-Length: 3\r\n\r\n").length, 0);
        assert_eq!(head("POST /f HTTP/1.0\r\nContent-Length:3\r\n\r\n").length, 3);
        assert!(head("GET /f HTTP/1.1\r\nOrigin: null\r\n\r\n").from_page);
        assert!(head("GET /f HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n\r\n").from_page);
        assert!(!head("GET /f HTTP/1.1\r\nSec-Fetch-Site: none\r\n\r\n").from_page);
    }

    #[test]
    fn what_is_no_request_gets_no_answer() {
        for text in [
            "DELETE /f HTTP/1.0\r\n\r\n",
            "TRACE /f HTTP/1.0\r\n\r\n",
            "get /f HTTP/1.0\r\n\r\n",
            "GET /f\r\n\r\n",
            "GET /f HTTP/2.0\r\n\r\n",
            "GET /f x HTTP/1.0\r\n\r\n",
            "GET /f HTTP/1.0 \r\n\r\n",
            "\r\nGET /f HTTP/1.0\r\n\r\n",
            "POST /f HTTP/1.0\r\nContent-Length: -3\r\n\r\n",
            "POST /f HTTP/1.0\r\nContent-Length: x\r\n\r\n",
        ] {
            assert_eq!(read(text.as_bytes()), Step::Nonsense, "{text:?}");
        }
    }

    #[test]
    fn a_head_has_8192_bytes_at_the_most() {
        let text = |fill: usize| format!("GET /f HTTP/1.0\r\nX: {}\r\n\r\n", "x".repeat(fill));
        let room = MAX_HEAD - text(0).len();
        assert!(matches!(read(text(room).as_bytes()), Step::Head(..)));
        assert_eq!(read(text(room + 1).as_bytes()), Step::Nonsense);
        assert_eq!(read(&[b'x'; MAX_HEAD]), Step::Need);
        assert_eq!(read(&[b'x'; MAX_HEAD + 1]), Step::Nonsense);
        for length in 0..text(0).len() {
            assert_eq!(read(&text(0).as_bytes()[..length]), Step::Need);
        }
    }
}
