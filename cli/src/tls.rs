//! TLS of the programs that talk to a server: which files, from options, from libgearman's variables, or where libgearman looks.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use lineshaft::net::ClientTls;

use crate::exit::{Exit, Failure};

/// The variables of libgearman with the files that hold where they are not set.
const CA: (&str, &str) = ("GEARMAND_CA_CERTIFICATE", "/etc/ssl/certs/gearmand-ca.pem");
const CERTIFICATE: (&str, &str) = ("GEARMAN_CLIENT_PEM", "/etc/ssl/certs/gearman.pem");
const KEY: (&str, &str) = ("GEARMAN_CLIENT_KEY", "/etc/ssl/certs/gearman.key");

/// The variable of the authorities, which turns TLS on for `gearman`.
pub(crate) const CA_VARIABLE: &str = CA.0;

/// How a command reaches its server.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsOptions {
    /// Speak TLS, and trust only servers that the CA file vouches for. Unix sockets stay plain.
    #[arg(long)]
    ssl: bool,
    /// Certificates of trusted authorities [default: GEARMAND_CA_CERTIFICATE, or else /etc/ssl/certs/gearmand-ca.pem].
    #[arg(long, value_name = "FILE", requires = "ssl")]
    ssl_ca_file: Option<PathBuf>,
    /// Certificate to show to the server [default: GEARMAN_CLIENT_PEM, or else /etc/ssl/certs/gearman.pem where there is one].
    #[arg(long, value_name = "FILE", requires = "ssl")]
    ssl_certificate: Option<PathBuf>,
    /// Its key [default: GEARMAN_CLIENT_KEY, or else /etc/ssl/certs/gearman.key].
    #[arg(long, value_name = "FILE", requires = "ssl")]
    ssl_key: Option<PathBuf>,
    /// Name that the server's certificate has to be for, where it is not the one of the address.
    #[arg(long, value_name = "NAME", requires = "ssl")]
    ssl_server_name: Option<String>,
}

/// Reads one environment variable.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl TlsOptions {
    /// On or off, and nothing else is said.
    pub(crate) fn switched(ssl: bool) -> Self {
        Self { ssl, ..Self::default() }
    }

    /// What connections are made with; `None` for plain text.
    pub(crate) fn client(&self, env: Environment<'_>) -> Result<Option<ClientTls>, Failure> {
        if !self.ssl {
            return Ok(None);
        }
        let files = Files::find(self, env, &|path| path.exists())?;
        let mut tls = ClientTls::builder(files.ca);
        if let Some((certificate, key)) = files.own {
            tls = tls.certificate(certificate, key);
        }
        if let Some(name) = &self.ssl_server_name {
            tls = tls.server_name(name);
        }
        tls.build().map(Some).map_err(|error| Failure::new(Exit::Usage, error.detail()))
    }
}

/// The files that are read.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    ca: PathBuf,
    /// Certificate and key.
    own: Option<(PathBuf, PathBuf)>,
}

impl Files {
    fn find(
        options: &TlsOptions,
        env: Environment<'_>,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Result<Self, Failure> {
        let named = |option: &Option<PathBuf>, (variable, _): (&str, &str)| {
            option.clone().or_else(|| env(variable).map(PathBuf::from))
        };
        let ca = named(&options.ssl_ca_file, CA).unwrap_or_else(|| CA.1.into());
        let own = match (named(&options.ssl_certificate, CERTIFICATE), named(&options.ssl_key, KEY)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => exists(Path::new(CERTIFICATE.1)).then(|| (CERTIFICATE.1.into(), KEY.1.into())),
            (Some(certificate), None) => {
                let text = format!(
                    "certificate {}: its key is missing (--ssl-key or {})",
                    certificate.display(),
                    KEY.0
                );
                return Err(Failure::new(Exit::Usage, text));
            }
            (None, Some(key)) => {
                let text = format!(
                    "key {}: its certificate is missing (--ssl-certificate or {})",
                    key.display(),
                    CERTIFICATE.0
                );
                return Err(Failure::new(Exit::Usage, text));
            }
        };
        Ok(Self { ca, own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(options: &TlsOptions, vars: &[(&str, &str)], there: bool) -> Result<Files, String> {
        let env = |name: &str| vars.iter().find(|(var, _)| *var == name).map(|(_, value)| value.into());
        Files::find(options, &env, &|_| there).map_err(|failure| failure.text)
    }

    #[test]
    fn options_go_before_variables_and_variables_before_the_usual_places() {
        let on = TlsOptions::switched(true);
        let usual = ("/etc/ssl/certs/gearman.pem".into(), "/etc/ssl/certs/gearman.key".into());
        let ca = PathBuf::from("/etc/ssl/certs/gearmand-ca.pem");
        assert_eq!(find(&on, &[], false).unwrap(), Files { ca: ca.clone(), own: None });
        assert_eq!(find(&on, &[], true).unwrap(), Files { ca, own: Some(usual) });
        let vars = [(CA.0, "ca"), (CERTIFICATE.0, "c"), (KEY.0, "k")];
        let expected = Files { ca: "ca".into(), own: Some(("c".into(), "k".into())) };
        assert_eq!(find(&on, &vars, true).unwrap(), expected);
        let named = TlsOptions { ssl_ca_file: Some("x".into()), ssl_key: Some("y".into()), ..on.clone() };
        let expected = Files { ca: "x".into(), own: Some(("c".into(), "y".into())) };
        assert_eq!(find(&named, &vars, true).unwrap(), expected);
        assert!(find(&named, &[], true).unwrap_err().starts_with("key y: its certificate is missing"));
        assert!(find(&on, &vars[..2], true).unwrap_err().starts_with("certificate c: its key is missing"));
    }
}
