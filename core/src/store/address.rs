//! Stores by their addresses: `log:/var/lib/lineshaft/queue`, `sqlite:/var/lib/queue.db?table=jobs`.

use super::{Each, Store, StoreError, StoreErrorKind};

/// Every kind of store: how its addresses begin, and the feature of this library that it needs.
const KINDS: &[(&str, &str)] = &[
    ("log", "net"),
    ("sqlite", "sqlite"),
    ("postgres", "postgres"),
    ("postgresql", "postgres"),
    ("mysql", "mysql"),
    ("redis", "redis"),
    ("memcached", "memcached"),
    ("tokyocabinet", "tokyocabinet"),
];

type Open = fn(&Address<'_>) -> Result<Box<dyn Store>, StoreError>;

/// The kinds that this build has.
const OPEN: &[(&str, Open)] = &[
    #[cfg(feature = "net")]
    ("log", |address| {
        let [] = address.settings([])?;
        Ok(Box::new(super::Log::open(super::LogSettings::at(address.place))?))
    }),
    #[cfg(feature = "postgres")]
    ("postgres", super::postgres::open),
    #[cfg(feature = "postgres")]
    ("postgresql", super::postgres::open),
    #[cfg(feature = "mysql")]
    ("mysql", super::mysql::open),
    #[cfg(feature = "sqlite")]
    ("sqlite", super::Sqlite::open_address),
    #[cfg(feature = "redis")]
    ("redis", super::Redis::open_address),
    #[cfg(feature = "memcached")]
    ("memcached", super::Memcached::open_address),
    #[cfg(feature = "tokyocabinet")]
    ("tokyocabinet", super::TokyoCabinet::open_address),
];

type Read = fn(&Address<'_>, Each<'_>) -> Result<(), StoreError>;

/// The kinds that can be read without any change, not even that of gearmand's jobs into ours.
const READ: &[(&str, Read)] = &[
    #[cfg(feature = "net")]
    ("log", |address, each| {
        let [] = address.settings([])?;
        super::Log::read(address.place.as_ref(), each).map(drop)
    }),
    #[cfg(feature = "postgres")]
    ("postgres", super::postgres::read),
    #[cfg(feature = "postgres")]
    ("postgresql", super::postgres::read),
    #[cfg(feature = "mysql")]
    ("mysql", super::mysql::read),
    #[cfg(feature = "sqlite")]
    ("sqlite", super::Sqlite::read_address),
    #[cfg(feature = "redis")]
    ("redis", super::Redis::read_address),
    #[cfg(feature = "memcached")]
    ("memcached", super::Memcached::read_address),
    #[cfg(feature = "tokyocabinet")]
    ("tokyocabinet", super::TokyoCabinet::read_address),
];

/// Opens the store at `address`, and makes it where there is none: its kind, a colon, its place, and for some kinds settings
/// behind a question mark.
///
/// | address | store |
/// | --- | --- |
/// | `log:FOLDER` | our own log, in a folder of its own |
/// | `sqlite:FILE[?table=NAME]` | SQLite; the table is the one of gearmand's whose jobs are taken over, `gearman_queue` |
/// | `postgres://USER:PASSWORD@HOST:PORT/DATABASE[?table=NAME]` | PostgreSQL; gearmand's table is `queue`; further settings are libpq's |
/// | `mysql://USER:PASSWORD@HOST:PORT/DATABASE[?table=NAME&socket=FILE]` | MySQL or MariaDB; gearmand's table is `gearman_queue` |
/// | `redis://USER:PASSWORD@HOST:PORT/DATABASE[?prefix=TEXT]`, `redis:///SOCKET` | Redis or Valkey; gearmand's keys begin with `_gear_` |
/// | `memcached://HOST:PORT,HOST:PORT[?prefix=TEXT]` | memcached; gearmand's keys begin with `gear_` |
/// | `tokyocabinet:FILE` | a file that gearmand's plug-in for Tokyo Cabinet has written; only read |
///
/// Paths are taken as they are, up to the question mark.
///
/// # Errors
/// [`StoreErrorKind::Settings`] for an address that cannot be read, and for a kind that this build lacks; else what the
/// store says.
pub fn open(address: &str) -> Result<Box<dyn Store>, StoreError> {
    let address = Address::parse(address)?;
    match OPEN.iter().find(|(kind, _)| *kind == address.kind) {
        Some((_, open)) => open(&address),
        None => Err(address.absent()),
    }
}

/// Hands everything in the store at `address` to `each`, as [`Store::replay`] does, and changes nothing where its kind can be
/// read so: jobs of gearmand's stay where they are, and have the numbers that they would get. Other kinds are opened for it.
///
/// # Errors
/// As [`open`]; where there is no store, none is made by kinds that can be read without a change. Those of `each`.
pub fn read(address: &str, each: Each<'_>) -> Result<(), StoreError> {
    let parts = Address::parse(address)?;
    match READ.iter().find(|(kind, _)| *kind == parts.kind) {
        Some((_, read)) => read(&parts, each),
        None => open(address)?.replay(each),
    }
}

/// An address in its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address<'a> {
    /// All of it. It may hold a password.
    #[allow(dead_code, reason = "stores whose addresses are URLs read it, and a build may have none")]
    pub(super) whole: &'a str,
    /// Before the colon.
    kind: &'a str,
    /// Between the colon and the question mark.
    #[allow(dead_code, reason = "a build may have no store that reads it")]
    pub(super) place: &'a str,
    /// Behind the question mark.
    settings: &'a str,
}

impl<'a> Address<'a> {
    pub(super) fn parse(whole: &'a str) -> Result<Self, StoreError> {
        // What is no address at all may still be a password: it is not printed.
        let (kind, rest) = whole.split_once(':').ok_or_else(|| {
            let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
            settings(format!(
                "the address of a store is its kind, a colon and its place, such as log:/var/lib/queue; kinds are {}",
                kinds.join(", ")
            ))
        })?;
        let (place, settings) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(Self { whole, kind, place, settings })
    }

    fn absent(&self) -> StoreError {
        let kind = self.kind.escape_debug();
        match KINDS.iter().find(|(known, _)| *known == self.kind) {
            Some((_, feature)) => settings(format!(
                "this build has no store `{kind}`: build lineshaft with the feature `{feature}`"
            )),
            None => {
                let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
                settings(format!("`{kind}` is no kind of store; there are {}", kinds.join(", ")))
            }
        }
    }

    /// The settings behind the question mark, `name=value` with `&` between them, in the order of `names`; `%2F` and the like
    /// stand for bytes.
    ///
    /// # Errors
    /// A name that `names` does not have, one that comes twice, and a value that is not UTF-8.
    #[allow(dead_code, reason = "a build may have no store that reads it")]
    pub(super) fn settings<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[Option<String>; N], StoreError> {
        let mut values = [const { None }; N];
        for setting in self.settings.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let Some(at) = names.iter().position(|known| *known == name) else {
                let (kind, name) = (self.kind, name.escape_debug());
                return Err(settings(format!("a store `{kind}` has no setting `{name}`; it has {names:?}")));
            };
            let value = String::from_utf8(unescape(value.as_bytes())).map_err(|_| {
                settings(format!("the setting `{name}` of a store `{}` is not UTF-8", self.kind))
            })?;
            if values[at].replace(value).is_some() {
                return Err(settings(format!("the setting `{name}` of a store `{}` comes twice", self.kind)));
            }
        }
        Ok(values)
    }

    /// The whole address without the setting `name`, and the value of that: the others are somebody else's.
    ///
    /// # Errors
    /// As of [`Address::settings`], of this one alone.
    #[cfg(feature = "postgres")]
    pub(super) fn without(&self, name: &str) -> Result<(String, Option<String>), StoreError> {
        let (own, others): (Vec<&str>, Vec<&str>) = self
            .settings
            .split('&')
            .filter(|setting| !setting.is_empty())
            .partition(|setting| setting.split('=').next() == Some(name));
        let own = Address { settings: &own.join("&"), ..*self }.settings([name])?;
        let rest = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        let [value] = own;
        Ok((format!("{}:{}{rest}", self.kind, self.place), value))
    }
}

fn settings(text: String) -> StoreError {
    StoreError::new(StoreErrorKind::Settings, text)
}

/// Puts bytes where `%` and two digits stand.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        (rest, _) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => (&behind[2..], bytes.push((high * 16 + low) as u8)),
            _ => (behind, bytes.push(*first)),
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(address: &str) -> String {
        match open(address) {
            Ok(store) => panic!("{address} has opened {}", store.describe()),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Settings);
                error.to_string()
            }
        }
    }

    #[test]
    fn what_is_no_address_says_how_one_looks() {
        assert!(error("secret").starts_with("the address of a store is its kind, a colon and its place"));
        assert!(!error("secret").contains("secret"));
        assert!(
            error("mongodb://user:secret@host/").starts_with("`mongodb` is no kind of store; there are log")
        );
        assert!(!error("mongodb://user:secret@host/").contains("secret"));
    }

    #[test]
    fn kinds_have_one_name_each_and_those_of_this_build_are_among_them() {
        for (at, (kind, _)) in KINDS.iter().enumerate() {
            assert!(KINDS[..at].iter().all(|(other, _)| other != kind), "{kind}");
            let address = Address::parse(kind).map(|_| ()).expect_err("there is no colon");
            assert!(address.to_string().contains(kind));
        }
        assert!(OPEN.iter().all(|(kind, _)| KINDS.iter().any(|(known, _)| known == kind)));
        for (kind, feature) in KINDS.iter().filter(|(kind, _)| OPEN.iter().all(|(here, _)| here != kind)) {
            let text = error(&format!("{kind}:somewhere"));
            assert!(text.ends_with(&format!("build lineshaft with the feature `{feature}`")), "{text}");
        }
    }

    #[test]
    fn settings_are_found_by_name() {
        let settings = |text| Address::parse(text)?.settings(["table", "size"]);
        assert_eq!(settings("x:/p"), Ok([None, None]));
        assert_eq!(settings("x:/p?table=a%20%2f%zz"), Ok([Some("a /%zz".into()), None]));
        assert_eq!(settings("x:/p?size=&table=1=2"), Ok([Some("1=2".into()), Some(String::new())]));
        for bad in ["x:/p?tabel=a", "x:/p?table=a&table=a", "x:/p?table=%ff"] {
            let text = settings(bad).expect_err(bad).to_string();
            assert!(text.contains("tab") && text.contains("`x`"), "{text}");
        }
        #[cfg(feature = "postgres")]
        {
            let without = |text| Address::parse(text)?.without("table");
            let all = "postgres://u:p@h/d?sslmode=disable&table=a%20b&options=x";
            let rest = "postgres://u:p@h/d?sslmode=disable&options=x";
            assert_eq!(without(all), Ok((rest.to_owned(), Some("a b".to_owned()))));
            assert_eq!(without("x:/p?table=a"), Ok(("x:/p".to_owned(), Some("a".to_owned()))));
            assert_eq!(without("x:/p?a=b"), Ok(("x:/p?a=b".to_owned(), None)));
            assert!(without("x:/p?table=a&table=a").is_err());
        }
        let place = Address::parse("x:/p:q?table=a").map(|address| (address.whole, address.place));
        assert_eq!(place, Ok(("x:/p:q?table=a", "/p:q")));
    }
}
