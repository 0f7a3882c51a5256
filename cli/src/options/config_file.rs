//! gearmand's configuration file: options as words, as on the command line.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::parse::{Rules, parse_new};
use super::{Flag, Given, Refusal, Source};

/// The largest file that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 1 << 20;

/// What the file at `path` says of the options that are not `known` from elsewhere; `None` where there is no such file.
///
/// Words are separated by spaces, CR and LF. A tab is part of a word, quotes mean nothing, and a word that belongs to no
/// option is passed over: all as in gearmand.
pub(crate) fn read(
    path: &Path,
    flags: &[&'static Flag],
    known: impl Fn(&str) -> bool,
) -> Result<Option<Vec<Given>>, Refusal> {
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
    words_of(&bytes, path, flags, known).map(Some)
}

fn words_of(
    bytes: &[u8],
    path: &Path,
    flags: &[&'static Flag],
    known: impl Fn(&str) -> bool,
) -> Result<Vec<Given>, Refusal> {
    let words: Vec<OsString> = bytes
        .split(|byte| matches!(byte, b' ' | b'\r' | b'\n'))
        .filter(|word| !word.is_empty())
        .map(|word| OsStr::from_bytes(word).to_owned())
        .collect();
    let source = Source::File(path.display().to_string());
    parse_new(flags, &words, &Rules { abbreviations: true, stray_words: true, source }, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::gearmand;

    fn said(text: &str) -> Result<Vec<(&'static str, String)>, String> {
        let given = words_of(text.as_bytes(), Path::new("f"), &gearmand::in_file(), |_| false)
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
}
