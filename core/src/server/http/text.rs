//! Bytes that peers chose, as text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// A name as text, a different one for each name: as it is where it is UTF-8 without `\x`; any other with `\xff` for what is not
/// ASCII, and `\\` for a backslash.
pub(super) fn shown(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.contains("\\x") => text.into(),
        _ => name.escape_ascii().to_string().into(),
    }
}

/// Enters a name under `key`; where its text is not the name itself, the bytes under `key_base64` as well.
pub(super) fn put_name(to: &mut Map<String, Value>, key: &str, name: &[u8]) {
    let text = shown(name);
    if text.as_bytes() != name {
        to.insert(format!("{key}_base64"), STANDARD.encode(name).into());
    }
    to.insert(key.into(), text.into());
}

/// Enters data under `key` where it is text, else under `key_base64`.
pub(super) fn put_data(to: &mut Map<String, Value>, key: &str, data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) => to.insert(key.into(), text.into()),
        Err(_) => to.insert(format!("{key}_base64"), STANDARD.encode(data).into()),
    };
}

/// The bytes that stand for `text` in the path or query of an address; `None` where an escape is not one.
pub(super) fn unescape(text: &str, plus_is_blank: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = &rest[2..];
                digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
                u8::from_str_radix(digits, 16).ok()?
            }
            b'+' if plus_is_blank => b' ',
            other => *other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_look_the_same() {
        let names: [&[u8]; 9] =
            [b"a", b"\\", b"\\\\", b"\xff", b"\\xff", b"\\\\xff", b"\xff\\", "ü".as_bytes(), b"\xc3"];
        let mut shown: Vec<_> = names.iter().map(|name| super::shown(name)).collect();
        assert_eq!(shown[1], "\\");
        assert_eq!(shown[3], "\\xff");
        assert_eq!(shown[7], "ü");
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), names.len());
    }

    #[test]
    fn escapes_are_undone_or_refused() {
        assert_eq!(unescape("a%2Fb+c%00%fF", false), Some(b"a/b+c\0\xff".to_vec()));
        assert_eq!(unescape("a+b", true), Some(b"a b".to_vec()));
        for wrong in ["%", "%1", "%zz", "a%+1", "%\u{fc}"] {
            assert_eq!(unescape(wrong, false), None, "{wrong}");
        }
    }
}
