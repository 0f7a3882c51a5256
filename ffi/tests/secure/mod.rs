//! A broker that speaks TLS alone and lets nobody in without a certificate, and the files that programs need for it.

use lineshaft::net::{Address, ServerTls, Verify};
use lineshaft::server::Server;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};

/// The broker and its folder, with `ca.pem`, `client.pem`, `client.key`, and `other.pem`, an authority that has signed nothing.
pub(crate) struct Secure {
    pub(crate) server: Server,
    pub(crate) folder: PathBuf,
}

impl Secure {
    pub(crate) fn start(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("a file");
        let [authority, other] = ["mill", "another mill"].map(authority);
        write("ca.pem", authority.pem());
        write("other.pem", other.pem());
        let (client, client_key) = signed(&authority, &[]);
        write("client.pem", client);
        write("client.key", client_key);
        let (certificate, key) = signed(&authority, &["127.0.0.1", "localhost"]);
        let tls = ServerTls::new(certificate.into_bytes(), key.into_bytes())
            .client_ca(authority.pem().into_bytes(), Verify::Required);
        let address: Address = "127.0.0.1:0".parse().expect("an address");
        let server = Server::builder().listen_tls(address).tls(tls).start().expect("a broker");
        Self { server, folder }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        // What stays there hinders nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate for `names`, and its key.
fn signed(authority: &CertifiedIssuer<'static, KeyPair>, names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let params = CertificateParams::new(names).expect("names");
    let key = KeyPair::generate().expect("a key");
    (params.signed_by(&key, authority).expect("a certificate").pem(), key.serialize_pem())
}
