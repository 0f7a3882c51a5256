//! The options of gearmand, and those that we add to them. `lineshaft serve` takes all of them as well.

use super::{Flag, NO_LETTER, PAIRS, flag};

const U32: i64 = u32::MAX as i64;
const I32: i64 = i32::MAX as i64;
/// The largest number of bytes an option takes: 1 TiB, so that no sum of them overflows.
const BYTES: i64 = 1 << 40;

/// The table, in the order of the help.
static GEARMAND: &[Flag] = &[
    flag("backlog", 'b', "Connections that the kernel may hold until they are accepted.").number("N", -1, I32).or("1024"),
    flag("daemon", 'd', "Leave the terminal and run in the background. Returns when the port is bound, or with an error."),
    flag("exceptions", NO_LETTER, "Forward exceptions of workers to every client, not only to those that ask for them.").live(),
    flag("file-descriptors", 'f', "Descriptors that the process may have open. Default is what the system allows.").number("N", 1, U32),
    flag("help", 'h', "Print this text."),
    flag("job-retries", 'j', "Times that a job is tried until it is dropped and its clients are told that it failed. 0 and -1: without limit.").number("N", -1, 65535).or("0").live(),
    flag("job-handle-prefix", NO_LETTER, "What job handles begin with. Default is H: and the name of the host.").text("TEXT"),
    flag("hashtable-buckets", NO_LETTER, "Accepted and without effect: the tables grow with the queue.").number("N", 0, U32).or("991"),
    flag("keepalive", NO_LETTER, "Probe idle connections with the three values below."),
    flag("keepalive-idle", NO_LETTER, "Seconds of silence until a connection is probed. -1: as the system has it.").number("SECONDS", -1, I32).or("-1"),
    flag("keepalive-interval", NO_LETTER, "Seconds between two probes. -1: as the system has it.").number("SECONDS", -1, I32).or("-1"),
    flag("keepalive-count", NO_LETTER, "Probes without an answer until a connection is lost. -1: as the system has it.").number("N", -1, I32).or("-1"),
    flag("log-file", 'l', "File to add the log to. 'stderr' logs to the standard error, 'none' not at all.").text("FILE").or("/var/log/gearmand.log").at_serve(Some("stderr")).live(),
    flag("listen", 'L', "Name or address to listen on, * for every address, or unix:PATH for a Unix socket. Default is every address.").text("ADDRESS").at_serve(Some("127.0.0.1")),
    flag("pid-file", 'P', "File to write the process id to.").text("FILE").or("/var/gearmand.pid").at_serve(None),
    flag("protocol", 'r', "Additional protocol: http, gearmand's own (see --http-port).").text("NAME"),
    flag("round-robin", 'R', "Take turns between the functions of a worker. --compat 2.0 always does.").live(),
    flag("queue-type", 'q', "Where background jobs are kept: builtin (in memory), log, libsqlite3, MySQL, Postgres, redis or libmemcached.").text("NAME").or("builtin").at_serve(None),
    flag("config-file", NO_LETTER, "File with more settings, as TOML or as words. lineshaft serve looks for lineshaft.toml in the user's configuration folder and in /etc/lineshaft.").text("FILE").or("/etc/gearmand.conf").at_serve(None),
    flag("syslog", NO_LETTER, "Log to syslog as well."),
    flag("coredump", NO_LETTER, "Accepted and without effect: no crash is ever caught."),
    flag("threads", 't', "I/O threads. 0: as many as there are processors. Default is half of them, 4 at most.").number("N", 0, 1024),
    flag("user", 'u', "User to become before anything is opened.").text("NAME"),
    flag("verbose", NO_LETTER, "What is logged: FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG and all before it.").text("LEVEL").or("ERROR").at_serve(Some("WARNING")).live(),
    flag("version", 'V', "Print the version."),
    flag("worker-wakeup", 'w', "Sleeping workers that are woken for a job. 0: all. Default is one, and more where it has not come after --wake-grace.").number("N", 0, U32).live(),
    flag("check-args", NO_LETTER, "Check the options and the configuration file, then exit.").hidden(),
    flag("port", 'p', "Port to listen on, a number or the name of a service.").text("PORT").group("Gear").or("4730"),
    flag("ssl", NO_LETTER, "Take TLS, and nothing else, on the port. Unix sockets stay plain.").group("TLS"),
    flag("ssl-ca-file", NO_LETTER, "Certificates of the authorities whose client certificates are good. Default is to ask nobody for one.").text("FILE").group("TLS").live(),
    flag("ssl-certificate", NO_LETTER, "The server's certificate, with those between it and its authority behind it.").text("FILE").group("TLS").or("/etc/ssl/certs/gearmand.pem").at_serve(None).live(),
    flag("ssl-key", NO_LETTER, "The key of that certificate.").text("FILE").group("TLS").or("/etc/ssl/certs/gearmand.key").at_serve(None).live(),
    flag("ssl-verify", NO_LETTER, "With --ssl-ca-file: none asks nobody for a certificate, optional refuses bad ones, required lets nobody in without a good one.").text("WHEN").group("TLS").or("optional").live(),
    flag("ssl-max-handshakes", NO_LETTER, "TLS handshakes under way at a time; further connections are closed.").number("N", 1, U32).group("TLS").or("4096"),
    flag("ssl-handshake-timeout", NO_LETTER, "Seconds that a peer has for its TLS handshake.").number("SECONDS", 1, 3600).group("TLS").or("10"),
    flag("store", NO_LETTER, "Where background jobs are kept: memory, log (in the state directory), or an address such as log:FOLDER or sqlite:FILE.").text("ADDRESS").group("Lineshaft").or("memory").at_serve(Some("log")),
    flag("unix", NO_LETTER, "Listen on this Unix socket as well.").text("PATH").group("Lineshaft"),
    flag("compat", NO_LETTER, "The gearmand whose order of jobs is kept, 1.1 or 2.0.").text("VERSION").group("Lineshaft").or("2.0"),
    flag("wake-grace", NO_LETTER, "Milliseconds that a woken worker has to come for a job until the next one is woken.").number("MS", 1, 60_000).group("Lineshaft").or("50").live(),
    flag("drain-deadline", NO_LETTER, "Seconds that a graceful stop (SIGUSR1) waits for the jobs. 0: without limit.").number("SECONDS", 0, U32).group("Lineshaft").or("0").live(),
    flag("time-zone", NO_LETTER, "Time zone of scheduled jobs: a name such as Europe/Berlin, or local.").text("NAME").group("Lineshaft").or("UTC"),
    flag("log-format", NO_LETTER, "gearmand, plain (one line per event with the time in UTC) or json (one object per line).").text("NAME").group("Log").or("gearmand").at_serve(Some("plain")),
    flag("log-levels", NO_LETTER, "Levels of single parts, such as store=debug,net=warn; the parts are broker, net, store, http, tls and daemon.").text(PAIRS).group("Log").live(),
    flag("syslog-socket", NO_LETTER, "Socket of --syslog.").text("PATH").group("Log").or("/dev/log"),
    flag("journald", NO_LETTER, "Log to systemd's journal as well, with fields.").group("Log"),
    flag("journald-socket", NO_LETTER, "Socket of --journald.").text("PATH").group("Log").or("/run/systemd/journal/socket"),
    flag("max-packet", NO_LETTER, "Bytes of the largest packet.").number("BYTES", 8192, U32).group("Limits").or("67108864").live(),
    flag("max-argument", NO_LETTER, "Bytes of one argument of a packet.").number("BYTES", 512, U32).group("Limits").or("8191").live(),
    flag("max-function", NO_LETTER, "Bytes of a function's name.").number("BYTES", 1, 8191).group("Limits").or("512").live(),
    flag("max-unique", NO_LETTER, "Bytes of a unique.").number("BYTES", 1, 8191).group("Limits").or("64").live(),
    flag("max-line", NO_LETTER, "Bytes of a line of text.").number("BYTES", 512, U32).group("Limits").or("8191").live(),
    flag("max-words", NO_LETTER, "Words in a line of text.").number("N", 5, 1024).group("Limits").or("5").live(),
    flag("max-connections", NO_LETTER, "Connections at a time; further ones are told so and closed.").number("N", 1, U32).group("Limits").or("100000").live(),
    flag("max-output", NO_LETTER, "Bytes that may wait for a peer that reads slowly; beyond, it is disconnected.").number("BYTES", 8192, BYTES).group("Limits").or("67108864").live(),
    flag("max-backlog", NO_LETTER, "Bytes that may wait for all slow readers together; beyond, the slowest are disconnected.").number("BYTES", 8192, BYTES).group("Limits").or("1073741824").live(),
    flag("max-input", NO_LETTER, "Bytes that the unfinished packets of all peers may hold together.").number("BYTES", 8192, BYTES).group("Limits").or("1073741824").live(),
    flag("max-queue-bytes", NO_LETTER, "Bytes of all queued jobs together; beyond, submissions are refused.").number("BYTES", 1, BYTES).group("Limits").or("4294967296").live(),
    flag("max-function-bytes", NO_LETTER, "Bytes of the queued jobs of one function; beyond, its submissions are refused. Default is no limit of its own.").number("BYTES", 1, BYTES).group("Limits").live(),
    flag("max-jobs", NO_LETTER, "Jobs at a time, queued, running and not yet due; beyond, submissions are refused. Default is no limit of their number.").number("N", 1, U32).group("Limits").live(),
    flag("max-function-jobs", NO_LETTER, "Jobs of one function at a time; beyond, its submissions are refused. maxqueue sets it for single functions. Default is no limit of their number.").number("N", 1, U32).group("Limits").live(),
    flag("max-listing", NO_LETTER, "Jobs that 'show jobs' lists; a longer queue is refused.").number("N", 1, U32).group("Limits").or("100000").live(),
    flag("max-functions", NO_LETTER, "Functions at a time.").number("N", 1, U32).group("Limits").or("100000").live(),
    flag("max-abilities", NO_LETTER, "Functions of all workers together.").number("N", 1, U32).group("Limits").or("4000000").live(),
    flag("max-waiting", NO_LETTER, "Foreground submissions that wait for results at a time.").number("N", 1, U32).group("Limits").or("4000000").live(),
    flag("max-schedules", NO_LETTER, "Schedules at a time.").number("N", 1, U32).group("Limits").or("10000").live(),
    flag("alarm-oldest", NO_LETTER, "Seconds that a job may wait before that is an alarm.").number("SECONDS", 1, U32).group("Alarms").or("300").live(),
    flag("alarm-wake", NO_LETTER, "Seconds that a worker may take to come after it has been woken before that is an alarm.").number("SECONDS", 1, U32).group("Alarms").or("10").live(),
    flag("http", NO_LETTER, "Speak HTTP (metrics, health, a JSON API, a dashboard) at PORT of 127.0.0.1, HOST:PORT or unix:PATH; several are separated by commas.").text("ADDRESS").group("HTTP"),
    flag("http-hosts", NO_LETTER, "Names by which HTTP is reached, beside localhost and the name of this machine, separated by commas. '*': any.").text("NAMES").group("HTTP"),
    flag("http-token-file", NO_LETTER, "File with the token that changes over HTTP take. Without one only loopback addresses and Unix sockets take changes.").text("FILE").group("HTTP"),
    flag("http-connections", NO_LETTER, "HTTP connections at a time.").number("N", 1, 65535).group("HTTP").or("256"),
    flag("http-max-head", NO_LETTER, "Bytes of the head of an HTTP request.").number("BYTES", 8192, 1_048_576).group("HTTP").or("16384"),
    flag("http-max-body", NO_LETTER, "Bytes of the body of an HTTP request.").number("BYTES", 1, U32).group("HTTP").or("16777216"),
    flag("http-listeners", NO_LETTER, "Those who watch the dashboard live at a time.").number("N", 1, 65535).group("HTTP").or("32"),
    flag("http-max-result", NO_LETTER, "Bytes of a job's result that HTTP waits for.").number("BYTES", 1, U32).group("HTTP").or("16777216"),
    flag("http-metrics-functions", NO_LETTER, "Functions that /metrics tells of one by one; the others are only counted.").number("N", 0, U32).group("HTTP").or("1000"),
    flag("http-patience", NO_LETTER, "Seconds that an HTTP request may take to come, and its peer to take some of the answer.").number("SECONDS", 1, 3600).group("HTTP").or("30"),
    flag("http-port", NO_LETTER, "Port of gearmand's own HTTP protocol, on the addresses of --listen; see --protocol.").text("PORT").group("HTTP").or("8080"),
    queue("store-queue-on-shutdown", "", "Store jobs only when the server is stopped, not when they are submitted."),
    queue("libsqlite3-db", "FILE", "SQLite: the file."),
    queue("libsqlite3-table", "NAME", "SQLite: gearmand's table, whose jobs are taken over.").or("gearman_queue"),
    queue("libpq-conninfo", "TEXT", "PostgreSQL: the connection, as key=value words or an address. Default is what PGHOST and its like say."),
    queue("libpq-table", "NAME", "PostgreSQL: gearmand's table, whose jobs are taken over.").or("queue"),
    queue("mysql-host", "HOST", "MySQL: the host.").or("localhost"),
    queue("mysql-port", "PORT", "MySQL: the port.").or("3306"),
    queue("mysql-user", "NAME", "MySQL: the user."),
    queue("mysql-password", "TEXT", "MySQL: the password. Better in the environment, where other users do not see it."),
    queue("mysql-db", "NAME", "MySQL: the database."),
    queue("mysql-table", "NAME", "MySQL: gearmand's table, whose jobs are taken over.").or("gearman_queue"),
    queue("redis-server", "HOST", "Redis: the host.").or("127.0.0.1"),
    queue("redis-port", "PORT", "Redis: the port.").or("6379"),
    queue("redis-password", "TEXT", "Redis: the password. Better in the environment, where other users do not see it."),
    queue("redis-prefix", "TEXT", "Redis: what all keys begin with.").or("_gear_"),
    queue("libmemcached-servers", "LIST", "memcached: servers as HOST:PORT, separated by commas."),
    queue("libmemcached-prefix", "TEXT", "memcached: what all keys begin with.").or("gear_"),
    queue("libtokyocabinet-file", "FILE", "").hidden(),
    queue("libtokyocabinet-optimize", "", "").hidden(),
    queue("libdrizzle-host", "HOST", "").hidden(),
    queue("libdrizzle-port", "PORT", "").hidden(),
    queue("libdrizzle-uds", "FILE", "").hidden(),
    queue("libdrizzle-user", "NAME", "").hidden(),
    queue("libdrizzle-password", "TEXT", "").hidden(),
    queue("libdrizzle-db", "NAME", "").hidden(),
    queue("libdrizzle-table", "NAME", "").hidden(),
    queue("libdrizzle-mysql", "", "").hidden(),
];

/// An option of one of the queues; a switch where `value` is empty.
const fn queue(long: &'static str, value: &'static str, help: &'static str) -> Flag {
    let flag = flag(long, NO_LETTER, help).group("Queue");
    if value.is_empty() { flag } else { flag.text(value) }
}

/// What the command line takes.
pub(crate) fn on_command_line() -> Vec<&'static Flag> {
    GEARMAND.iter().collect()
}

/// What a configuration file takes.
pub(crate) fn in_file() -> Vec<&'static Flag> {
    GEARMAND.iter().filter(|flag| flag.long != "check-args").collect()
}

/// The row of the option `name`, which has to be in the table.
pub(crate) fn find(name: &str) -> &'static Flag {
    let row = GEARMAND.iter().find(|flag| flag.long == name);
    row.unwrap_or_else(|| unreachable!("the table of options has no --{name}"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::options::parse::{Rules, parse};
    use crate::options::{Given, Takes};

    fn said(words: &[&str]) -> Result<Vec<Given>, String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        parse(&on_command_line(), &words, &Rules::GEARMAND).map_err(|why| why.0)
    }

    fn value(words: &[&str]) -> (&'static str, Option<String>) {
        match &said(words).unwrap()[..] {
            [one] => (one.name, one.value.clone().map(|value| value.into_string().unwrap())),
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn every_option_is_read_in_every_form() {
        for flag in GEARMAND {
            let long = format!("--{}", flag.long);
            let letter = flag.short.map(|letter| format!("-{letter}"));
            if flag.takes == Takes::Nothing {
                assert_eq!(value(&[&long]), (flag.long, None));
                assert!(said(&[&format!("{long}=1")]).unwrap_err().ends_with("does not take any arguments"));
                if let Some(letter) = &letter {
                    assert_eq!(value(&[letter]), (flag.long, None));
                }
                continue;
            }
            let given = match flag.takes {
                Takes::Number { min, .. } => min.max(5).to_string(),
                _ => "5".to_owned(),
            };
            let given = given.as_str();
            let expected = (flag.long, Some(given.to_owned()));
            assert_eq!(value(&[&long, given]), expected);
            assert_eq!(value(&[&format!("{long}={given}")]), expected);
            let missing = format!("the required argument for option '{long}' is missing");
            assert_eq!(said(&[&long]).unwrap_err(), missing);
            if let Some(letter) = letter {
                assert_eq!(value(&[&letter, given]), expected);
                assert_eq!(value(&[&format!("{letter}{given}")]), expected);
                assert_eq!(said(&[&letter]).unwrap_err(), missing);
            }
        }
    }

    #[test]
    fn every_number_is_held_to_its_range() {
        for flag in GEARMAND {
            let Takes::Number { min, max, .. } = flag.takes else { continue };
            let long = format!("--{}", flag.long);
            for number in [min, max] {
                assert_eq!(value(&[&long, &number.to_string()]), (flag.long, Some(number.to_string())));
            }
            for bad in [
                (min - 1).to_string(),
                (max + 1).to_string(),
                "x".into(),
                "1.5".into(),
                " 5".into(),
                "0x10".into(),
            ] {
                let why = said(&[&long, &bad]).unwrap_err();
                assert_eq!(why, format!("the argument ('{bad}') for option '{long}' is invalid"));
            }
        }
    }

    #[test]
    fn every_default_is_in_its_range() {
        for flag in GEARMAND {
            for default in flag.default.into_iter().chain(flag.serve_default.flatten()) {
                assert_eq!(value(&[&format!("--{}={default}", flag.long)]).1.as_deref(), Some(default));
            }
        }
    }

    #[test]
    fn no_name_and_no_letter_stands_twice() {
        for (at, one) in GEARMAND.iter().enumerate() {
            assert!(GEARMAND[..at].iter().all(|other| other.long != one.long), "{}", one.long);
            assert!(
                GEARMAND[..at].iter().all(|other| one.short.is_none() || other.short != one.short),
                "{}",
                one.long
            );
        }
    }

    /// Each message as Debian's gearmand 1.1.20 prints it.
    #[test]
    fn mistakes_are_named_as_gearmand_names_them() {
        let cases: &[(&[&str], &str)] = &[
            (&["--x"], "unrecognised option '--x'"),
            (&["--bar=3"], "unrecognised option '--bar=3'"),
            (&["--por", "1"], "unrecognised option '--por'"),
            (&["--PORT=1"], "unrecognised option '--PORT=1'"),
            (&["--=3"], "unrecognised option '--=3'"),
            (&["-v"], "unrecognised option '-v'"),
            (&["-dRx"], "unrecognised option '-dRx'"),
            (&["-dxp3"], "unrecognised option '-dxp3'"),
            (&["-d1"], "unrecognised option '-d1'"),
            (&["-h=1"], "unrecognised option '-h=1'"),
            (&["-"], "unrecognised option '-'"),
            (&["stray"], "unrecognised option 'stray'"),
            (&["--", "x"], "unrecognised option 'x'"),
            (&[""], "unrecognised option"),
            (&["--port"], "the required argument for option '--port' is missing"),
            (&["-t"], "the required argument for option '--threads' is missing"),
            (&["--verbose", "-p", "1"], "the required argument for option '--verbose' is missing"),
            (&["--threads", "x"], "the argument ('x') for option '--threads' is invalid"),
            (&["-tx"], "the argument ('x') for option '--threads' is invalid"),
            (&["--threads", ""], "the argument for option '--threads' is invalid"),
            (&["-j", "-"], "the argument ('-') for option '--job-retries' is invalid"),
            (&["--port=1", "--port=2"], "option '--port' cannot be specified more than once"),
            (&["-p1", "--port=2"], "option '--port' cannot be specified more than once"),
            (&["-dd"], "option '--daemon' cannot be specified more than once"),
            (&["--port="], "the argument for option '--port' should follow immediately after the equal sign"),
            (
                &["--daemon="],
                "the argument for option '--daemon' should follow immediately after the equal sign",
            ),
            (&["--daemon=1"], "option '--daemon' does not take any arguments"),
            (&["-t", "x", "--bar"], "unrecognised option '--bar'"),
            (&["-p", "1", "-p", "2", "--bar"], "unrecognised option '--bar'"),
            (&["--bar", "--port"], "unrecognised option '--bar'"),
            (
                &["--port=", "--bar"],
                "the argument for option '--port' should follow immediately after the equal sign",
            ),
        ];
        for (words, message) in cases {
            assert_eq!(said(words).unwrap_err(), *message, "{words:?}");
        }
    }

    #[test]
    fn words_may_look_like_options_where_gearmand_lets_them() {
        assert_eq!(value(&["-p", "-x"]), ("port", Some("-x".into())));
        assert_eq!(value(&["-j", "-1"]), ("job-retries", Some("-1".into())));
        assert_eq!(value(&["-p=3"]), ("port", Some("=3".into())));
        assert_eq!(value(&["--log-file=--foo"]), ("log-file", Some("--foo".into())));
        assert_eq!(value(&["--backlog", "+5"]), ("backlog", Some("+5".into())));
        assert_eq!(said(&["--"]).unwrap(), []);
        let names: Vec<_> = said(&["-dRp3"]).unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["daemon", "round-robin", "port"]);
    }
}
