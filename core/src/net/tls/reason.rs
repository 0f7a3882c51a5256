//! What has gone wrong, in words that say what to do.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// What to say of an error that a client has met: what it has against the server, or the server against it.
pub(crate) fn of_client(error: &io::Error) -> String {
    reason(error, "server", "; does this port take TLS?", |alert| match alert {
        AlertDescription::CertificateRequired => {
            Some("the server asks for a client certificate: give one, with its key".to_owned())
        }
        _ => None,
    })
}

/// The same for a server, of a client.
pub(crate) fn of_server(error: &io::Error) -> String {
    reason(error, "client", "", |_| None)
}

fn reason(
    error: &io::Error,
    peer: &str,
    hint: &str,
    own: impl Fn(AlertDescription) -> Option<String>,
) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return format!("the {peer} has closed the connection during the TLS handshake{hint}");
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        None => error.to_string(),
        Some(Error::InvalidMessage(_)) => format!("the {peer} does not speak TLS here"),
        Some(Error::NoCertificatesPresented) => format!("the {peer} has shown no certificate"),
        Some(Error::AlertReceived(alert)) => own(*alert).unwrap_or_else(|| of_alert(*alert, peer)),
        Some(Error::InvalidCertificate(why)) => of_certificate(why, peer),
        Some(other) => other.to_string(),
    }
}

fn of_alert(alert: AlertDescription, peer: &str) -> String {
    use AlertDescription as Alert;
    let why = match alert {
        Alert::UnknownCA => "it is signed by an authority that is unknown there",
        Alert::CertificateExpired => "it has expired, or is not valid yet",
        Alert::CertificateRevoked => "it has been revoked",
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate => {
            "it is not valid there"
        }
        Alert::DecryptError => "its signature is wrong",
        Alert::ProtocolVersion => return format!("the {peer} speaks neither TLS 1.2 nor TLS 1.3"),
        other => return format!("the {peer} ends the connection with the alert {other:?}"),
    };
    format!("the {peer} refuses our certificate: {why} ({alert:?})")
}

fn of_certificate(error: &CertificateError, peer: &str) -> String {
    use CertificateError as Why;
    let why = match error {
        Why::Expired | Why::ExpiredContext { .. } => "it has expired: renew it, or set the clock".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "it is not valid yet: look at the clocks".to_owned()
        }
        Why::UnknownIssuer => "it is not signed by an authority of the CA file".to_owned(),
        Why::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            let names = match &presented[..] {
                [] => "it has no alternative names".to_owned(),
                presented => format!("it is for {}", presented.join(", ")),
            };
            format!("it is not for '{expected}': {names}")
        }
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            format!("it is not meant for a {peer} (extended key usage)")
        }
        other => other.to_string(),
    };
    format!("the {peer}'s certificate is refused: {why}")
}
