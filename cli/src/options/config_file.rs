//! The configuration file: TOML, or gearmand's, which has options as words as on the command line.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::parse::{Place, Rules, parse_new};
use super::toml_file::{self, Told};
use super::{Flag, Given, Refusal, refuse};

/// The largest file that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 1 << 20;

/// What the file at `path` says; `None` where there is no such file. Of gearmand's words those are left out that name an option
/// `known` from elsewhere; where `helpful`, mistakes in them have their line and the nearest name.
pub(crate) fn read(
    path: &Path,
    flags: &[&'static Flag],
    helpful: bool,
    known: impl Fn(&str) -> bool,
) -> Result<Option<Told>, Refusal> {
    let bytes = match fs::metadata(path).and_then(|about| Ok((about.len(), fs::read(path)?))) {
        Ok((length, _)) if length > MAX_FILE => {
            return Err(Refusal(format!(
                "{}: a configuration file has {MAX_FILE} bytes at most",
                path.display()
            )));
        }
        Ok((_, bytes)) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Refusal(format!("Could not open configuration file. ({}: {error})", path.display())));
        }
    };
    if !is_toml(path, &bytes) {
        let given = words_of(&bytes, path, flags, helpful, known)?;
        return Ok(Some(Told { given, tables: Vec::new() }));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => toml_file::read(text, path, flags).map(Some),
        Err(_) => refuse(format!("{}: TOML is UTF-8, and this file is not", path.display())),
    }
}

/// By its name, or by its first line that is no comment: a table or `key =`, where gearmand's files have options.
fn is_toml(path: &Path, bytes: &[u8]) -> bool {
    if path.extension().is_some_and(|ending| ending == "toml") {
        return true;
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(first) = lines.find(|line| !line.is_empty() && line[0] != b'#') else { return false };
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'"' | b'\'');
    let key = first.iter().take_while(|byte| is_key(byte)).count();
    let behind = first[key..].trim_ascii_start();
    first[0] == b'[' || (key > 0 && first[0] != b'-' && behind.starts_with(b"="))
}

/// Words are separated by spaces, CR and LF. A tab is part of a word, quotes mean nothing, and a word that belongs to no
/// option is passed over: all as in gearmand.
fn words_of(
    bytes: &[u8],
    path: &Path,
    flags: &[&'static Flag],
    helpful: bool,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<Given>, Refusal> {
    let (mut words, mut lines) = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        for word in text.split(|byte| matches!(byte, b' ' | b'\r')).filter(|word| !word.is_empty()) {
            words.push(OsStr::from_bytes(word).to_owned());
            lines.push(line);
        }
    }
    let place = Place::File { path: path.display().to_string(), lines };
    parse_new(flags, &words, &Rules { abbreviations: true, stray_words: true, place, helpful }, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::gearmand;

    fn said(text: &str) -> Result<Vec<(&'static str, String)>, String> {
        let given = words_of(text.as_bytes(), Path::new("f"), &gearmand::in_file(), false, |_| false)
            .map_err(|why| why.0)?;
        Ok(given
            .into_iter()
            .map(|one| (one.name, one.value.map_or(String::new(), |v| v.into_string().unwrap())))
            .collect())
    }

    #[test]
    fn options_share_lines_and_may_be_shortened() {
        let pair = |name, value: &str| (name, value.to_owned());
        assert_eq!(
            said("--por 33\n-j 2 --verbose=INFO\r\n-dR").unwrap(),
            [
                pair("port", "33"),
                pair("job-retries", "2"),
                pair("verbose", "INFO"),
                pair("daemon", ""),
                pair("round-robin", ""),
            ]
        );
    }

    #[test]
    fn words_without_dashes_are_passed_over() {
        for text in ["# a comment\n", "port=4797\n", "#--port=1\n", "-- --port 3\n", "-\n", "--daemon 1\n"] {
            assert!(said(text).unwrap().iter().all(|(name, _)| *name == "daemon"), "{text}");
        }
        assert_eq!(said("# --port=1").unwrap(), [("port", "1".to_owned())]);
    }

    #[test]
    fn mistakes_are_named_as_gearmand_names_them() {
        let cases = [
            ("--port 1\n--port 2\n", "option '--port' cannot be specified more than once"),
            ("--nosuch\n", "unrecognised option '--nosuch'"),
            ("--check-args\n", "unrecognised option '--check-args'"),
            ("--port\t55\n", "unrecognised option '--port\t55'"),
            ("--port=\n", "the argument for option '--port' should follow immediately after the equal sign"),
            ("--port\n", "the required argument for option '--port' is missing"),
            ("--daemon=1\n", "option '--daemon' does not take any arguments"),
            (
                "--keepalive-i 3",
                "option '--keepalive-i' is ambiguous and matches '--keepalive-idle', and '--keepalive-interval'",
            ),
            ("--p 3", "option '--p' is ambiguous and matches '--pid-file', '--port', and '--protocol'"),
            ("-tfoo", "the argument ('foo') for option '--threads' is invalid"),
        ];
        for (text, message) in cases {
            assert_eq!(said(text).unwrap_err(), message);
        }
    }

    #[test]
    fn each_option_has_its_line() {
        let given =
            words_of(b"# x\n-t 3\n\n--port\n5\n", Path::new("f"), &gearmand::in_file(), false, |_| false)
                .unwrap();
        let lines: Vec<_> = given.iter().map(|one| one.source.to_string()).collect();
        assert_eq!(lines, ["file f:2", "file f:4"]);
    }

    #[test]
    fn toml_is_known_by_its_name_or_its_first_line() {
        for text in ["port = 1", "\n# --x\n  port=1", "[[rights]]\n", "\"port\" = 1"] {
            assert!(is_toml(Path::new("gearmand.conf"), text.as_bytes()), "{text}");
        }
        for text in ["", "# port = 1", "--port=1", "-p 1", "stray --port=1\nport = 1", "#--port=1", "-x = 1"]
        {
            assert!(!is_toml(Path::new("gearmand.conf"), text.as_bytes()), "{text}");
            assert!(is_toml(Path::new("x/lineshaft.toml"), text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_line_and_nearest_name_to_who_does_not_compare_them_with_gearmands() {
        for (text, why) in [
            ("-t 3\n--thred=4", "f:2: unrecognised option '--thred=4'; did you mean 'threads'?"),
            ("--port 1\n\n--port 2\n", "f:3: option '--port' cannot be specified more than once"),
            ("--threads\nx\n", "f:1: the argument ('x') for option '--threads' is invalid"),
            ("# x\n--daemon=1\n", "f:2: option '--daemon' does not take any arguments"),
        ] {
            let told = words_of(text.as_bytes(), Path::new("f"), &gearmand::in_file(), true, |_| false);
            assert_eq!(told.unwrap_err().0, why);
        }
    }
}
