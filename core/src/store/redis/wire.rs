//! One connection: commands go out many at a time, answers come back one by one.

use std::time::Duration;

use redis::{Client, Connection, ConnectionInfo, ErrorKind, RedisError, ServerError, Value};

use crate::store::{StoreError, StoreErrorKind};

/// Commands in the form in which Redis reads them.
#[derive(Debug, Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    count: usize,
}

impl Commands {
    /// Appends a command.
    pub(super) fn push(&mut self, words: &[&[u8]]) {
        self.push_with(words, words.len());
    }

    /// Appends a command whose last word is in several pieces.
    pub(super) fn push_pieces(&mut self, words: &[&[u8]], pieces: &[&[u8]]) {
        self.push_with(words, words.len() + 1);
        self.word(pieces);
    }

    /// Appends a command with many numbers.
    pub(super) fn push_numbers(&mut self, words: &[&[u8]], numbers: &[u64]) {
        self.push_with(words, words.len() + numbers.len());
        numbers.iter().for_each(|number| self.word(&[number.to_string().as_bytes()]));
    }

    fn push_with(&mut self, words: &[&[u8]], len: usize) {
        self.head(b'*', len);
        self.count += 1;
        words.iter().for_each(|word| self.word(&[word]));
    }

    fn word(&mut self, pieces: &[&[u8]]) {
        self.head(b'$', pieces.iter().map(|piece| piece.len()).sum());
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        self.bytes.extend_from_slice(b"\r\n");
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn head(&mut self, sign: u8, number: usize) {
        self.bytes.push(sign);
        self.bytes.extend_from_slice(number.to_string().as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// What a connection, or the server at its other end, refuses to do.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection is no longer of use; a new one may be.
    Lost(StoreError),
    /// Redis has answered, and says no. The connection is as good as before.
    Refused(StoreError),
    /// Somebody else has written to the queue, so nothing was done.
    Fenced(StoreError),
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Lost(error) | Fault::Refused(error) | Fault::Fenced(error) => error,
        }
    }
}

pub(super) struct Wire {
    connection: Connection,
    /// For sentences: `Redis at 127.0.0.1:6379`.
    pub(super) place: String,
}

impl Wire {
    /// Connects, says the password and chooses the database.
    pub(super) fn connect(info: &ConnectionInfo, timeout: Duration, place: &str) -> Result<Self, Fault> {
        let fail = |error| Fault::Lost(explain(&error, place));
        let client = Client::open(info.clone()).map_err(fail)?;
        let connection = client.get_connection_with_timeout(timeout).map_err(fail)?;
        connection.set_read_timeout(Some(timeout)).map_err(fail)?;
        connection.set_write_timeout(Some(timeout)).map_err(fail)?;
        Ok(Self { connection, place: place.into() })
    }

    /// The answers to `commands`, errors among them.
    pub(super) fn ask(&mut self, commands: &Commands) -> Result<Vec<Value>, Fault> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let fail = |error| Fault::Lost(explain(&error, &self.place));
        self.connection.send_packed_command(&commands.bytes).map_err(fail)?;
        // One after the other, and no further after the first that fails: each could take as long as the timeout.
        (0..commands.count).map(|_| self.connection.recv_response().map_err(fail)).collect()
    }

    /// The answers to `commands`, where none is an error.
    pub(super) fn ask_all(&mut self, commands: &Commands) -> Result<Vec<Value>, Fault> {
        let answers = self.ask(commands)?;
        answers.iter().try_for_each(|answer| self.check(answer))?;
        Ok(answers)
    }

    /// The answer to one command.
    pub(super) fn ask_one(&mut self, words: &[&[u8]]) -> Result<Value, Fault> {
        let mut commands = Commands::default();
        commands.push(words);
        Ok(self.ask_all(&commands)?.pop().unwrap_or_default())
    }

    /// Errors in an answer, or in what it holds.
    pub(super) fn check(&self, answer: &Value) -> Result<(), Fault> {
        match answer {
            Value::ServerError(error) => Err(Fault::Refused(refusal(error, &self.place))),
            Value::Array(inner) => inner.iter().try_for_each(|answer| self.check(answer)),
            _ => Ok(()),
        }
    }
}

/// A word, or a number written as one.
pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

pub(super) fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

pub(super) fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Trouble with the connection, in a sentence.
fn explain(error: &RedisError, place: &str) -> StoreError {
    use StoreErrorKind::{Settings, Unavailable};
    if error.kind() == ErrorKind::AuthenticationFailed {
        let text = format!("{place} does not take the user and password that it is given: check them");
        return StoreError::new(Settings, text);
    }
    if error.is_timeout() {
        return StoreError::new(Unavailable, format!("{place} does not answer in time"));
    }
    if error.is_io_error() {
        return StoreError::new(Unavailable, format!("{place} cannot be reached: {error}"));
    }
    let kind = if error.kind() == ErrorKind::InvalidClientConfig { Settings } else { Unavailable };
    StoreError::new(kind, format!("{place}: {error}"))
}

/// What Redis says no with, in a sentence.
fn refusal(error: &ServerError, place: &str) -> StoreError {
    use StoreErrorKind::{Damaged, Io, Settings, Unavailable};
    let details = error.details().unwrap_or_default();
    let (kind, text) = match error.code() {
        "NOAUTH" => (Settings, "wants a password: give it one".into()),
        "WRONGPASS" => (Settings, "does not take the user and password that it is given: check them".into()),
        "NOPERM" => (Settings, format!("does not allow its user what a queue needs: {details}")),
        "OOM" => (
            Unavailable,
            "is full: its `maxmemory` is reached; raise that, or let the queue be worked off".into(),
        ),
        "READONLY" => (Unavailable, "is a replica that may not be written: use the primary".into()),
        "MISCONF" => (Io, format!("cannot write to its disk and takes no changes: {details}")),
        "LOADING" => (Unavailable, "is still loading its data: wait for it".into()),
        "MASTERDOWN" => (Unavailable, "is a replica that has lost its primary".into()),
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => {
            (Settings, "is part of a Redis Cluster, which cannot keep a queue: use a single Redis".into())
        }
        "WRONGTYPE" => {
            (Damaged, "has keys of the queue's names that are none of the queue's: use another prefix".into())
        }
        code => (Unavailable, format!("refuses: {code} {details}")),
    };
    StoreError::new(kind, format!("{place} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_as_redis_reads_them() {
        let mut commands = Commands::default();
        assert!(commands.is_empty());
        commands.push(&[b"GET", b"a b"]);
        commands.push_pieces(&[b"SET"], &[b"", b"x", b"\r\n"]);
        commands.push_numbers(&[b"DEL"], &[7, 10]);
        let expected = [
            "*2\r\n$3\r\nGET\r\n$3\r\na b\r\n",
            "*2\r\n$3\r\nSET\r\n$3\r\nx\r\n\r\n",
            "*3\r\n$3\r\nDEL\r\n$1\r\n7\r\n$2\r\n10\r\n",
        ];
        assert_eq!(commands.bytes, expected.concat().as_bytes());
        assert_eq!((commands.count, commands.bytes()), (3, commands.bytes.len()));
    }
}
