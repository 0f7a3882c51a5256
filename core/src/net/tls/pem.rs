//! Certificates and keys, as files or bytes.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::unusable;
use crate::error::Result;

/// The largest file of certificates or keys that is read, in bytes.
const MAX_PEM: u64 = 4 << 20;

/// Certificates or a key in PEM form.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In this file. It is read whenever the settings are put to use.
    File(PathBuf),
    /// These bytes.
    Bytes(Arc<[u8]>),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key is nobody's business.
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes(bytes) => write!(f, "({} bytes)", bytes.len()),
        }
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&str> for Pem {
    /// The path of a file.
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

impl From<&[u8]> for Pem {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Vec<u8>> for Pem {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Pem {
    fn read(&self, what: &str) -> Result<Arc<[u8]>> {
        let path = match self {
            Self::Bytes(bytes) => return Ok(bytes.clone()),
            Self::File(path) => path,
        };
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_PEM + 1).read_to_end(&mut bytes));
        match read {
            Ok(length) if length as u64 > MAX_PEM => {
                Err(unusable(format!("{what} {self}: longer than {MAX_PEM} bytes; is it another file?")))
            }
            Ok(_) => Ok(bytes.into()),
            Err(error) => Err(unusable(format!("{what} {self}: {error}; name a file that can be read"))),
        }
    }

    /// All certificates, at least one. `what` they are, for errors.
    pub(super) fn certificates(&self, what: &str) -> Result<Vec<CertificateDer<'static>>> {
        let bytes = self.read(what)?;
        let all: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&bytes).collect();
        match all {
            Ok(all) if all.is_empty() => {
                let hint = if holds(&bytes, "PRIVATE KEY-----") {
                    "it holds a key: have certificate and key changed places?"
                } else if bytes.first() == Some(&0x30) {
                    "it seems to be DER: `openssl x509 -inform der` makes PEM of it"
                } else {
                    "it has to hold `-----BEGIN CERTIFICATE-----`"
                };
                Err(unusable(format!("{what} {self}: no certificate in it; {hint}")))
            }
            Ok(all) => Ok(all),
            Err(error) => Err(unusable(format!("{what} {self}: {error}; the file is damaged"))),
        }
    }

    /// The key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>> {
        let bytes = self.read("key")?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
            let text = match error {
                PemError::NoItemsFound if holds(&bytes, "ENCRYPTED") => {
                    "it is encrypted, and nobody is there to be asked for the password: `openssl pkey` takes it off".into()
                }
                PemError::NoItemsFound if holds(&bytes, "BEGIN CERTIFICATE") => {
                    "no key in it but a certificate: have certificate and key changed places?".into()
                }
                PemError::NoItemsFound => "no key in it; it has to hold `-----BEGIN PRIVATE KEY-----`".into(),
                error => format!("{error}; the file is damaged"),
            };
            unusable(format!("key {self}: {text}"))
        })
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}
