//! The table of Debian's gearmand with its MySQL plug-in, in MariaDB, and tables as others have made them.

use anyhow::{Result, ensure};
use lineshaft::store;
use lineshaft_tests::servers::{DatabaseServer, MariaDbServer, SqlServer};
use lineshaft_tests::stores::Job;
use lineshaft_tests::takeover::{Abilities, SqlQueue, compare, content, jobs};

const TEXTS: Abilities = Abilities { times: true, bytes: false, blanks: true };

#[test]
fn a_queue_of_gearmands_becomes_ours() -> Result<()> {
    // As the default collation has it, its plug-in refuses U1 beside u1. It speaks UTF-8 to the database, whatever its columns have.
    let server = MariaDbServer::start(&["--character-set-server=latin1", "--collation-server=latin1_bin"])?;
    let name = server.create_database()?;
    let (user, password) = server.user();
    let port = server.port().to_string();
    let place = ["-q", "MySQL", "--mysql-host", "127.0.0.1", "--mysql-port", &port, "--mysql-db", &name];
    let options = [&place[..], &["--mysql-user", user, "--mysql-password", password]].concat();
    let mut expected = jobs(TEXTS);
    expected.push(Job { function: "fün".into(), unique: "ünï €".into(), ..expected[0].clone() });
    let (table_option, table) = ("--mysql-table", "gearman_queue");
    let queue = SqlQueue { server: &server, database: &name, options: &options, table_option, table };
    queue.becomes_ours(expected)
}

#[test]
fn rows_that_others_have_made_are_put_right() -> Result<()> {
    let database = MariaDbServer::start(&[])?;
    let name = database.create_database()?;
    database.sql(
        &name,
        "SET NAMES utf8mb4; \
         CREATE TABLE gearman_queue (when_to_run INT, data LONGBLOB, extra TEXT, unique_key VARCHAR(64), \
             priority INT, function_name VARCHAR(255)) CHARACTER SET utf8mb4; \
         INSERT INTO gearman_queue (unique_key, function_name, priority, data, when_to_run) VALUES \
             (NULL, 'nulls', NULL, NULL, NULL), \
             ('u', 'odd', 7, x'00ff', -5), \
             ('ünï', 'fün', -1, 'x', 2147483647), \
             ('end\\0', 'nul', 1, 'x\\0', 0), \
             ('stays', NULL, 1, 'x', 0), \
             ('stays', '', 1, 'x', 0); \
         CREATE TABLE old (Function_Name VARBINARY(255), UNIQUE_KEY BLOB, priority BIGINT, data LONGTEXT) \
             ENGINE = MyISAM; \
         INSERT INTO old VALUES (x'ff', \"'\", 2, 'text'); \
         CREATE TABLE foreign_table (id INT, data BLOB); \
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
        job(b"nul", b"end", 0, b"x\0"),
        job("fün".as_bytes(), "ünï".as_bytes(), 2_147_483_647, b"x"),
    ];
    compare(&mut open("gearman_queue")?, &expected)?;
    ensure!(database.sql(&name, "SELECT count(*) FROM gearman_queue")?.trim() == "2");
    for _ in 0..2 {
        let found = content(&mut open("old")?)?;
        ensure!(found.len() == 1 && found[0].function == b"\xff" && found[0].unique == b"'", "{found:?}");
        ensure!(found[0].workload == b"text" && found[0].priority as u8 == 2, "{found:?}");
    }
    // A table that is none of gearmand's is left alone.
    compare(&mut open("foreign_table")?, &[])?;
    ensure!(database.sql(&name, "SELECT count(*) FROM foreign_table")?.trim() == "1");
    Ok(())
}
