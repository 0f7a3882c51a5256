//! TLS of a client or worker: its files, and what is made of them when it first connects.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use lineshaft::net::ClientTls;
use lineshaft::{Error, ErrorKind, Result};

/// The variables that name files where the program does not, with the files where neither does.
const CA: (&str, &str) = ("GEARMAND_CA_CERTIFICATE", "/etc/ssl/certs/gearmand-ca.pem");
const CERTIFICATE: (&str, &str) = ("GEARMAN_CLIENT_PEM", "/etc/ssl/certs/gearman.pem");
const KEY: (&str, &str) = ("GEARMAN_CLIENT_KEY", "/etc/ssl/certs/gearman.key");

/// What a program has said of TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    /// It wants TLS.
    pub(crate) on: bool,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    /// From the files as they were when it was first needed.
    made: OnceCell<ClientTls>,
}

impl Tls {
    /// Sets the files, each empty for what the environment says, or the usual place. They are read with the next connection.
    pub(crate) fn set_files(&mut self, ca: &[u8], certificate: &[u8], key: &[u8]) {
        let path = |bytes: &[u8]| (!bytes.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(bytes)));
        (self.ca, self.certificate, self.key) = (path(ca), path(certificate), path(key));
        self.made = OnceCell::new();
    }

    /// What a connection is made with; `None` for plain text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] names the file that cannot be used.
    pub(crate) fn client(&self) -> Result<Option<ClientTls>> {
        if !self.on {
            return Ok(None);
        }
        if let Some(made) = self.made.get() {
            return Ok(Some(made.clone()));
        }
        let named = |own: &Option<PathBuf>, (name, _): (&str, &str)| {
            own.clone().or_else(|| environment(name).map(PathBuf::from))
        };
        let mut tls = ClientTls::builder(named(&self.ca, CA).unwrap_or_else(|| CA.1.into()));
        match (named(&self.certificate, CERTIFICATE), named(&self.key, KEY)) {
            (Some(certificate), Some(key)) => tls = tls.certificate(certificate, key),
            // libgearman insists on a certificate; a server that asks for none is content without.
            (None, None) if Path::new(CERTIFICATE.1).exists() => {
                tls = tls.certificate(CERTIFICATE.1, KEY.1);
            }
            (None, None) => {}
            _ => {
                let why = format!("a certificate and its key go together: {} and {}", CERTIFICATE.0, KEY.0);
                return Err(Error::new(ErrorKind::InvalidArgument, "tls", why));
            }
        }
        let made = tls.build()?;
        Ok(Some(self.made.get_or_init(|| made).clone()))
    }
}

/// The variable `name`, where it is set and not empty.
#[allow(clippy::disallowed_methods, reason = "libgearman's settings, and read nowhere else")]
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
