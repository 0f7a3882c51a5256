//! What the options mean for the broker and the server around it.

use std::time::Duration;

use jiff::tz::TimeZone;
use lineshaft::broker::{AlarmLimits, Compat, Config};
use lineshaft::protocol::Limits;
use lineshaft::server::ServerLimits;
use lineshaft::types::LogLevels;

use crate::options::choices::Choices;
use crate::options::{Refusal, refuse};

/// The longest host name in a job handle, in bytes: what the prefix of a handle leaves behind `H:`.
const MAX_NODE: usize = 40;

/// What a peer may send.
pub(super) fn limits(choices: &Choices) -> Limits {
    let default = Limits::default();
    Limits {
        max_packet: size(choices, "max-packet", default.max_packet),
        max_argument: size(choices, "max-argument", default.max_argument),
        max_line: size(choices, "max-line", default.max_line),
        max_words: size(choices, "max-words", default.max_words),
        max_function: size(choices, "max-function", default.max_function),
        max_unique: size(choices, "max-unique", default.max_unique),
    }
}

/// What connections may cost.
pub(super) fn server_limits(choices: &Choices) -> ServerLimits {
    let default = ServerLimits::default();
    ServerLimits {
        max_connections: size(choices, "max-connections", default.max_connections),
        max_output: size(choices, "max-output", default.max_output),
        max_backlog: size(choices, "max-backlog", default.max_backlog),
        max_input: size(choices, "max-input", default.max_input),
    }
}

fn bytes(choices: &Choices, name: &str, default: u64) -> u64 {
    choices.number(name).and_then(|number| u64::try_from(number).ok()).unwrap_or(default)
}

fn size(choices: &Choices, name: &str, default: usize) -> usize {
    choices.number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}

/// How jobs are kept and handed out.
pub(super) fn broker(choices: &Choices, levels: LogLevels) -> Result<Config, Refusal> {
    let default = Config::default();
    let small = |name| choices.number(name).and_then(|number| u32::try_from(number).ok());
    let compat = match choices.text("compat")? {
        Some("2.0") => Compat::V2_0,
        Some("1.1") => Compat::V1_1,
        other => return refuse(format!("--compat is 1.1 or 2.0, not '{}'", other.unwrap_or_default())),
    };
    let handle_prefix = match choices.text("job-handle-prefix")? {
        Some(prefix) => prefix.to_owned(),
        None => format!("H:{}", node_name()),
    };
    let time = |name, default| {
        let seconds = choices.number(name).and_then(|number| u64::try_from(number).ok());
        seconds.map_or(default, Duration::from_secs)
    };
    let grace = choices.number("wake-grace").and_then(|number| u64::try_from(number).ok());
    let config = Config {
        compat,
        round_robin: choices.is_set("round-robin"),
        exceptions: choices.is_set("exceptions"),
        job_retries: small("job-retries").filter(|attempts| *attempts > 0),
        handle_prefix,
        worker_wakeup: small("worker-wakeup"),
        wake_grace: grace.map_or(default.wake_grace, Duration::from_millis),
        max_queue_bytes: bytes(choices, "max-queue-bytes", default.max_queue_bytes),
        max_function_bytes: bytes(choices, "max-function-bytes", default.max_function_bytes),
        max_jobs: size(choices, "max-jobs", default.max_jobs),
        max_function_jobs: size(choices, "max-function-jobs", default.max_function_jobs),
        max_listing: size(choices, "max-listing", default.max_listing),
        max_functions: size(choices, "max-functions", default.max_functions),
        max_abilities: size(choices, "max-abilities", default.max_abilities),
        max_waiting: size(choices, "max-waiting", default.max_waiting),
        max_schedules: size(choices, "max-schedules", default.max_schedules),
        alarms: AlarmLimits {
            oldest: time("alarm-oldest", default.alarms.oldest),
            wake: time("alarm-wake", default.alarms.wake),
        },
        time_zone: time_zone(choices)?,
        pid: std::process::id(),
        log_levels: levels,
        ..default
    };
    match config.check() {
        Ok(()) => Ok(config),
        Err(why) => refuse(why.to_string()),
    }
}

fn time_zone(choices: &Choices) -> Result<TimeZone, Refusal> {
    match choices.text("time-zone")? {
        None => Ok(TimeZone::UTC),
        Some("local") => Ok(TimeZone::system()),
        Some(name) => TimeZone::get(name).map_err(|error| {
            Refusal(format!("--time-zone {name}: {error}; give a name such as Europe/Berlin, UTC, or local"))
        }),
    }
}

/// The host's name, as far as it fits into a job handle.
fn node_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let fits = name.bytes().all(|byte| byte.is_ascii_graphic()) && !name.is_empty();
    if fits { name[..name.len().min(MAX_NODE)].to_owned() } else { "localhost".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use lineshaft::types::LogLevel;

    use super::*;
    use crate::options::choices::Program;
    use crate::options::gearmand;
    use crate::options::parse::{Rules, parse};

    fn choices(words: &[&str]) -> Choices {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let given = parse(&gearmand::on_command_line(), &words, &Rules::GEARMAND).unwrap();
        Choices::resolve(Program::Gearmand, given, &|_| None).unwrap()
    }

    fn config(words: &[&str]) -> Config {
        broker(&choices(words), LogLevels::new(LogLevel::Error)).unwrap()
    }

    #[test]
    fn every_option_arrives_where_it_belongs() {
        assert!(config(&["--exceptions"]).exceptions);
        assert_eq!(config(&["-j", "3"]).job_retries, Some(3));
        assert_eq!(config(&["-j", "0"]).job_retries, None);
        assert_eq!(config(&["-j", "-1"]).job_retries, None);
        assert_eq!(config(&["--job-handle-prefix", "X"]).handle_prefix, "X");
        assert!(config(&["-R"]).round_robin);
        assert_eq!(config(&[]).log_levels.general(), LogLevel::Error);
        assert_eq!(config(&["-w", "0"]).worker_wakeup, Some(0));
        assert_eq!(config(&[]).worker_wakeup, None);
        assert_eq!(config(&["--compat=1.1"]).compat, Compat::V1_1);
        assert_eq!(config(&["--wake-grace=9"]).wake_grace, Duration::from_millis(9));
        assert_eq!(config(&["--alarm-oldest=9"]).alarms.oldest, Duration::from_secs(9));
        assert_eq!(config(&["--alarm-wake=9"]).alarms.wake, Duration::from_secs(9));
        assert_eq!(config(&["--max-queue-bytes=9"]).max_queue_bytes, 9);
        assert_eq!(config(&["--max-function-bytes=9"]).max_function_bytes, 9);
        assert_eq!(config(&["--max-jobs=9"]).max_jobs, 9);
        assert_eq!(config(&["--max-function-jobs=9"]).max_function_jobs, 9);
        assert_eq!(config(&["--max-listing=9"]).max_listing, 9);
        assert_eq!(config(&["--max-functions=9"]).max_functions, 9);
        assert_eq!(config(&["--max-abilities=9"]).max_abilities, 9);
        assert_eq!(config(&["--max-waiting=9"]).max_waiting, 9);
        assert_eq!(config(&["--max-schedules=9"]).max_schedules, 9);
        assert_eq!(config(&["--time-zone=UTC"]).time_zone, TimeZone::UTC);
        let words =
            ["--max-packet=9999", "--max-argument=999", "--max-line=888", "--max-words=7", "--max-unique=9"];
        let expected = Limits {
            max_packet: 9999,
            max_argument: 999,
            max_line: 888,
            max_words: 7,
            max_unique: 9,
            max_function: 8,
        };
        assert_eq!(limits(&choices(&[&words[..], &["--max-function=8"]].concat())), expected);
        let words = ["--max-connections=9", "--max-output=9999", "--max-backlog=99999", "--max-input=999999"];
        let expected =
            ServerLimits { max_connections: 9, max_output: 9999, max_backlog: 99_999, max_input: 999_999 };
        assert_eq!(server_limits(&choices(&words)), expected);
    }

    #[test]
    fn the_table_names_the_defaults_of_the_library() {
        let (choices, default) = (choices(&[]), Config::default());
        assert_eq!(limits(&choices), Limits::default());
        assert_eq!(server_limits(&choices), ServerLimits::default());
        let config = config(&[]);
        assert_eq!(
            (config.compat, config.job_retries, config.wake_grace),
            (default.compat, default.job_retries, default.wake_grace)
        );
        assert_eq!(
            (config.max_queue_bytes, config.max_function_bytes, config.max_functions),
            (default.max_queue_bytes, default.max_function_bytes, default.max_functions)
        );
        assert_eq!(
            (config.max_abilities, config.max_waiting, config.max_schedules),
            (default.max_abilities, default.max_waiting, default.max_schedules)
        );
        assert_eq!(config.alarms, default.alarms);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (words, why) in [
            (["--compat", "3"], "--compat is 1.1 or 2.0, not '3'"),
            (["--time-zone", "Nowhere"], "--time-zone Nowhere: "),
        ] {
            let refusal = broker(&choices(&words), LogLevels::new(LogLevel::Error)).unwrap_err();
            assert!(refusal.0.starts_with(why), "{refusal}");
        }
    }

    #[test]
    fn the_name_of_the_host_fits_into_a_handle() {
        assert!((1..=MAX_NODE).contains(&node_name().len()));
    }
}
