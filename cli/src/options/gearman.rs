//! The options of gearman: letters only, read as getopt reads them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::{Flag, Refusal, Takes, flag, refuse};

const BOTH: &str = "Common options to both client and worker modes.";
const CLIENT: &str = "Client options:";
const WORKER: &str = "Worker options:";

static GEARMAN: &[Flag] = &[
    flag("", 'f', "Function name to use for jobs (can give many)").text("function").group(BOTH),
    flag("", 'h', "Job server host").text("host").group(BOTH),
    flag("", 'H', "Print this help menu").group(BOTH),
    flag("", 'v', "Print diagnostic information to stdout").group(BOTH),
    flag("", 'p', "Job server port").text("port").group(BOTH),
    flag("", 't', "Timeout in milliseconds").text("timeout").group(BOTH),
    flag("", 'i', "Create a pidfile for the process").text("pidfile").group(BOTH),
    flag("", 'S', "Speak TLS, with the files that GEARMAND_CA_CERTIFICATE, GEARMAN_CLIENT_PEM and GEARMAN_CLIENT_KEY name").group(BOTH),
    flag("", 'd', "Run in the background, away from the terminal").group(BOTH),
    flag("", 'b', "Run jobs in the background").group(CLIENT),
    flag("", 'I', "Run jobs as high priority").group(CLIENT),
    flag("", 'L', "Run jobs as low priority").group(CLIENT),
    flag("", 'n', "Run one job per line").group(CLIENT),
    flag("", 'N', "Same as -n, but strip off the newline").group(CLIENT),
    flag("", 'P', "Prefix all output with function names").group(CLIENT),
    flag("", 's', "Send job without reading from standard input").group(CLIENT),
    flag("", 'u', "Unique key to use for job").text("unique").group(CLIENT),
    flag("", 'c', "Number of jobs for worker to run before exiting").text("count").group(WORKER),
    flag("", 'n', "Send data packet for each line").group(WORKER),
    flag("", 'N', "Same as -n, but strip off the newline").group(WORKER),
    flag("", 'w', "Run in worker mode").group(WORKER),
];

/// What a command line of gearman says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The options in their order; an empty value for a switch.
    pub(crate) options: Vec<(char, OsString)>,
    /// What is no option: workloads, or the worker's command.
    pub(crate) words: Vec<OsString>,
}

impl Line {
    /// True where the option is there.
    pub(crate) fn has(&self, letter: char) -> bool {
        self.options.iter().any(|(given, _)| *given == letter)
    }
}

/// All options, each letter once.
pub(crate) fn by_letter() -> Vec<&'static Flag> {
    let first = |at: usize, flag: &Flag| GEARMAN[..at].iter().all(|earlier| earlier.short != flag.short);
    GEARMAN.iter().enumerate().filter(|(at, flag)| first(*at, flag)).map(|(_, flag)| flag).collect()
}

/// Reads `words` as getopt does: options may stand behind other words, until `--`.
pub(crate) fn parse(words: &[OsString]) -> Result<Line, Refusal> {
    let mut line = Line::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--" => {
                line.words.extend(words.by_ref().cloned());
            }
            [b'-', letters @ ..] if !letters.is_empty() => group(&mut line, letters, &mut words)?,
            _ => line.words.push(word.clone()),
        }
    }
    Ok(line)
}

/// The letters of one word: switches, then perhaps an option with its value, which may be the next word.
fn group(line: &mut Line, letters: &[u8], rest: &mut std::slice::Iter<'_, OsString>) -> Result<(), Refusal> {
    for (at, byte) in letters.iter().enumerate() {
        let letter = char::from(*byte);
        let Some(flag) = GEARMAN.iter().find(|flag| flag.short == Some(letter)) else {
            return refuse(format!("unknown option -{}", byte.escape_ascii()));
        };
        if flag.takes == Takes::Nothing {
            line.options.push((letter, OsString::new()));
            continue;
        }
        let value = match &letters[at + 1..] {
            b"" => rest.next().cloned(),
            value => Some(OsStr::from_bytes(value).to_owned()),
        };
        let Some(value) = value else { return refuse(format!("-{letter} needs a value")) };
        line.options.push((letter, value));
        break;
    }
    Ok(())
}

/// What gearman prints where it was called wrongly, or with -H.
pub(crate) fn usage(program: &str, why: &str) -> String {
    let mut text = format!(
        "\n{program}\tError in usage({why}).\n\n\
         Client mode: {program} [options] [<data>]\n\
         Worker mode: {program} -w [options] [<command> [<args> ...]]\n"
    );
    for group in [BOTH, CLIENT, WORKER] {
        text.push_str(&format!("\n{group}\n"));
        for flag in GEARMAN.iter().filter(|flag| flag.group == group) {
            let value = if let Takes::Text(name) = flag.takes { format!("<{name}>") } else { String::new() };
            text.push_str(&format!("\t{} {value:<10} - {}\n", flag.name(), flag.help));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Standing;

    fn line(words: &[&str]) -> Result<Line, String> {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>()).map_err(|why| why.0)
    }

    fn options(words: &[&str]) -> Vec<(char, String)> {
        let line = line(words).unwrap();
        line.options.into_iter().map(|(letter, value)| (letter, value.into_string().unwrap())).collect()
    }

    #[test]
    fn every_letter_is_read_as_its_row_says() {
        for flag in GEARMAN.iter().filter(|flag| flag.standing == Standing::Works) {
            let letter = flag.short.unwrap();
            if flag.takes == Takes::Nothing {
                assert_eq!(options(&[&format!("-{letter}")]), [(letter, String::new())]);
                assert_eq!(line(&[&format!("-{letter}"), "word"]).unwrap().words, ["word"]);
            } else {
                assert_eq!(options(&[&format!("-{letter}"), "5"]), [(letter, "5".to_owned())]);
                assert_eq!(options(&[&format!("-{letter}5")]), [(letter, "5".to_owned())]);
                assert_eq!(line(&[&format!("-{letter}")]).unwrap_err(), format!("-{letter} needs a value"));
            }
        }
    }

    #[test]
    fn options_may_follow_words_until_two_dashes() {
        let line = line(&["-wf", "wc", "x", "-c5", "--", "wc", "-l"]).unwrap();
        assert_eq!(line.words, ["x", "wc", "-l"]);
        assert_eq!(line.options, [('w', "".into()), ('f', "wc".into()), ('c', "5".into())]);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        assert_eq!(line(&["-bz"]).unwrap_err(), "unknown option -z");
        assert_eq!(line(&["--help"]).unwrap_err(), "unknown option --");
    }

    #[test]
    fn the_usage_names_every_letter() {
        let text = usage("gearman", "x");
        assert!(text.starts_with("\ngearman\tError in usage(x).\n"));
        assert!(text.contains("\n\t-f <function> - Function name"), "{text}");
        assert!(text.contains("\n\t-H            - Print"), "{text}");
        assert!(GEARMAN.iter().all(|flag| text.contains(&format!("\t{} ", flag.name()))));
    }
}
