//! A connection to one memcached, in its text protocol.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::store::{StoreError, StoreErrorKind};

const PORT: u16 = 11211;
/// Bytes of a line that memcached says: a key of a dump, with each byte written as three.
const MAX_LINE: u64 = 4096;
/// memcached's items have at most 1 GiB.
const MAX_VALUE: usize = 1 << 30;
/// Bytes that are sent before the answers to them are read: these have some bytes each, and fit into the buffers between us.
const WINDOW: usize = 1 << 20;
const WINDOW_COMMANDS: usize = 1000;

/// What went wrong, and whether the connection is still of use.
#[derive(Debug)]
pub(super) enum Fault {
    Lost(StoreError),
    /// memcached has answered, and says no.
    Refused(StoreError),
    /// It cannot do this at the moment.
    Busy(StoreError),
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Lost(error) | Fault::Refused(error) | Fault::Busy(error) => error,
        }
    }
}

/// An item as it was read.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) flags: u32,
    /// Changes with each write; 0 where it was not asked for.
    pub(super) cas: u64,
    pub(super) data: Vec<u8>,
}

pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    place: String,
}

impl Wire {
    /// Connects to `HOST:PORT`.
    pub(super) fn connect(server: &str, timeout: Duration) -> Result<Self, Fault> {
        let place = format!("memcached at {server}");
        let fail = |error| Fault::Lost(unreachable(&place, &error));
        let address = match server.rsplit_once(':') {
            Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => server.to_owned(),
            _ => format!("{server}:{PORT}"),
        };
        let mut last = std::io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in address.to_socket_addrs().map_err(fail)? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    let set = || {
                        stream.set_nodelay(true)?;
                        stream.set_read_timeout(Some(timeout))?;
                        stream.set_write_timeout(Some(timeout))
                    };
                    set().map_err(fail)?;
                    return Ok(Self { stream: BufReader::new(stream), place });
                }
                Err(error) => last = error,
            }
        }
        Err(fail(last))
    }

    /// Sets items; all are tried, and the first that is refused is answered.
    pub(super) fn set(&mut self, items: &[(String, Vec<&[u8]>)]) -> Result<(), Fault> {
        let mut outcome = Ok(());
        let mut rest = items;
        let mut bytes = Vec::new();
        while !rest.is_empty() {
            bytes.clear();
            let mut count = 0;
            while let Some((key, pieces)) = rest.get(count)
                && (count == 0 || (bytes.len() < WINDOW && count < WINDOW_COMMANDS))
            {
                store(&mut bytes, "set", key, pieces, "");
                count += 1;
            }
            self.send(&bytes)?;
            for _ in 0..count {
                let line = self.line()?;
                let answer = if line == b"STORED" { Ok(()) } else { Err(self.refusal(&line)) };
                outcome = outcome.and(answer);
            }
            rest = &rest[count..];
        }
        outcome
    }

    /// Replaces an item that has not changed since it had this `cas`, or makes one where there is none. False where it has changed.
    pub(super) fn replace(&mut self, key: &str, data: &[u8], cas: Option<u64>) -> Result<bool, Fault> {
        let mut bytes = Vec::new();
        match cas {
            Some(cas) => store(&mut bytes, "cas", key, &[data], &format!(" {cas}")),
            None => store(&mut bytes, "add", key, &[data], ""),
        }
        self.send(&bytes)?;
        match &self.line()?[..] {
            b"STORED" => Ok(true),
            b"NOT_STORED" | b"EXISTS" | b"NOT_FOUND" => Ok(false),
            line => Err(self.refusal(line)),
        }
    }

    /// One item.
    pub(super) fn get(&mut self, key: &str) -> Result<Option<Item>, Fault> {
        let mut found = None;
        self.get_each(&[key], &mut |_, item| found = Some(item))?;
        Ok(found)
    }

    /// Those of the items that are there.
    pub(super) fn get_each(
        &mut self,
        keys: &[impl AsRef<[u8]>],
        each: &mut dyn FnMut(&[u8], Item),
    ) -> Result<(), Fault> {
        if keys.is_empty() {
            return Ok(());
        }
        self.send(&command("gets", keys))?;
        loop {
            let line = self.line()?;
            if line == b"END" {
                return Ok(());
            }
            let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let [b"VALUE", key, flags, len, cas] = words[..] else { return Err(self.refusal(&line)) };
            let (Some(flags), Some(len), Some(cas)) = (number(flags), number(len), number(cas)) else {
                return Err(self.strange(&line));
            };
            if len > MAX_VALUE {
                return Err(self.strange(&line));
            }
            let mut data = vec![0; len + 2];
            self.stream.read_exact(&mut data).map_err(|error| self.lost(&error))?;
            if !data.ends_with(b"\r\n") {
                return Err(self.strange(&line));
            }
            data.truncate(len);
            each(key, Item { flags, cas, data });
        }
    }

    /// Deletes items, whether they are there or not.
    pub(super) fn delete(&mut self, keys: &[impl AsRef<[u8]>]) -> Result<(), Fault> {
        for some in keys.chunks(WINDOW_COMMANDS) {
            let commands: Vec<u8> = some.iter().flat_map(|key| command("delete", &[key])).collect();
            self.send(&commands)?;
            for _ in some {
                match &self.line()?[..] {
                    b"DELETED" | b"NOT_FOUND" => {}
                    line => return Err(self.refusal(line)),
                }
            }
        }
        Ok(())
    }

    /// The lines of an answer that ends with `END`; `None` where memcached does not know or allow the command.
    pub(super) fn list(&mut self, words: &str) -> Result<Option<Vec<Vec<u8>>>, Fault> {
        self.send(&command(words, &[] as &[&[u8]]))?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            match line.split(|byte| *byte == b' ').next() {
                // The second is what old versions say where there is nothing.
                Some(b"END" | b"NOTSTARTED") => return Ok(Some(lines)),
                Some(b"ERROR" | b"CLIENT_ERROR") if lines.is_empty() => return Ok(None),
                Some(b"STAT" | b"ITEM") => lines.push(line),
                Some(word) if word.starts_with(b"key=") => lines.push(line),
                _ => return Err(self.refusal(&line)),
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.get_mut().write_all(bytes).map_err(|error| self.lost(&error))
    }

    fn line(&mut self) -> Result<Vec<u8>, Fault> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| self.lost(&error))?;
        if line.pop_if(|last| *last == b'\n').is_some() {
            // Lines of a dump have no carriage return.
            line.pop_if(|last| *last == b'\r');
            return Ok(line);
        }
        Err(if line.is_empty() { self.lost(&ErrorKind::UnexpectedEof.into()) } else { self.strange(&line) })
    }

    fn lost(&self, error: &std::io::Error) -> Fault {
        Fault::Lost(unreachable(&self.place, error))
    }

    fn strange(&self, line: &[u8]) -> Fault {
        let text =
            format!("{} says `{}`, which is not memcached's language", self.place, line.escape_ascii());
        Fault::Lost(StoreError::new(StoreErrorKind::Settings, text))
    }

    fn refusal(&self, line: &[u8]) -> Fault {
        let text = match line {
            b"SERVER_ERROR out of memory storing object" => {
                "is full: give it more memory (-m), or let the queue be worked off".to_owned()
            }
            b"SERVER_ERROR object too large for cache" => {
                "takes no items of this size: raise its -I".to_owned()
            }
            _ => match line.split(|byte| *byte == b' ').next() {
                Some(b"BUSY") => {
                    let text = format!("{} is busy: {}", self.place, line.escape_ascii());
                    return Fault::Busy(StoreError::new(StoreErrorKind::Unavailable, text));
                }
                Some(b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR" | b"BADCLASS" | b"NOT_STORED") => {
                    format!("refuses: {}", line.escape_ascii())
                }
                _ => return self.strange(line),
            },
        };
        Fault::Refused(StoreError::new(StoreErrorKind::Unavailable, format!("{} {text}", self.place)))
    }
}

/// A command with its keys.
fn command(verb: &str, keys: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = verb.as_bytes().to_vec();
    for key in keys {
        bytes.push(b' ');
        bytes.extend_from_slice(key.as_ref());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn store(bytes: &mut Vec<u8>, verb: &str, key: &str, pieces: &[&[u8]], more: &str) {
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    bytes.extend_from_slice(format!("{verb} {key} 0 0 {len}{more}\r\n").as_bytes());
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    bytes.extend_from_slice(b"\r\n");
}

fn unreachable(place: &str, error: &std::io::Error) -> StoreError {
    let text = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("{place} does not answer in time"),
        _ => format!("{place} cannot be reached: {error}"),
    };
    StoreError::new(StoreErrorKind::Unavailable, text)
}
