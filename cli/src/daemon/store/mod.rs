//! Where the daemon keeps background jobs: `--store` in our words, `--queue-type` and its options in gearmand's.

mod memcached;
mod mysql;
mod postgres;
mod redis;
mod sqlite;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use lineshaft::server::StoreWhen;
use lineshaft::store::{self, Each, Postgres, Store, StoreError};

use crate::options::choices::Choices;
use crate::options::{Refusal, Source, refuse};
use crate::surroundings::variable;

/// Opens a store when the daemon is ready for it: it may have become another user by then.
pub(super) type Open = Box<dyn Fn() -> Result<Box<dyn Store>, StoreError> + Send>;

/// Reads one environment variable.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Reads the options of one kind of store.
type Read = fn(&Choices, Variable<'_>) -> Result<Open, Refusal>;

/// The kinds that `--queue-type` names, beside `builtin` and `log`.
const QUEUES: &[(&str, Read)] = &[
    ("libsqlite3", sqlite::read),
    ("MySQL", mysql::by_options),
    ("Postgres", postgres::by_options),
    ("redis", redis::read),
    ("libmemcached", memcached::read),
];

/// gearmand's queues that are not served from, and what to do instead.
const NOT_SERVED: &[(&str, &str)] = &[
    (
        "libtokyocabinet",
        "its files are only read: run `lineshaft queue import tokyocabinet:FILE log:FOLDER`, then --store log:FOLDER",
    ),
    (
        "libdrizzle",
        "there is no Drizzle any more; its table is MySQL's: import it into MySQL or MariaDB and use --queue-type MySQL",
    ),
];

/// Where jobs are kept, and when they are stored.
pub(crate) struct Queue {
    open: Option<Open>,
    pub(crate) when: StoreWhen,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.open.is_some() { "store" } else { "memory" };
        f.debug_struct("Queue").field("kind", &kind).field("when", &self.when).finish()
    }
}

impl Queue {
    /// Reads what has been chosen; `variable` reads the environment.
    pub(super) fn read(choices: &Choices, variable: Variable<'_>) -> Result<Self, Refusal> {
        let when = match choices.is_set("store-queue-on-shutdown") {
            true => StoreWhen::Stopped,
            false => StoreWhen::Submitted,
        };
        let is_said = |name| choices.find(name).is_some_and(|given| given.source != Source::Default);
        let open = match (is_said("store"), is_said("queue-type")) {
            (true, true) => {
                return refuse("--store and --queue-type both say where jobs are kept: give one of them");
            }
            (_, false) => by_address(choices.text("store")?.unwrap_or("memory"), choices, variable)?,
            (false, true) => by_name(choices.text("queue-type")?.unwrap_or_default(), choices, variable)?,
        };
        Ok(Self { open, when })
    }

    /// Opens the store; `None` where jobs end with the server.
    pub(super) fn open(&self) -> Result<Option<Box<dyn Store>>, StoreError> {
        self.open.as_ref().map(|open| open()).transpose()
    }
}

/// Opens the store at an address; what PostgreSQL's leaves out is taken from the environment.
///
/// # Errors
/// Those of [`store::open`].
pub(crate) fn open(address: &str) -> Result<Box<dyn Store>, StoreError> {
    match postgres::at(address, &variable) {
        Some(settings) => Ok(Box::new(Postgres::open(&settings?)?)),
        None => store::open(address),
    }
}

/// Hands out what is in the store at an address, as [`open`] finds it.
///
/// # Errors
/// Those of [`store::read`].
pub(crate) fn read(address: &str, each: Each<'_>) -> Result<(), StoreError> {
    match postgres::at(address, &variable) {
        Some(settings) => Postgres::read(&settings?, each),
        None => store::read(address, each),
    }
}

fn by_address(address: &str, choices: &Choices, variable: Variable<'_>) -> Result<Option<Open>, Refusal> {
    let address = match address {
        "memory" => return Ok(None),
        "log" => format!("log:{}", folder(choices, variable)?),
        address if postgres::is_ours(address) => return postgres::by_address(address, variable).map(Some),
        address => address.to_owned(),
    };
    Ok(Some(Box::new(move || store::open(&address))))
}

fn by_name(name: &str, choices: &Choices, variable: Variable<'_>) -> Result<Option<Open>, Refusal> {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "builtin" => return Ok(None),
        "log" => return by_address("log", choices, variable),
        _ => {}
    }
    if let Some((_, why)) = NOT_SERVED.iter().find(|(kind, _)| *kind == lower) {
        return refuse(format!("--queue-type {name} cannot be used: {why}"));
    }
    match QUEUES.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(&lower)) {
        Some((_, read)) => read(choices, variable).map(Some),
        None => refuse(format!("Error while initializing the queue : {name}")),
    }
}

/// The user that the process is, for databases whose user nobody names.
fn system_user() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
    user.ok().flatten().map(|user| user.name)
}

/// The folder of the log where nobody names one: below the state directory of the service or the user, one for each port.
fn folder(choices: &Choices, variable: Variable<'_>) -> Result<String, Refusal> {
    let below = |name: &str, path: &str| variable(name).map(|place| PathBuf::from(place).join(path));
    // systemd names several, separated by colons; ours is the first.
    let service = below("STATE_DIRECTORY", "").map(|places| {
        let text = places.to_string_lossy();
        PathBuf::from(text.split(':').next().unwrap_or_default().trim_end_matches('/'))
    });
    let user = below("XDG_STATE_HOME", "lineshaft").or_else(|| below("HOME", ".local/state/lineshaft"));
    let port = choices.text("port")?.unwrap_or_default();
    match service.or(user).map(|place| place.join(format!("queue-{port}"))).map(PathBuf::into_os_string) {
        Some(path) => path.into_string().map_err(|path| {
            Refusal(format!("--store: '{}' is not UTF-8: give --store log:FOLDER", path.display()))
        }),
        None => refuse(
            "--store log: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME says where: give --store log:FOLDER, or --store memory",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::choices::Program;
    use crate::options::gearmand;
    use crate::options::parse::{Rules, parse};

    pub(super) fn choices(program: Program, words: &[&str]) -> Choices {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let given = parse(&gearmand::on_command_line(), &words, &Rules::GEARMAND).unwrap();
        Choices::resolve(program, given, &|_| None).unwrap()
    }

    fn read(program: Program, words: &[&str]) -> Result<Queue, String> {
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/me"));
        Queue::read(&choices(program, words), &home).map_err(|why| why.0)
    }

    #[test]
    fn gearmand_keeps_nothing_and_serve_keeps_all() {
        assert!(read(Program::Gearmand, &[]).unwrap().open.is_none());
        assert!(read(Program::Gearmand, &["-q", "BuiltIn"]).unwrap().open.is_none());
        for kind in ["log", "postgres", "MySQL"] {
            assert!(read(Program::Gearmand, &["-q", kind]).unwrap().open.is_some());
        }
        let serve = read(Program::Serve, &[]).unwrap();
        assert!(serve.open.is_some() && serve.when == StoreWhen::Submitted);
        assert!(read(Program::Serve, &["--store", "memory"]).unwrap().open.is_none());
        assert!(read(Program::Serve, &["-q", "builtin"]).unwrap().open.is_none());
        let words = ["--store", "log:/x", "--store-queue-on-shutdown"];
        assert_eq!(read(Program::Gearmand, &words).unwrap().when, StoreWhen::Stopped);
    }

    #[test]
    fn the_log_lies_where_state_belongs() {
        let choices = choices(Program::Serve, &["-p", "99"]);
        let place = |set: &[(&str, &str)]| {
            let set: Vec<(String, OsString)> = set.iter().map(|(k, v)| ((*k).into(), v.into())).collect();
            let variable =
                |name: &str| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            folder(&choices, &variable).map_err(|why| why.0)
        };
        assert_eq!(place(&[("HOME", "/h")]).unwrap(), "/h/.local/state/lineshaft/queue-99");
        assert_eq!(place(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]).unwrap(), "/s/lineshaft/queue-99");
        let service = [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("XDG_STATE_HOME", "/s")];
        assert_eq!(place(&service).unwrap(), "/var/lib/a/queue-99");
        assert!(place(&[]).unwrap_err().contains("give --store log:FOLDER"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (words, why) in [
            (&["-q", "foo"][..], "Error while initializing the queue : foo"),
            (&["-q", "LibDrizzle"], "--queue-type LibDrizzle cannot be used: there is no Drizzle any more"),
            (
                &["-q", "libtokyocabinet"],
                "--queue-type libtokyocabinet cannot be used: its files are only read",
            ),
            (&["-q", "builtin", "--store", "memory"], "--store and --queue-type both say"),
            (
                &["-q", "mysql", "--mysql-port", "x"],
                "the argument ('x') for option '--mysql-port' is invalid",
            ),
            (&["--store", "postgres://h/d?table=a&table=b"], "--store: the setting `table`"),
        ] {
            let refusal = read(Program::Gearmand, words).unwrap_err();
            assert!(refusal.starts_with(why), "{refusal}");
        }
    }
}
