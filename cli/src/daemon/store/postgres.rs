//! A queue in PostgreSQL, with gearmand's options and libpq's variables.

use std::path::PathBuf;

use lineshaft::store::{Postgres, PostgresSettings, StoreError};

use super::{Open, Variable, system_user};
use crate::options::Refusal;
use crate::options::choices::Choices;

/// libpq's variables, and what they are called in a connection string.
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGSSLMODE", "sslmode"),
];

/// `--queue-type Postgres`.
pub(super) fn by_options(choices: &Choices, variable: Variable<'_>) -> Result<Open, Refusal> {
    let text = |name| choices.text(name).map(Option::unwrap_or_default).map(str::to_owned);
    let (conninfo, table) = (text("libpq-conninfo")?, text("libpq-table")?);
    let settings = complete(PostgresSettings { conninfo, table, ..PostgresSettings::default() }, variable);
    Ok(Box::new(move || Ok(Box::new(Postgres::open(&with_user(&settings))?))))
}

/// `--store postgres://...`
pub(super) fn by_address(address: &str, variable: Variable<'_>) -> Result<Open, Refusal> {
    let settings = PostgresSettings::at(address).map_err(|error| Refusal(format!("--store: {error}")))?;
    let settings = complete(settings, variable);
    Ok(Box::new(move || Ok(Box::new(Postgres::open(&with_user(&settings))?))))
}

/// The settings of an address; `None` where it is none of PostgreSQL's.
pub(super) fn at(address: &str, variable: Variable<'_>) -> Option<Result<PostgresSettings, StoreError>> {
    let settings = is_ours(address).then(|| PostgresSettings::at(address))?;
    Some(settings.map(|settings| with_user(&complete(settings, variable))))
}

/// Whether an address is one of PostgreSQL's.
pub(super) fn is_ours(address: &str) -> bool {
    ["postgres:", "postgresql:"].iter().any(|kind| address.starts_with(kind))
}

fn complete(mut settings: PostgresSettings, variable: Variable<'_>) -> PostgresSettings {
    settings.defaults = defaults(variable);
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    settings.passfile = variable("PGPASSFILE").map(PathBuf::from).or_else(home);
    settings
}

/// The user of the process, who may be another one by the time the store is opened, where nobody names one.
fn with_user(settings: &PostgresSettings) -> PostgresSettings {
    let user = system_user().map(|user| word("user", &user)).unwrap_or_default();
    // What is said twice counts as it is said last.
    PostgresSettings { defaults: user + &settings.defaults, ..settings.clone() }
}

/// What the variables say, as a connection string. One that is not UTF-8 is nothing that a database has.
fn defaults(variable: Variable<'_>) -> String {
    let mut text = String::new();
    for (name, key) in VARIABLES {
        if let Some(value) = variable(name).and_then(|value| value.into_string().ok()) {
            // Where the server decides on TLS, there is none.
            let value = if value == "allow" { "prefer" } else { &value };
            text.push_str(&word(key, value));
        }
    }
    text
}

fn word(key: &str, value: &str) -> String {
    format!("{key}='{}' ", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn variables_become_a_connection_string() {
        let variable = |name: &str| match name {
            "PGHOST" => Some(OsString::from("/run/x")),
            "PGPASSWORD" => Some(OsString::from("it's \\")),
            "PGSSLMODE" => Some(OsString::from("allow")),
            _ => None,
        };
        assert_eq!(defaults(&variable), "host='/run/x' password='it\\'s \\\\' sslmode='prefer' ");
        assert_eq!(defaults(&|_| None), "");
        let settings = |address| at(address, &variable).map(|settings| settings.unwrap());
        let ours = settings("postgres://h/d?table=t").unwrap();
        assert!(ours.table == "t" && ours.defaults.ends_with(&defaults(&variable)));
        assert!(settings("mysql://h/d").is_none());
    }
}
