//! What holds in the end: command line over environment over file over defaults, each value with where it came from.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::parse::check;
use super::toml_file::Table;
use super::variables::is_link;
use super::{Flag, Given, Refusal, Source, Standing, Takes, config_file, gearmand, refuse};
use crate::surroundings;

/// As whom the server has been started: decides the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// By the name `gearmand`.
    Gearmand,
    /// As `lineshaft serve`.
    Serve,
}

/// What was said when the program was started, to be put together again when a file has changed.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) program: Program,
    /// What the command line says.
    pub(crate) given: Vec<Given>,
}

impl Sources {
    /// What holds now.
    pub(crate) fn resolve(&self) -> Result<Choices, Refusal> {
        Choices::resolve(self.program, self.given.clone(), &surroundings::variable)
    }
}

/// The value of every option that has one.
#[derive(Debug)]
pub(crate) struct Choices {
    program: Program,
    given: Vec<Given>,
    /// The configuration file that has been read.
    file: Option<PathBuf>,
    /// Its tables.
    tables: Vec<Table>,
}

/// Reads one environment variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// gearmand's variables for the files of TLS, with their options.
const TLS_VARIABLES: [(&str, &str); 3] = [
    ("ssl-ca-file", "GEARMAND_CA_CERTIFICATE"),
    ("ssl-certificate", "GEARMAND_SERVER_PEM"),
    ("ssl-key", "GEARMAND_SERVER_KEY"),
];

/// Options of which only the command line speaks.
const ONLY_ON_COMMAND_LINE: [&str; 3] = ["help", "version", "check-args"];

impl Choices {
    /// Puts together what the command line has `given`, what the environment says, the configuration file that these name
    /// (or the default one), and the defaults.
    pub(crate) fn resolve(
        program: Program,
        given: Vec<Given>,
        env: Environment<'_>,
    ) -> Result<Self, Refusal> {
        let mut choices = Self { program, given, file: None, tables: Vec::new() };
        let flags = gearmand::on_command_line();
        for flag in flags.iter().filter(|flag| !ONLY_ON_COMMAND_LINE.contains(&flag.long)) {
            if let Some(given) = from_environment(flag, env)? {
                choices.add(given);
            }
        }
        choices.read_tls_variables(env);
        choices.read_file(env)?;
        if let Some(port) = env("GEARMAND_PORT").filter(|port| !is_link(port)) {
            // gearmand reads it only where nothing else has set the port.
            let source = Source::Environment("GEARMAND_PORT".into());
            choices.add(Given { name: "port", value: Some(port), source });
        }
        for flag in &flags {
            if let Some(default) = default_of(flag, program) {
                choices.add(Given { name: flag.long, value: Some(default.into()), source: Source::Default });
            }
        }
        Ok(choices)
    }

    /// Adds what no stronger source has said.
    fn add(&mut self, given: Given) {
        if self.find(given.name).is_none() {
            self.given.push(given);
        }
    }

    /// The variables that gearmand has for TLS. With it they are stronger than the command line; with us that holds under its name.
    fn read_tls_variables(&mut self, env: Environment<'_>) {
        let is_set = |given: &Given| given.name == "ssl" && given.value.is_none();
        let as_gearmand = self.program == Program::Gearmand && self.given.iter().any(is_set);
        for (name, variable) in TLS_VARIABLES {
            let Some(value) = env(variable) else { continue };
            if as_gearmand {
                self.given.retain(|given| given.name != name);
            }
            self.add(Given { name, value: Some(value), source: Source::Environment(variable.into()) });
        }
    }

    fn read_file(&mut self, env: Environment<'_>) -> Result<(), Refusal> {
        let named = self.path("config-file");
        let places = match &named {
            Some(path) => vec![path.clone()],
            None => default_files(self.program, env),
        };
        for path in places {
            let (flags, helpful) = (gearmand::in_file(), self.program == Program::Serve);
            let told = config_file::read(&path, &flags, helpful, |name| self.find(name).is_some())?;
            if let Some(told) = told {
                for given in told.given {
                    self.add(given);
                }
                self.tables = told.tables;
                if named.is_none() {
                    let value = Some(path.clone().into());
                    self.add(Given { name: "config-file", value, source: Source::Default });
                }
                self.file = Some(path);
                return Ok(());
            }
        }
        match named {
            Some(path) => {
                refuse(format!("Could not open configuration file. ({}: no such file)", path.display()))
            }
            None => Ok(()),
        }
    }

    /// What holds for the option `name`, and where that was said; `None` where it has neither been given nor a default.
    pub(crate) fn find(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }

    /// True where the switch `name` has been given, and not as `no`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.find(name).is_some_and(|given| given.value.is_none())
    }

    /// The configuration file that has been read; `None` where there is none.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The tables of the configuration file, such as `[[rights]]`, in their order.
    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The value of the option `name`, as bytes.
    pub(crate) fn value(&self, name: &str) -> Option<&OsStr> {
        self.find(name)?.value.as_deref()
    }

    /// The value of the option `name` as a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(|value| Path::new(value).to_owned())
    }

    /// The value of the option `name`, which has to be UTF-8.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => refuse(format!("the argument ('{}') for option '--{name}' is invalid", value.display())),
        }
    }

    /// The number that the option `name` has; its range has been checked with the table.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.value(name).and_then(super::parse::number)
    }

    /// As whom the server has been started.
    pub(crate) const fn program(&self) -> Program {
        self.program
    }

    /// The options that have another value in `new`, with that.
    pub(crate) fn changed(&self, new: &Self) -> Vec<(&'static Flag, String)> {
        let said = |choices: &Self, flag: &Flag| match flag.takes {
            Takes::Nothing => if choices.is_set(flag.long) { "yes" } else { "no" }.to_owned(),
            _ => choices.value(flag.long).map_or("nothing".to_owned(), |value| value.display().to_string()),
        };
        let new = self.all().map(|(flag, _)| (flag, said(self, flag), said(new, flag)));
        new.filter(|(_, old, new)| old != new).map(|(flag, _, new)| (flag, new)).collect()
    }

    /// Takes over what SIGHUP applies; all else stays as it is.
    pub(crate) fn take_live(&mut self, new: Self) {
        let is_live = |given: &Given| gearmand::find(given.name).live;
        self.given.retain(|given| !is_live(given));
        self.given.extend(new.given.into_iter().filter(is_live));
        (self.file, self.tables) = (new.file, new.tables);
    }

    /// Every option that can be used, in the order of the table, with what holds for it.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static Flag, Option<&Given>)> {
        gearmand::on_command_line()
            .into_iter()
            .filter(|flag| flag.standing == Standing::Works && !ONLY_ON_COMMAND_LINE.contains(&flag.long))
            .map(|flag| (flag, self.find(flag.long)))
    }
}

fn default_of(flag: &Flag, program: Program) -> Option<&'static str> {
    match (program, flag.serve_default) {
        (Program::Serve, Some(default)) => default,
        _ => flag.default,
    }
}

/// The environment variable of an option: `LINESHAFT_MAX_PACKET` for `--max-packet`.
pub(crate) fn variable(flag: &Flag) -> String {
    format!("LINESHAFT_{}", flag.long.to_ascii_uppercase().replace('-', "_"))
}

/// Where a configuration file is looked for that nobody names; the first that is there is read, and no other.
fn default_files(program: Program, env: Environment<'_>) -> Vec<PathBuf> {
    match program {
        Program::Gearmand => gearmand::find("config-file").default.map(PathBuf::from).into_iter().collect(),
        Program::Serve => {
            let below = |name: &str, path: &str| env(name).map(|place| Path::new(&place).join(path));
            let user = below("XDG_CONFIG_HOME", "lineshaft").or_else(|| below("HOME", ".config/lineshaft"));
            user.into_iter()
                .chain([PathBuf::from("/etc/lineshaft")])
                .map(|place| place.join("lineshaft.toml"))
                .collect()
        }
    }
}

fn from_environment(flag: &'static Flag, env: Environment<'_>) -> Result<Option<Given>, Refusal> {
    let name = variable(flag);
    let Some(value) = env(&name).filter(|value| !is_link(value)) else { return Ok(None) };
    let source = Source::Environment(name);
    let value = match (flag.takes, value.to_str()) {
        (Takes::Nothing, Some("" | "0" | "no" | "false" | "off")) => Some("no".into()),
        (Takes::Nothing, Some("1" | "yes" | "true" | "on")) => None,
        (Takes::Nothing, _) => {
            return refuse(format!("{source}: '{}' is neither yes nor no", value.display()));
        }
        _ => Some(value),
    };
    let given = Given { name: flag.long, value, source };
    check(flag, &given).map_err(|Refusal(why)| Refusal(format!("{}: {why}", given.source)))?;
    Ok(Some(given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parse::{Rules, parse};

    fn resolve(program: Program, words: &[&str], vars: &[(&str, &str)]) -> Result<Choices, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let given = parse(&gearmand::on_command_line(), &words, &Rules::GEARMAND).map_err(|why| why.0)?;
        let env =
            |name: &str| vars.iter().find(|(var, _)| *var == name).map(|(_, value)| OsString::from(value));
        Choices::resolve(program, given, &env).map_err(|why| why.0)
    }

    fn port(words: &[&str], vars: &[(&str, &str)]) -> (String, String) {
        let choices = resolve(Program::Serve, words, vars).unwrap();
        let given = choices.find("port").unwrap();
        (given.value.as_ref().unwrap().to_str().unwrap().to_owned(), given.source.to_string())
    }

    #[test]
    fn the_stronger_source_wins_and_is_named() {
        let file = std::env::temp_dir().join(format!("lineshaft-choices-{}", std::process::id()));
        std::fs::write(&file, "--port 3 --threads 7").unwrap();
        let named = file.to_str().unwrap();
        let ours = ("LINESHAFT_PORT", "2");
        let theirs = ("GEARMAND_PORT", "4");
        let flags = ["--port", "1", "--config-file", named];
        assert_eq!(port(&flags, &[ours, theirs]), ("1".into(), "flag".into()));
        assert_eq!(port(&flags[2..], &[ours, theirs]), ("2".into(), "environment LINESHAFT_PORT".into()));
        assert_eq!(port(&flags[2..], &[theirs]), ("3".into(), format!("file {named}:1")));
        assert_eq!(port(&[], &[theirs]), ("4".into(), "environment GEARMAND_PORT".into()));
        assert_eq!(port(&[], &[("LINESHAFT_CONFIG_FILE", named)]), ("3".into(), format!("file {named}:1")));
        assert_eq!(port(&[], &[]), ("4730".into(), "default".into()));
        let links = [("LINESHAFT_PORT", "tcp://10.0.0.7:4731"), ("GEARMAND_PORT", "tcp://10.0.0.7:4732")];
        assert_eq!(port(&[], &links), ("4730".into(), "default".into()));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_named_file_must_be_there() {
        let why = resolve(Program::Gearmand, &["--config-file", "/nonexistent/file"], &[]).unwrap_err();
        assert!(why.starts_with("Could not open configuration file."), "{why}");
    }

    #[test]
    fn defaults_are_those_of_the_program() {
        let as_gearmand = resolve(Program::Gearmand, &[], &[]).unwrap();
        assert_eq!(as_gearmand.value("log-file"), Some("/var/log/gearmand.log".as_ref()));
        assert_eq!(as_gearmand.value("listen"), None);
        let as_serve = resolve(Program::Serve, &[], &[]).unwrap();
        assert_eq!(as_serve.value("log-file"), Some("stderr".as_ref()));
        assert_eq!(as_serve.value("listen"), Some("127.0.0.1".as_ref()));
        assert_eq!(as_serve.value("pid-file"), None);
    }

    #[test]
    fn switches_in_the_environment_say_yes_or_no() {
        assert!(resolve(Program::Serve, &[], &[("LINESHAFT_KEEPALIVE", "yes")]).unwrap().is_set("keepalive"));
        assert!(!resolve(Program::Serve, &[], &[("LINESHAFT_KEEPALIVE", "0")]).unwrap().is_set("keepalive"));
        let why = resolve(Program::Serve, &[], &[("LINESHAFT_KEEPALIVE", "5")]).unwrap_err();
        assert_eq!(why, "environment LINESHAFT_KEEPALIVE: '5' is neither yes nor no");
        let why = resolve(Program::Serve, &[], &[("LINESHAFT_THREADS", "x")]).unwrap_err();
        assert_eq!(
            why,
            "environment LINESHAFT_THREADS: the argument ('x') for option '--threads' is invalid"
        );
    }
}
