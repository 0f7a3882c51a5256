//! What the options say of TLS, and what the settings file says of rights.

use std::path::PathBuf;
use std::time::Duration;

use lineshaft::broker::{Grant, Right};
use lineshaft::net::{ServerTls, Verify};
use serde::Deserialize;

use crate::options::choices::Choices;
use crate::options::toml_file::Table;
use crate::options::{Given, Refusal, Source, refuse};

/// The options that are of no use without --ssl.
const FILES: [&str; 4] = ["ssl-ca-file", "ssl-certificate", "ssl-key", "ssl-verify"];

/// TLS for the port, where it is to have it.
pub(super) fn settings(choices: &Choices) -> Result<Option<ServerTls>, Refusal> {
    if !choices.is_set("ssl") {
        let said = |given: &&Given| matches!(given.source, Source::CommandLine | Source::File { .. });
        if let Some(Given { name, source, .. }) =
            FILES.iter().filter_map(|name| choices.find(name)).find(said)
        {
            return refuse(format!(
                "--{name} ({source}) is of no use without --ssl: add it, or leave both out"
            ));
        }
        return Ok(None);
    }
    let file = |name: &str| -> Result<PathBuf, Refusal> {
        choices.path(name).ok_or_else(|| {
            Refusal(format!("--ssl needs --{name}; `lineshaft tls init FOLDER` makes certificates and keys"))
        })
    };
    let mut tls = ServerTls::new(file("ssl-certificate")?, file("ssl-key")?);
    let authorities = choices.path("ssl-ca-file");
    let verify = match choices.text("ssl-verify")?.unwrap_or_default() {
        "none" => Verify::None,
        "optional" => Verify::Optional,
        "required" if authorities.is_none() => {
            return refuse("--ssl-verify required needs --ssl-ca-file, to know which certificates are good");
        }
        "required" => Verify::Required,
        other => return refuse(format!("--ssl-verify is none, optional or required, not '{other}'")),
    };
    if let Some(authorities) = authorities {
        tls = tls.client_ca(authorities, verify);
    }
    if let Some(handshakes) =
        choices.number("ssl-max-handshakes").and_then(|number| usize::try_from(number).ok())
    {
        tls = tls.max_handshakes(handshakes);
    }
    if let Some(seconds) =
        choices.number("ssl-handshake-timeout").and_then(|number| u64::try_from(number).ok())
    {
        tls = tls.handshake_timeout(Duration::from_secs(seconds));
    }
    Ok(Some(tls))
}

/// One table `[[rights]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rights {
    identity: String,
    rights: Vec<String>,
    #[serde(default = "all_functions")]
    functions: Vec<String>,
}

fn all_functions() -> Vec<String> {
    vec!["*".to_owned()]
}

/// The tables `[[rights]]`.
pub(super) fn rights(choices: &Choices) -> Result<Vec<Grant>, Refusal> {
    choices.tables().iter().map(grant).collect()
}

fn grant(table: &Table) -> Result<Grant, Refusal> {
    let Rights { identity, rights, functions } = table.read()?;
    if identity.is_empty() || rights.is_empty() || functions.is_empty() {
        return Err(table.refusal("identity, rights and functions must not be empty; '*' stands for all"));
    }
    let right = |name: &String| {
        Right::from_name(name).ok_or_else(|| {
            table.refusal(&format!("there is no right '{name}': submit, work and admin are all"))
        })
    };
    Ok(Grant { identity, rights: rights.iter().map(right).collect::<Result<_, _>>()?, functions })
}
