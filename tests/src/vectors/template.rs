//! The hex templates of the vectors: bytes with places for lengths and job handles.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// Job handles by the names that a vector gives them.
pub(super) type Handles = BTreeMap<String, Vec<u8>>;

/// The longest handle, in bytes.
const HANDLE_MAX: usize = 63;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `<len>`: four bytes that count what follows, up to `<end>` or the end of the template.
    Len,
    /// `<end>`
    End,
    /// `<h:NAME>`
    Handle(String),
    /// `<any>`: whatever is left.
    Any,
}

/// A hex template.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Token>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let length;
            if rest.starts_with('<') {
                length = rest.find('>').with_context(|| format!("`{rest}` has no `>`"))? + 1;
                tokens.push(match &rest[1..length - 1] {
                    "len" => Token::Len,
                    "end" => Token::End,
                    "any" => Token::Any,
                    name => match name.strip_prefix("h:") {
                        Some(name) => Token::Handle(name.to_owned()),
                        None => bail!("no token <{name}>"),
                    },
                });
            } else {
                length = 2;
                let digits = rest.get(..2).with_context(|| format!("half a byte: `{rest}`"))?;
                let byte =
                    u8::from_str_radix(digits, 16).with_context(|| format!("`{digits}` is no byte"))?;
                tokens.push(Token::Byte(byte));
            }
            rest = rest[length..].trim_start();
        }
        Ok(Self(tokens))
    }

    /// The bytes to send.
    ///
    /// # Errors
    /// When a handle has not been captured yet.
    pub(super) fn build(&self, handles: &Handles) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut counted_from = None;
        for token in self.0.iter().chain([&Token::End]) {
            match token {
                Token::Byte(byte) => bytes.push(*byte),
                Token::Len => {
                    bytes.extend_from_slice(&[0; 4]);
                    counted_from = Some(bytes.len());
                }
                Token::End => {
                    if let Some(from) = counted_from.take() {
                        let length = u32::try_from(bytes.len() - from).context("a packet of 4 GiB")?;
                        bytes[from - 4..from].copy_from_slice(&length.to_be_bytes());
                    }
                }
                Token::Handle(name) => {
                    let handle =
                        handles.get(name).with_context(|| format!("handle {name} is not known yet"))?;
                    bytes.extend_from_slice(handle);
                }
                Token::Any => bail!("<any> cannot be sent"),
            }
        }
        Ok(bytes)
    }

    /// Compares a packet; the handles that it brings, where it matches. A handle ends before a NUL or with the packet.
    ///
    /// # Errors
    /// When the template is one for sending.
    pub(super) fn matches(&self, packet: &[u8], handles: &Handles) -> Result<Option<Handles>> {
        let mut new = Handles::new();
        let mut rest = packet;
        for token in &self.0 {
            let length = match token {
                Token::Byte(byte) if rest.first() == Some(byte) => 1,
                Token::Byte(_) => return Ok(None),
                Token::Len => 4,
                Token::Any => rest.len(),
                Token::End => bail!("<end> cannot be expected"),
                Token::Handle(name) => match handles.get(name).or_else(|| new.get(name)) {
                    Some(known) if rest.starts_with(known) => known.len(),
                    Some(_) => return Ok(None),
                    None => {
                        let length = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
                        if !(1..=HANDLE_MAX).contains(&length) {
                            return Ok(None);
                        }
                        new.insert(name.clone(), rest[..length].to_vec());
                        length
                    }
                },
            };
            let Some(after) = rest.get(length..) else { return Ok(None) };
            rest = after;
        }
        Ok(rest.is_empty().then_some(new))
    }
}

/// Puts handles into a text with `<h:NAME>` in it; `escape` is applied to each.
///
/// # Errors
/// When a handle has not been captured yet.
pub(super) fn fill(text: &str, handles: &Handles, escape: impl Fn(&str) -> String) -> Result<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<h:") {
        let (name, after) = after.split_once('>').with_context(|| format!("`{rest}` has no `>`"))?;
        let handle = handles.get(name).with_context(|| format!("handle {name} is not known yet"))?;
        filled.push_str(before);
        filled.push_str(&escape(&latin1(handle)));
        rest = after;
    }
    ensure!(!rest.contains("<h:"), "`{text}` has an open <h:");
    filled.push_str(rest);
    Ok(filled)
}

/// One character a byte.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::{Handles, Template};

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    #[test]
    fn lengths_count_up_to_their_end() {
        let handles = Handles::from([("j".to_owned(), b"H:1".to_vec())]);
        let bytes = template("00 <len> <h:j> 00 <end> <len> 41").build(&handles).expect("bytes");
        assert_eq!(bytes, b"\0\0\0\0\x04H:1\0\0\0\0\x01A");
    }

    #[test]
    fn a_handle_is_captured_once_and_compared_afterwards() {
        let none = Handles::new();
        let captured = template("08 <h:j> 00 <h:j>").matches(b"\x08H:1\0H:1", &none).expect("a verdict");
        assert_eq!(captured, Some(Handles::from([("j".to_owned(), b"H:1".to_vec())])));
        assert_eq!(template("08 <h:j> 00 <h:j>").matches(b"\x08H:1\0H:2", &none).expect("a verdict"), None);
        assert_eq!(template("08 <h:j>").matches(b"\x08", &none).expect("a verdict"), None);
        assert_eq!(template("08 <h:j>").matches(&[8; 65], &none).expect("a verdict"), None);
    }

    #[test]
    fn the_whole_packet_must_match() {
        let none = Handles::new();
        let matches = |text, packet| template(text).matches(packet, &none).expect("a verdict").is_some();
        assert!(matches("41 42", b"AB"));
        assert!(!matches("41 42", b"ABC"));
        assert!(!matches("41 42", b"A"));
        assert!(matches("41 <any>", b"ABC"));
        assert!(!matches("<len>", b"ABC"));
    }
}
