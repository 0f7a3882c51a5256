//! `--queue-type libsqlite3`.

use lineshaft::store::{Sqlite, SqliteSettings};

use super::{Open, Variable};
use crate::options::choices::Choices;
use crate::options::{Refusal, refuse};

pub(super) fn read(choices: &Choices, _: Variable<'_>) -> Result<Open, Refusal> {
    let settings = settings(choices)?;
    Ok(Box::new(move || Ok(Box::new(Sqlite::open(&settings)?))))
}

fn settings(choices: &Choices) -> Result<SqliteSettings, Refusal> {
    let Some(file) = choices.path("libsqlite3-db") else {
        return refuse("--queue-type libsqlite3 needs a file: --libsqlite3-db FILE");
    };
    let defaults = SqliteSettings::default();
    let table = choices.text("libsqlite3-table")?.map_or(defaults.table, Into::into);
    Ok(SqliteSettings { file, table, ..defaults })
}

#[cfg(test)]
mod tests {
    use super::super::tests::choices;
    use super::*;
    use crate::options::choices::Program;

    #[test]
    fn gearmands_options_name_file_and_table() {
        let read = |words: &[&str]| settings(&choices(Program::Gearmand, words)).map_err(|why| why.0);
        let usual = read(&["-q", "libsqlite3", "--libsqlite3-db", "/q.db"]).unwrap();
        assert_eq!(usual, SqliteSettings { file: "/q.db".into(), ..SqliteSettings::default() });
        let other = read(&["--libsqlite3-db=/q.db", "--libsqlite3-table=jobs"]).unwrap();
        assert_eq!(other.table, "jobs");
        let refusal = read(&["-q", "libsqlite3"]).unwrap_err();
        assert_eq!(refusal, "--queue-type libsqlite3 needs a file: --libsqlite3-db FILE");
    }
}
