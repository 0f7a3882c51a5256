//! Environment variables that look like settings and are none.

use std::ffi::{OsStr, OsString};

use super::Standing;
use super::choices::variable;
use super::gearmand;
use super::nearest::suggestion;

/// What the variables of settings begin with.
const PREFIX: &str = "LINESHAFT_";

/// One sentence about each variable that names no setting. They are warnings, where an unknown key in a file is an error: a file is
/// written for us alone, but the environment is shared, with variables that an orchestrator or a newer release has set.
pub(crate) fn strangers(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<String> {
    let flags = gearmand::on_command_line();
    let known: Vec<String> =
        flags.iter().filter(|flag| flag.standing == Standing::Works).map(|flag| variable(flag)).collect();
    let mut all: Vec<String> = variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) && !is_of_a_cluster(name, value))
        .filter(|(name, _)| name != crate::daemon::detach::MARK)
        .filter(|(name, _)| !flags.iter().any(|flag| variable(flag) == *name))
        .map(|(name, _)| {
            let near = suggestion(&name, known.iter().map(String::as_str));
            format!("environment {name} names no setting and has no effect{near}")
        })
        .collect();
    all.sort();
    all
}

/// Kubernetes sets such variables for every service in sight: one called `lineshaft` has `LINESHAFT_PORT=tcp://10.0.0.7:4730`,
/// `LINESHAFT_SERVICE_HOST` and `LINESHAFT_PORT_4730_TCP_PROTO`.
pub(crate) fn is_link(value: &OsStr) -> bool {
    let value = value.as_encoded_bytes();
    value.starts_with(b"tcp://") || value.starts_with(b"udp://")
}

fn is_of_a_cluster(name: &str, value: &OsStr) -> bool {
    let of_a_port = |(_, rest): (&str, &str)| rest.starts_with(|first: char| first.is_ascii_digit());
    let of_a_service = name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    is_link(value) || of_a_service || name.rsplit_once("_PORT_").is_some_and(of_a_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_without_a_setting_are_named_with_the_nearest_one() {
        let of = |name: &str, value: &str| strangers([(name.into(), value.into())]);
        assert_eq!(
            of("LINESHAFT_THREAD", "3"),
            [
                "environment LINESHAFT_THREAD names no setting and has no effect; did you mean 'LINESHAFT_THREADS'?"
            ]
        );
        assert_eq!(
            of("LINESHAFT_COLOUR_OF_THE_LOG", "1"),
            ["environment LINESHAFT_COLOUR_OF_THE_LOG names no setting and has no effect"]
        );
        for (name, value) in [
            ("LINESHAFT_THREADS", "3"),
            ("THREAD", "3"),
            ("LINESHAFT_DETACHED_BY", "3"),
            ("LINESHAFT_SERVICE_HOST", "10.0.0.7"),
            ("LINESHAFT_SERVICE_PORT_GEAR", "4730"),
            ("LINESHAFT_PORT_4730_TCP_PROTO", "tcp"),
            ("LINESHAFT_METRICS_PORT", "tcp://10.0.0.7:9100"),
        ] {
            assert!(of(name, value).is_empty(), "{name}");
        }
    }
}
