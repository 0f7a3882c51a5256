//! Settings as TOML: a key for each option, by its long name, and tables for what no option can say.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::suggestion;
use super::{Flag, Given, PAIRS, Refusal, Source, Standing, Takes};

/// Tables that may stand in the file several times, `[[rights]]`.
const TABLES: [&str; 1] = ["rights"];

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The options, in the order in which they stand there.
    pub(crate) given: Vec<Given>,
    /// The tables of [`TABLES`].
    pub(crate) tables: Vec<Table>,
}

/// A table whose meaning somebody else knows.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    file: Arc<File>,
    name: &'static str,
    index: usize,
    span: Range<usize>,
}

impl Table {
    /// Reads the table by its type's `Deserialize`; `#[serde(deny_unknown_fields)]` there makes a key that is misspelt an error.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        // The reader's values borrow from the text, so that it is read once more.
        let refusal = |error: toml::de::Error| {
            self.file.refusal(error.span().unwrap_or(self.span.clone()), error.message())
        };
        let root = DeTable::parse(&self.file.text).map_err(refusal)?;
        match root.get_ref().get(self.name).and_then(|tables| tables.get_ref().get(self.index)) {
            Some(table) => T::deserialize(table.clone().into_deserializer()).map_err(refusal),
            None => Err(self.refusal("the table is gone")),
        }
    }

    /// `FILE:LINE: why`, for what is wrong with the table as a whole.
    pub(crate) fn refusal(&self, why: &str) -> Refusal {
        self.file.refusal(self.span.clone(), why)
    }
}

/// Reads a file's `text`, all of it: a mistake in a setting that something stronger overrules is a mistake as well.
pub(crate) fn read(text: &str, path: &Path, flags: &[&'static Flag]) -> Result<Told, Refusal> {
    let file = Arc::new(File { path: path.display().to_string(), text: text.to_owned() });
    let table = DeTable::parse(text)
        .map_err(|error| file.refusal(error.span().unwrap_or_default(), error.message()))?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut told = Told::default();
    for (key, value) in entries {
        let name = key.get_ref().as_ref();
        if let Some(table) = TABLES.iter().find(|table| **table == name) {
            told.tables(table, value, &file)?;
        } else if let Some(flag) = flags.iter().find(|flag| flag.long == name) {
            told.given.push(file.given(flag, value)?);
        } else {
            let seen = flags.iter().filter(|flag| flag.standing != Standing::Hidden).map(|flag| flag.long);
            let near = suggestion(name, seen.chain(TABLES));
            return Err(file.refusal(key.span(), &format!("unknown key '{}'{near}", name.escape_debug())));
        }
    }
    Ok(told)
}

impl Told {
    fn tables(
        &mut self,
        name: &'static str,
        value: &Spanned<DeValue<'_>>,
        file: &Arc<File>,
    ) -> Result<(), Refusal> {
        let wrong = |span| Err(file.refusal(span, &format!("{name} is a list of tables: write [[{name}]]")));
        let DeValue::Array(array) = value.get_ref() else { return wrong(value.span()) };
        for (index, table) in array.iter().enumerate() {
            let span = table.span();
            if !matches!(table.get_ref(), DeValue::Table(_)) {
                return wrong(span);
            }
            self.tables.push(Table { file: file.clone(), name, index, span });
        }
        Ok(())
    }
}

#[derive(Debug)]
struct File {
    path: String,
    text: String,
}

impl File {
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    fn refusal(&self, span: Range<usize>, why: &str) -> Refusal {
        Refusal(format!("{}:{}: {why}", self.path, self.line(span.start)))
    }

    fn given(&self, flag: &'static Flag, value: &Spanned<DeValue<'_>>) -> Result<Given, Refusal> {
        let name = flag.long;
        let wrong = |why: String| Err(self.refusal(value.span(), &why));
        let text = match (flag.takes, value.get_ref()) {
            (Takes::Nothing, DeValue::Boolean(true)) => None,
            (Takes::Nothing, DeValue::Boolean(false)) => Some("no".to_owned()),
            (Takes::Nothing, _) => return wrong(format!("{name} is true or false")),
            (Takes::Number { min, max, .. }, DeValue::Integer(number)) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) if (min..=max).contains(&number) => Some(number.to_string()),
                    _ => return wrong(format!("{name} is a number from {min} to {max}")),
                }
            }
            (Takes::Number { min, max, .. }, _) => {
                return wrong(format!("{name} is a number from {min} to {max}, without quotes"));
            }
            (Takes::Text(_), DeValue::String(text)) => Some(text.clone().into_owned()),
            (Takes::Text(PAIRS), DeValue::Table(pairs)) => {
                let mut list = Vec::new();
                for (key, value) in pairs {
                    let DeValue::String(text) = value.get_ref() else {
                        return Err(
                            self.refusal(value.span(), &format!("{name}.{} is a text", key.get_ref()))
                        );
                    };
                    list.push(format!("{}={text}", key.get_ref()));
                }
                Some(list.join(","))
            }
            // Ports are numbers to whoever writes them.
            (Takes::Text(_), DeValue::Integer(number)) => Some(number.to_string()),
            (Takes::Text(_), _) => return wrong(format!("{name} is a text: write it in quotes")),
        };
        let source = Source::File { path: self.path.clone(), line: self.line(value.span().start) };
        let given = Given { name, value: text.map(Into::into), source };
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::options::gearmand;

    fn told(text: &str) -> Result<Told, String> {
        read(text, Path::new("f"), &gearmand::in_file()).map_err(|why| why.0)
    }

    #[test]
    fn every_kind_of_option_has_its_type() {
        let text = "port = 4731\nlisten = \"::1\"\n\nmax-packet = 65_536\nkeepalive = true\nexceptions = false\n[log-levels]\nstore = \"debug\"\nnet = \"warn\"\n";
        let given = told(text).unwrap().given;
        let seen: Vec<_> = given
            .iter()
            .map(|one| {
                (one.name, one.value.as_deref().and_then(|value| value.to_str()), one.source.to_string())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("port", Some("4731"), "file f:1".to_owned()),
                ("listen", Some("::1"), "file f:2".to_owned()),
                ("max-packet", Some("65536"), "file f:4".to_owned()),
                ("keepalive", None, "file f:5".to_owned()),
                ("exceptions", Some("no"), "file f:6".to_owned()),
                ("log-levels", Some("net=warn,store=debug"), "file f:7".to_owned()),
            ]
        );
    }

    #[test]
    fn mistakes_have_a_line_and_the_nearest_name() {
        for (text, why) in [
            ("port = 1\nprot = 2\n", "f:2: unknown key 'prot'; did you mean 'port'?"),
            ("max_packet = 9999\n", "f:1: unknown key 'max_packet'; did you mean 'max-packet'?"),
            ("[right]\nx = 1\n", "f:1: unknown key 'right'; did you mean 'rights'?"),
            ("check-args = true\n", "f:1: unknown key 'check-args'"),
            ("[colour]\n", "f:1: unknown key 'colour'"),
            ("\nthreads = \"3\"\n", "f:2: threads is a number from 0 to 1024, without quotes"),
            ("threads = 1025\n", "f:1: threads is a number from 0 to 1024"),
            ("threads = 99999999999999999999\n", "f:1: threads is a number from 0 to 1024"),
            ("listen = true\n", "f:1: listen is a text: write it in quotes"),
            ("[listen]\nx = 1\n", "f:1: listen is a text: write it in quotes"),
            ("[log-levels]\nnet = 1\n", "f:2: log-levels.net is a text"),
            ("keepalive = 1\n", "f:1: keepalive is true or false"),
            ("rights = 1\n", "f:1: rights is a list of tables: write [[rights]]"),
            ("[rights]\n", "f:1: rights is a list of tables: write [[rights]]"),
            ("port = 1\n\nport = 2\n", "f:3: duplicate key"),
            ("# x\nlisten = ::1\n", "f:2: "),
        ] {
            let told = told(text).unwrap_err();
            assert!(told.starts_with(why), "{text:?}: {told}");
        }
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Right {
        who: String,
        #[serde(default)]
        what: Vec<String>,
    }

    #[test]
    fn tables_are_read_by_their_type() {
        let tables =
            told("[[rights]]\nwho = \"a\"\nwhat = [\"x\"]\n\n[[rights]]\nwho = 3\n\n[[rights]]\nwhy = 1\n");
        let tables = tables.unwrap().tables;
        let right = Right { who: "a".into(), what: vec!["x".into()] };
        assert_eq!(tables[0].read::<Right>(), Ok(right));
        let why = |at: usize| tables[at].read::<Right>().unwrap_err().0;
        assert!(why(1).starts_with("f:6: invalid type"), "{}", why(1));
        assert!(why(2).starts_with("f:9: unknown field `why`"), "{}", why(2));
        assert_eq!(tables[2].refusal("no").0, "f:8: no");
    }
}
