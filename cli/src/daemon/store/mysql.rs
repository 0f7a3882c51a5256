//! A queue in MySQL or MariaDB, with gearmand's options.

use lineshaft::store::{MySql, MySqlSettings, Store};

use super::{Open, Variable, system_user};
use crate::options::choices::Choices;
use crate::options::{Refusal, refuse};

/// `--queue-type MySQL`.
pub(super) fn by_options(choices: &Choices, _: Variable<'_>) -> Result<Open, Refusal> {
    let text = |name| choices.text(name).map(Option::unwrap_or_default).map(str::to_owned);
    let port = text("mysql-port")?;
    let Ok(port @ 1..) = port.parse() else {
        return refuse(format!("the argument ('{port}') for option '--mysql-port' is invalid"));
    };
    let settings = MySqlSettings {
        host: text("mysql-host")?,
        port,
        user: text("mysql-user")?,
        password: text("mysql-password")?,
        database: text("mysql-db")?,
        table: text("mysql-table")?,
        ..MySqlSettings::default()
    };
    Ok(Box::new(move || {
        let mut settings = settings.clone();
        if settings.user.is_empty() {
            // As MySQL's own library does.
            settings.user = system_user().unwrap_or_default();
        }
        Ok(Box::new(MySql::open(&settings)?) as Box<dyn Store>)
    }))
}
