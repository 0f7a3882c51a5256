//! The table of Debian's gearmand with its PostgreSQL plug-in, and tables as others have made them.

use anyhow::{Result, ensure};
use lineshaft::store;
use lineshaft_tests::servers::{PostgresServer, SqlServer};
use lineshaft_tests::stores::Job;
use lineshaft_tests::takeover::{Abilities, SqlQueue, compare, content, jobs};

const TEXTS: Abilities = Abilities { times: true, bytes: false, blanks: true };

#[test]
fn a_queue_of_gearmands_becomes_ours() -> Result<()> {
    let server = PostgresServer::start()?;
    let name = server.create_database()?;
    let conninfo = server.conninfo(&name);
    let options = ["-q", "Postgres", "--libpq-conninfo", &conninfo];
    let mut expected = jobs(TEXTS);
    expected.push(Job { function: "fün".into(), unique: "ünï €".into(), ..expected[0].clone() });
    let (table_option, table) = ("--libpq-table", "queue");
    let queue = SqlQueue { server: &server, database: &name, options: &options, table_option, table };
    queue.becomes_ours(expected)
}

#[test]
fn rows_that_others_have_made_are_put_right() -> Result<()> {
    let database = PostgresServer::start()?;
    let name = database.create_database()?;
    database.sql(
        &name,
        "CREATE TABLE queue (when_to_run INTEGER, data BYTEA, extra TEXT, unique_key VARCHAR(64), \
             priority INTEGER, function_name VARCHAR(255)); \
         INSERT INTO queue (unique_key, function_name, priority, data, when_to_run) VALUES \
             (NULL, 'nulls', NULL, NULL, NULL), \
             ('u', 'odd', 7, '\\x00ff', -5), \
             ('ünï', 'fün', -1, 'x', 2147483647), \
             ('stays', NULL, 1, 'x', 0), \
             ('stays', '', 1, 'x', 0); \
         CREATE TABLE bytes (function_name BYTEA, unique_key BYTEA, priority BIGINT, data TEXT); \
         INSERT INTO bytes VALUES ('\\xff', '\\x27', 2, 'text'); \
         CREATE TABLE foreign_table (id INTEGER, data BYTEA); \
         INSERT INTO foreign_table VALUES (1, 'x')",
    )?;
    let open = |table: &str| store::open(&format!("{}?table={table}", database.address(&name)));
    let plain = &jobs(TEXTS)[1];
    let job = |function: &[u8], unique: &[u8], due: u64, workload: &[u8]| Job {
        function: function.into(),
        unique: unique.into(),
        due,
        workload: workload.into(),
        ..plain.clone()
    };
    let expected = [
        job(b"nulls", b"", 0, b""),
        job(b"odd", b"u", 0, b"\0\xff"),
        job("fün".as_bytes(), "ünï".as_bytes(), 2_147_483_647, b"x"),
    ];
    compare(&mut open("queue")?, &expected)?;
    ensure!(database.sql(&name, "SELECT count(*) FROM queue")?.trim() == "2");
    let found = content(&mut open("bytes")?)?;
    ensure!(found.len() == 1 && found[0].function == b"\xff" && found[0].unique == b"'", "{found:?}");
    ensure!(found[0].workload == b"text" && found[0].priority as u8 == 2, "{found:?}");
    // A table that is none of gearmand's is left alone.
    compare(&mut open("foreign_table")?, &[])?;
    ensure!(database.sql(&name, "SELECT count(*) FROM foreign_table")?.trim() == "1");
    Ok(())
}
