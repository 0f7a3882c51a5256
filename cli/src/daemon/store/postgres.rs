//! A queue in PostgreSQL, with gearmand's options and libpq's variables.

use std::path::PathBuf;

use lineshaft::store::{Postgres, PostgresSettings, Store};

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
    Ok(open(PostgresSettings { conninfo, table, ..PostgresSettings::default() }, variable))
}

/// `--store postgres://...`
pub(super) fn by_address(address: &str, variable: Variable<'_>) -> Result<Open, Refusal> {
    let settings = PostgresSettings::at(address).map_err(|error| Refusal(format!("--store: {error}")))?;
    Ok(open(settings, variable))
}

fn open(mut settings: PostgresSettings, variable: Variable<'_>) -> Open {
    settings.defaults = defaults(variable);
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    settings.passfile = variable("PGPASSFILE").map(PathBuf::from).or_else(home);
    let names_user = variable("PGUSER").is_some();
    Box::new(move || {
        let mut settings = settings.clone();
        if let (false, Some(user)) = (names_user, system_user()) {
            settings.defaults.push_str(&word("user", &user));
        }
        Ok(Box::new(Postgres::open(&settings)?) as Box<dyn Store>)
    })
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
    }
}
