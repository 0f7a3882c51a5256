//! Where HTTP is spoken, as the options say it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lineshaft::net::Address;
use lineshaft::server::Http;

use crate::exit::{Exit, Failure, reason};
use crate::options::choices::Choices;
use crate::options::{Refusal, refuse};

/// The longest token that is read, in bytes.
const MAX_TOKEN: usize = 4096;

/// HTTP, with a token that is still to be read.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    http: Http,
    token_file: Option<PathBuf>,
    /// The port of gearmand's HTTP, where that is spoken.
    pub(super) gearmand: Option<String>,
}

impl HttpSettings {
    pub(super) fn read(choices: &Choices) -> Result<Self, Refusal> {
        let default = Http::default();
        let gearmand = match choices.text("protocol")? {
            None => None,
            Some("http") => Some(choices.text("http-port")?.unwrap_or_default().to_owned()),
            Some(other) => return refuse(format!("Unknown protocol module : {other}")),
        };
        let size = |name, default| {
            choices.number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
        };
        let listen = choices.text("http")?.map(|text| text.split(',').map(|one| address(one.trim())));
        let hosts = choices.text("http-hosts")?.unwrap_or_default();
        let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
        // A page of a stranger cannot make this machine's own name mean something else.
        let own = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let http = Http {
            listen: listen.into_iter().flatten().collect::<Result<_, _>>()?,
            hosts: hosts.map(str::to_owned).chain(own).collect(),
            gearmand: Vec::new(),
            token: None,
            max_connections: size("http-connections", default.max_connections),
            max_head: size("http-max-head", default.max_head),
            max_body: size("http-max-body", default.max_body),
            max_listeners: size("http-listeners", default.max_listeners),
            max_result: size("http-max-result", default.max_result),
            max_metric_functions: size("http-metrics-functions", default.max_metric_functions),
            patience: choices
                .number("http-patience")
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map_or(default.patience, Duration::from_secs),
        };
        Ok(Self { http, token_file: choices.path("http-token-file"), gearmand })
    }

    /// Reads the token, which this process may no longer be able to when it has become another user.
    pub(super) fn with_token(&self) -> Result<Http, Failure> {
        let token = self.token_file.as_deref().map(read_token).transpose()?;
        Ok(Http { token, ..self.http.clone() })
    }
}

fn address(text: &str) -> Result<Address, Refusal> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port });
    }
    // Without a port an address would mean Gearman's.
    let behind = text.rsplit_once(':').map(|(before, port)| !before.is_empty() && !port.contains(']'));
    let bare = text.parse::<std::net::Ipv6Addr>().is_ok();
    if bare || (!text.starts_with("unix:") && behind != Some(true)) {
        return refuse(format!("--http {text}: a port is missing; write PORT, HOST:PORT or unix:PATH"));
    }
    text.parse().map_err(|error: lineshaft::Error| Refusal(format!("--http {}", error.detail())))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let failed = |why: &str| {
        let path = path.display();
        Failure::new(Exit::System, format!("cannot use the token in {path} (--http-token-file): {why}"))
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&reason(&error)))?;
    let token = text.trim();
    if token.is_empty() || token.len() > MAX_TOKEN || token.contains(char::is_control) {
        return Err(failed(&format!("it has to be one line of 1 to {MAX_TOKEN} bytes")));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_need_a_port() {
        for (text, shown) in [
            ("8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:1", "localhost:1"),
            ("unix:/run/x", "unix:/run/x"),
        ] {
            assert_eq!(address(text).map(|address| address.to_string()).ok().as_deref(), Some(shown));
        }
        for wrong in ["", "localhost", "::1", "[::1]", "1:", "a:b", "unix:", "70000"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
