//! What an error of rustls means, in words.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use x509_cert::der::DateTime;

use crate::{Advice, Fault};

/// Why the connection of a client has failed.
pub(super) fn of_client(error: &Error) -> String {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the client does not speak TLS".to_owned()
        }
        error => error.to_string(),
    }
}

/// Why the connection to a server has failed, and what to do about it.
pub(super) fn of_server(error: &Error, advice: Option<Advice>) -> String {
    let (fault, text) = match error {
        // rustls calls it a corrupt message if the peer does not speak TLS at all.
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            (Some(Fault::NoTls), "the server does not speak TLS".to_owned())
        }
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => of_alert(*alert),
        error => (None, error.to_string()),
    };
    match fault.zip(advice) {
        Some((fault, advice)) => format!("{text}; {}", advice(fault)),
        None => text,
    }
}

fn of_certificate(error: &CertificateError) -> (Option<Fault>, String) {
    let (fault, text) = match error {
        CertificateError::UnknownIssuer => {
            (Fault::UnknownAuthority, "is of an authority that is not trusted".to_owned())
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            (Fault::Expired, format!("has expired on {}", date(*not_after)))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            (Fault::Expired, format!("is not valid before {}", date(*not_before)))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(" and ") };
            (Fault::WrongName, format!("is valid for {names}, and not for {}", expected.to_str()))
        }
        // The error of webpki for it has no counterpart in rustls.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            (Fault::IsAuthority, "is one of an authority, and not one of a server".to_owned())
        }
        error => return (None, format!("the certificate of the server can't be trusted: {error}")),
    };
    (Some(fault), format!("the certificate of the server {text}"))
}

fn of_alert(alert: AlertDescription) -> (Option<Fault>, String) {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, HandshakeFailure, InsufficientSecurity, NoApplicationProtocol, ProtocolVersion,
        UnknownCA, UnrecognisedName, UnsupportedCertificate,
    };
    let (fault, text) = match alert {
        CertificateRequired => {
            (Fault::CertificateRequired, "the server requires a certificate of its clients")
        }
        BadCertificate
        | CertificateExpired
        | CertificateRevoked
        | CertificateUnknown
        | UnknownCA
        | UnsupportedCertificate => {
            (Fault::CertificateRefused, "the server refuses the certificate of this client")
        }
        // rustls denies access where it has no certificate for a name.
        UnrecognisedName | AccessDenied => {
            (Fault::UnknownName, "the server has no certificate for the requested name")
        }
        NoApplicationProtocol => {
            (Fault::NoCommonProtocol, "the server speaks none of the offered application protocols")
        }
        HandshakeFailure | ProtocolVersion | InsufficientSecurity => {
            (Fault::Refused, "the server refuses the handshake")
        }
        alert => return (None, Error::AlertReceived(alert).to_string()),
    };
    (Some(fault), format!("{text} (alert {alert:?})"))
}

/// A time as a date, such as `2021-01-01T00:00:00Z`.
fn date(time: UnixTime) -> String {
    let date = DateTime::from_unix_duration(std::time::Duration::from_secs(time.as_secs()));
    date.map_or_else(|_| time.as_secs().to_string(), |date| date.to_string())
}

/// A name that rustls writes as `DnsName("example.org")` or `IpAddress(127.0.0.1)`.
fn plain(name: &str) -> &str {
    let name = name.strip_prefix("DnsName(").or(name.strip_prefix("IpAddress(")).unwrap_or(name);
    name.trim_end_matches(')').trim_matches('"')
}
