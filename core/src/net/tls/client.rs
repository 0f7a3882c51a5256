//! A client's or worker's side of TLS.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::server::{refused_pair, warn_of_dates};
use super::{Pem, Session, provider, roots, unusable};
use crate::error::Result;

/// TLS for a client, worker or admin client: whom it trusts, and who it is. Files have been read; a clone costs next to nothing.
///
/// ```no_run
/// use lineshaft::blocking::Client;
/// use lineshaft::client::Options;
/// use lineshaft::net::ClientTls;
///
/// let tls = ClientTls::builder("ca.pem").certificate("client.pem", "client.key").build()?;
/// let client = Client::with_options("queue.example", Options { tls: Some(tls), ..Options::default() })?;
/// # Ok::<(), lineshaft::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    /// The name to be verified; that of the address where there is none.
    server_name: Option<ServerName<'static>>,
}

/// What a [`ClientTls`] is made from.
#[derive(Clone, Debug)]
pub struct ClientTlsBuilder {
    authorities: Pem,
    identity: Option<(Pem, Pem)>,
    server_name: Option<String>,
}

impl ClientTls {
    /// Trusts servers whose certificate one of these authorities has signed, and which is for the host of their address, a name or
    /// a number. Nobody else is trusted, not even the system's authorities.
    pub fn builder(authorities: impl Into<Pem>) -> ClientTlsBuilder {
        ClientTlsBuilder { authorities: authorities.into(), identity: None, server_name: None }
    }

    /// Begins a session with the server at `host`.
    pub(crate) fn session(&self, host: &str) -> io::Result<Session> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| {
                let why = format!("no certificate can be for '{host}': give the server's name for TLS");
                io::Error::new(io::ErrorKind::InvalidInput, why)
            })?,
        };
        let connection = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        Ok(Session::new(connection))
    }
}

impl ClientTlsBuilder {
    /// Shows this certificate to servers that ask for one.
    #[must_use]
    pub fn certificate(mut self, certificate: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        self.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Expects a certificate for this name, whatever the address says: for a server that is reached by a tunnel.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument): a file that cannot be read, that holds something else, a key
    /// that is of another certificate, or a server's name that is none. It says which.
    pub fn build(self) -> Result<ClientTls> {
        let provider = provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots(&self.authorities)?, provider.clone());
        let verifier = verifier
            .build()
            .map_err(|error| unusable(format!("CA certificate {}: {error}", self.authorities)))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_webpki_verifier(verifier);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificate.certificates("client certificate")?;
                warn_of_dates(certificate, &chain);
                builder
                    .with_client_auth_cert(chain, key.key()?)
                    .map_err(|error| refused_pair(certificate, key, &error))?
            }
        };
        let server_name = self.server_name.map(|name| {
            ServerName::try_from(name.clone())
                .map_err(|_| unusable(format!("'{name}' is neither a host's name nor an address")))
        });
        Ok(ClientTls { config: Arc::new(config), server_name: server_name.transpose()? })
    }
}
