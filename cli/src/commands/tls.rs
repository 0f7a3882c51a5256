//! `lineshaft tls`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::{Span, Zoned};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::exit::{Exit, Failure};
use crate::surroundings;

#[derive(Debug, Subcommand)]
pub(super) enum Tls {
    /// Make an authority, and certificates for a server and a client, to try TLS with.
    Init(Init),
}

/// Writes ca.pem, server.pem and client.pem, and a key for each that only you can read. Nothing is ever overwritten.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// The folder; made where it is not there.
    folder: PathBuf,
    /// Name or address under which clients reach the server; may be repeated [default: localhost, 127.0.0.1, ::1 and this
    /// host's name].
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Name of the client, to which rights can be bound.
    #[arg(long, value_name = "NAME", default_value = "client")]
    client: String,
    /// Days until the certificates expire.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    days: u16,
}

impl Tls {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Init(init) => init.run(),
        }
    }
}

/// A file that is to be written.
struct Made {
    name: &'static str,
    mode: u32,
    text: String,
}

impl Init {
    fn run(self) -> Result<ExitCode, Failure> {
        let made = self.make().map_err(|error| {
            Failure::new(Exit::Usage, format!("no certificate can be made: {error}; look at the names"))
        })?;
        fs::create_dir_all(&self.folder).map_err(|error| Failure::system(self.folder.display(), &error))?;
        if let Some(there) = made.iter().find(|made| self.folder.join(made.name).exists()) {
            let path = self.folder.join(there.name);
            let text = format!("{} is there already; name another folder, or move it away", path.display());
            return Err(Failure::new(Exit::System, text));
        }
        for Made { name, mode, text } in &made {
            let path = self.folder.join(name);
            let file = OpenOptions::new().write(true).create_new(true).mode(*mode).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|error| Failure::system(path.display(), &error))?;
        }
        let folder = fs::canonicalize(&self.folder).unwrap_or(self.folder.clone());
        io::stdout().write_all(self.advice(&folder).as_bytes())?;
        Ok(Exit::Done.own())
    }

    fn names(&self) -> Vec<String> {
        if !self.names.is_empty() {
            return self.names.clone();
        }
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        names.extend(host.filter(|host| !host.is_empty() && host != "localhost"));
        names
    }

    fn params(&self, names: Vec<String>, common_name: &str) -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let now = surroundings::local_time();
        // Clocks differ by less than a day, wherever they are.
        let ((y, m, d), until) = (day(&now, -1), day(&now, i64::from(self.days)));
        params.not_before = rcgen::date_time_ymd(y, m, d);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        Ok(params)
    }

    fn make(&self) -> Result<Vec<Made>, rcgen::Error> {
        let mut authority = self.params(Vec::new(), "Lineshaft authority for trying TLS")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let names = self.names();
        let first = names.first().cloned().unwrap_or_default();
        let mut server = self.params(names, &first)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut client = self.params(Vec::new(), &self.client)?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (server_key, client_key) = (KeyPair::generate()?, KeyPair::generate()?);
        let certificate = |name, text| Made { name, mode: 0o644, text };
        let key = |name, key: &KeyPair| Made { name, mode: 0o600, text: key.serialize_pem() };
        Ok(vec![
            certificate("ca.pem", authority.pem()),
            key("ca.key", authority.key()),
            certificate("server.pem", server.signed_by(&server_key, &authority)?.pem()),
            key("server.key", &server_key),
            certificate("client.pem", client.signed_by(&client_key, &authority)?.pem()),
            key("client.key", &client_key),
        ])
    }

    /// What to type next.
    fn advice(&self, folder: &Path) -> String {
        let file = |name: &str| quoted(&folder.join(name).display().to_string());
        let [ca, server, server_key, client, client_key] =
            ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"].map(file);
        let (names, days) = (self.names().join(", "), self.days);
        format!(
            "Certificates for {days} days: the server as {names}; the client as {who}.

The server, which lets nobody in without a certificate of this authority:
  lineshaft serve --ssl --ssl-certificate {server} --ssl-key {server_key} --ssl-ca-file {ca} --ssl-verify required

Clients, workers and tools:
  lineshaft status --ssl --ssl-ca-file {ca} --ssl-certificate {client} --ssl-key {client_key}

gearman, gearadmin and programs with libgearman:
  export GEARMAND_CA_CERTIFICATE={ca} GEARMAN_CLIENT_PEM={client} GEARMAN_CLIENT_KEY={client_key}
  gearadmin -S --status
",
            who = self.client
        )
    }
}

/// `days` days from `now`; the last day that there is where that is too far.
fn day(now: &Zoned, days: i64) -> (i32, u8, u8) {
    let date = now.date().saturating_add(Span::new().days(days));
    (date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// As a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("/a/b-c.pem"), "/a/b-c.pem");
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
