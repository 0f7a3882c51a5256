//! A server's side of TLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::certificate::Certificate;
use super::{Pem, provider, roots, unusable};
use crate::error::{Error, Result};
use crate::types::Identity;

/// What is asked of clients. All of it needs a CA; without one nobody is asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Nobody is asked for a certificate.
    None,
    /// Who shows a certificate must have a good one; who shows none is let in, without a name.
    #[default]
    Optional,
    /// Who shows no good certificate is not let in.
    Required,
}

/// Settings of TLS for a server.
#[derive(Clone, Debug)]
pub struct ServerTls {
    certificate: Pem,
    key: Pem,
    client_ca: Option<Pem>,
    verify: Verify,
    max_handshakes: usize,
    handshake_timeout: Duration,
}

impl ServerTls {
    /// A server with this certificate (with those between it and the authority behind it, where there are any) and its key, which
    /// asks nobody for a certificate. Files are read when the server starts, and at each
    /// [`Server::reload_tls`](crate::server::Server::reload_tls).
    pub fn new(certificate: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: None,
            verify: Verify::None,
            max_handshakes: 4096,
            handshake_timeout: Duration::from_secs(10),
        }
    }

    /// Asks clients for certificates that one of these authorities has signed.
    #[must_use]
    pub fn client_ca(mut self, authorities: impl Into<Pem>, verify: Verify) -> Self {
        self.client_ca = Some(authorities.into());
        self.verify = verify;
        self
    }

    /// Handshakes that may be under way at once; further connections are closed. Default 4096; each costs about 10 kB.
    #[must_use]
    pub const fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.max_handshakes = handshakes;
        self
    }

    /// How long a peer may take for its handshake. Default 10 s.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Reads everything, as a start would.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) names what cannot be used.
    pub fn check(&self) -> Result<()> {
        self.config().map(|_| ())
    }

    /// How many handshakes at once, and how long each.
    pub(crate) const fn handshakes(&self) -> (usize, Duration) {
        (self.max_handshakes, self.handshake_timeout)
    }

    /// Reads everything and puts it together.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument): a file that cannot be read, that holds something else, a key
    /// that is of another certificate. It names the file.
    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>> {
        let chain = self.certificate.certificates("certificate")?;
        let key = self.key.key()?;
        warn_of_dates(&self.certificate, &chain);
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?;
        let mut asks = false;
        let builder = match &self.client_ca {
            Some(authorities) if self.verify != Verify::None => {
                asks = true;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots(authorities)?, provider);
                let verifier = match self.verify {
                    Verify::Required => verifier.build(),
                    Verify::Optional | Verify::None => verifier.allow_unauthenticated().build(),
                };
                let verifier =
                    verifier.map_err(|error| unusable(format!("CA certificate {authorities}: {error}")))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| refused_pair(&self.certificate, &self.key, &error))?;
        if asks {
            // A session that is taken up again brings the client's certificate along, and nobody looks whether it is still good.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }
}

/// The error for a certificate that cannot be used with a key.
pub(super) fn refused_pair(certificate: &Pem, key: &Pem, error: &rustls::Error) -> Error {
    unusable(match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("key {key} does not belong to the certificate {certificate}: name the pair")
        }
        error => format!("certificate {certificate} with key {key}: {error}"),
    })
}

/// Says that our own certificate is of no use today; peers will refuse it.
pub(super) fn warn_of_dates(certificate: &Pem, chain: &[CertificateDer<'_>]) {
    let Some(read) = chain.first().and_then(|first| Certificate::read(first)) else { return };
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    if read.not_after < now {
        tracing::warn!(target: "lineshaft::tls", "the certificate {certificate} has expired: peers will refuse it; renew it");
    } else if read.not_before > now {
        tracing::warn!(target: "lineshaft::tls", "the certificate {certificate} is not valid yet: peers will refuse it; look at the clock");
    }
}

/// Who a client is that has shown these certificates, after they have been verified.
pub(crate) fn identity(shown: Option<&[CertificateDer<'_>]>) -> Identity {
    let Some(first) = shown.and_then(<[_]>::first) else { return Identity::Anonymous };
    let names = Certificate::read(first).unwrap_or_default().names;
    Identity::Certificate(names.into())
}
