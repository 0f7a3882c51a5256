//! Reads a command line by a table, with the rules of gearmand and gearadmin.
//!
//! Both read all words first, then store them: a word that nobody knows is reported before a bad value in front of it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::nearest::suggestion;
use super::{Flag, Given, Refusal, Source, Takes, refuse};

/// What differs between the places in which options stand.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// A long name may be shortened as long as one option alone begins so.
    pub(crate) abbreviations: bool,
    /// Words that belong to no option are passed over; else they are errors.
    pub(crate) stray_words: bool,
    /// Where the words stand.
    pub(crate) place: Place,
    /// Mistakes are told with the line and the nearest name, not in gearmand's words alone.
    pub(crate) helpful: bool,
}

/// Where words stand.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On the command line.
    CommandLine,
    /// In this file, each in its line.
    File {
        /// The file's path.
        path: String,
        /// A line for each word.
        lines: Vec<usize>,
    },
}

impl Place {
    fn of(&self, word: usize) -> Source {
        match self {
            Self::CommandLine => Source::CommandLine,
            Self::File { path, lines } => {
                let line = lines.get(word).copied().unwrap_or_default();
                Source::File { path: path.clone(), line }
            }
        }
    }
}

impl Rules {
    /// What is wrong with a word, in gearmand's words; behind its place and before the nearest name where these are wanted.
    fn tell(&self, Refusal(why): Refusal, source: &Source, word: &OsStr, flags: &[&'static Flag]) -> Refusal {
        let Source::File { path, line } = source else { return Refusal(why) };
        if !self.helpful {
            return Refusal(why);
        }
        let name = word.to_str().and_then(|word| word.strip_prefix("--")).unwrap_or_default();
        let name = name.split('=').next().unwrap_or_default();
        let near = match flags.iter().any(|flag| flag.long == name) {
            true => String::new(),
            false => suggestion(name, flags.iter().map(|flag| flag.long)),
        };
        Refusal(format!("{path}:{line}: {why}{near}"))
    }

    /// Those of gearmand's command line.
    pub(crate) const GEARMAND: Self =
        Self { abbreviations: false, stray_words: false, place: Place::CommandLine, helpful: false };
}

/// The options that stand in `words`, in their order. Values have been checked; an option that stands there twice is
/// an error.
pub(crate) fn parse(
    flags: &[&'static Flag],
    words: &[OsString],
    rules: &Rules,
) -> Result<Vec<Given>, Refusal> {
    parse_new(flags, words, rules, |_| false)
}

/// As [`parse`], without the options that are `known` from elsewhere: their values do not count and are not looked at.
pub(crate) fn parse_new(
    flags: &[&'static Flag],
    words: &[OsString],
    rules: &Rules,
    known: impl Fn(&str) -> bool,
) -> Result<Vec<Given>, Refusal> {
    let mut parser =
        Parser { flags, rules, words: words.iter(), source: Source::CommandLine, given: Vec::new() };
    while let Some(word) = parser.words.next() {
        parser.source = rules.place.of(words.len() - parser.words.len() - 1);
        parser.word(word).map_err(|refusal| rules.tell(refusal, &parser.source, word, flags))?;
    }
    let mut given: Vec<Given> = Vec::new();
    for (flag, one) in parser.given.into_iter().filter(|(flag, _)| !known(flag.long)) {
        if given.iter().any(|other| other.name == one.name) {
            let why = format!("option '{}' cannot be specified more than once", flag.name());
            return Err(rules.tell(Refusal(why), &one.source, OsStr::new(""), flags));
        }
        check(flag, &one).map_err(|refusal| rules.tell(refusal, &one.source, OsStr::new(""), flags))?;
        given.push(one);
    }
    Ok(given)
}

/// Refuses a number that is none, or out of its range.
pub(crate) fn check(flag: &Flag, given: &Given) -> Result<(), Refusal> {
    let (Takes::Number { min, max, .. }, Some(value)) = (flag.takes, &given.value) else { return Ok(()) };
    let name = flag.name();
    match number(value) {
        Some(number) if (min..=max).contains(&number) => Ok(()),
        _ if value.is_empty() => refuse(format!("the argument for option '{name}' is invalid")),
        _ => refuse(format!("the argument ('{}') for option '{name}' is invalid", value.display())),
    }
}

/// A decimal number with an optional sign, nothing around it.
pub(crate) fn number(value: &OsStr) -> Option<i64> {
    value.to_str()?.parse().ok()
}

struct Parser<'a> {
    flags: &'a [&'static Flag],
    rules: &'a Rules,
    words: std::slice::Iter<'a, OsString>,
    /// Where the word stands that is being read.
    source: Source,
    given: Vec<(&'static Flag, Given)>,
}

impl Parser<'_> {
    fn word(&mut self, word: &OsString) -> Result<(), Refusal> {
        match word.as_bytes() {
            b"--" => {
                self.words.by_ref().as_slice().iter().try_for_each(|stray| self.stray(stray)).inspect(|()| {
                    self.words = [].iter();
                })
            }
            [b'-', b'-', name @ ..] => self.long(word, name),
            [b'-', letters @ ..] if !letters.is_empty() => self.letters(word, letters),
            _ => self.stray(word),
        }
    }

    fn stray(&self, word: &OsStr) -> Result<(), Refusal> {
        match self.rules.stray_words {
            true => Ok(()),
            false if word.is_empty() => refuse("unrecognised option"),
            false => unrecognised(word),
        }
    }

    /// `--name`, `--name=value` or `--name value`.
    fn long(&mut self, word: &OsStr, text: &[u8]) -> Result<(), Refusal> {
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let flag = match self.find(name)? {
            Some(flag) => flag,
            None => return unrecognised(word),
        };
        let name = flag.name();
        match (flag.takes, value) {
            (_, Some(b"")) => refuse(format!(
                "the argument for option '{name}' should follow immediately after the equal sign"
            )),
            (Takes::Nothing, Some(_)) => refuse(format!("option '{name}' does not take any arguments")),
            (Takes::Nothing, None) => self.give(flag, None),
            (_, Some(value)) => self.give(flag, Some(OsStr::from_bytes(value).into())),
            (_, None) => self.give_next(flag),
        }
    }

    /// `-x`, `-xvalue`, `-x value`, or switches in a group that may end with an option that takes a value.
    fn letters(&mut self, word: &OsStr, letters: &[u8]) -> Result<(), Refusal> {
        let mut group = Vec::new();
        for (at, letter) in letters.iter().enumerate() {
            let Some(flag) = self.flags.iter().find(|flag| flag.short == Some(char::from(*letter))) else {
                return unrecognised(word);
            };
            if flag.takes == Takes::Nothing {
                group.push(*flag);
                continue;
            }
            let value = &letters[at + 1..];
            group.into_iter().try_for_each(|switch| self.give(switch, None))?;
            return match value {
                b"" => self.give_next(flag),
                value => self.give(flag, Some(OsStr::from_bytes(value).into())),
            };
        }
        group.into_iter().try_for_each(|switch| self.give(switch, None))
    }

    fn find(&self, name: &[u8]) -> Result<Option<&'static Flag>, Refusal> {
        let named = |flag: &&&'static Flag| !flag.long.is_empty() && flag.long.as_bytes() == name;
        if let Some(flag) = self.flags.iter().find(named) {
            return Ok(Some(flag));
        }
        if !self.rules.abbreviations || name.is_empty() {
            return Ok(None);
        }
        let mut matches: Vec<_> =
            self.flags.iter().copied().filter(|flag| flag.long.as_bytes().starts_with(name)).collect();
        matches.sort_by_key(|flag| flag.long);
        match &matches[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            [first @ .., last] => {
                let first: String = first.iter().map(|flag| format!("'{}', ", flag.name())).collect();
                let typed = name.escape_ascii();
                refuse(format!("option '--{typed}' is ambiguous and matches {first}and '{}'", last.name()))
            }
        }
    }

    /// The value is the next word, unless that is an option itself: then it has been forgotten.
    fn give_next(&mut self, flag: &'static Flag) -> Result<(), Refusal> {
        match self.words.clone().next() {
            Some(value) if !self.is_option(value) => {
                self.words.next();
                self.give(flag, Some(value.clone()))
            }
            _ => refuse(format!("the required argument for option '{}' is missing", flag.name())),
        }
    }

    fn is_option(&self, word: &OsStr) -> bool {
        match word.as_bytes() {
            [b'-', b'-', name @ ..] => {
                self.flags.iter().any(|flag| flag.long.as_bytes() == name && !name.is_empty())
            }
            [b'-', letter] => self.flags.iter().any(|flag| flag.short == Some(char::from(*letter))),
            _ => false,
        }
    }

    fn give(&mut self, flag: &'static Flag, value: Option<OsString>) -> Result<(), Refusal> {
        self.given.push((flag, Given { name: flag.long, value, source: self.source.clone() }));
        Ok(())
    }
}

fn unrecognised<T>(word: &OsStr) -> Result<T, Refusal> {
    refuse(format!("unrecognised option '{}'", word.display()))
}
