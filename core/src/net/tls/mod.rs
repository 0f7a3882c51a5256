//! TLS for servers, clients and workers, by rustls with ring: both are named explicitly, never made the process' default, because
//! we live inside other programs.

mod certificate;
mod client;
mod pem;
mod reason;
mod server;
mod session;

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

use crate::error::{Error, ErrorKind, Result};

pub use client::{ClientTls, ClientTlsBuilder};
pub use pem::Pem;
pub(crate) use reason::{of_client, of_server};
pub(crate) use server::identity;
pub use server::{ServerTls, Verify};
pub(crate) use session::Session;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, "tls", why)
}

/// The authorities whose certificates are trusted.
fn roots(authorities: &Pem) -> Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities.certificates("CA certificate")? {
        roots.add(certificate).map_err(|error| {
            unusable(format!(
                "CA certificate {authorities}: {error}; a certificate of an authority is needed"
            ))
        })?;
    }
    Ok(Arc::new(roots))
}
