//! Certificates and keys in PEM files, and what is checked before they are used.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Certificates as they are sent, the one's own first.
pub(crate) type Chain = Vec<CertificateDer<'static>>;

/// The longest file that is read. A bundle of all public authorities has less than 300 KiB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Reads all certificates of a file, at least one.
pub(crate) fn read_certificates(path: &Path) -> io::Result<Chain> {
    let content = read(path)?;
    let parsed: Result<Chain, _> = CertificateDer::pem_slice_iter(&content).collect();
    let chain = parsed.map_err(|error| broken(path, &error))?;
    if chain.is_empty() {
        return Err(invalid(
            path,
            "contains no certificate in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
        ));
    }
    for certificate in &chain {
        Certificate::from_der(certificate)
            .map_err(|error| invalid(path, format_args!("contains a broken certificate: {error}")))?;
    }
    Ok(chain)
}

/// Reads the private key of a file that others can't read.
pub(crate) fn read_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let content = read(path)?;
    let key = PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted(&content) => invalid(
            path,
            "contains an encrypted key, for which nobody is asked for a password; write it without one, by `openssl pkey`",
        ),
        pem::Error::NoItemsFound => {
            invalid(path, "contains no private key in PEM, which begins with `-----BEGIN PRIVATE KEY-----`")
        }
        error => broken(path, &error),
    })?;
    check_permissions(path)?; // of a key: who names another file by mistake should not be told to chmod it
    Ok(key)
}

/// Checks that only the owner of a key, and of one of root's also its group, has access to it. This is the rule of
/// PostgreSQL.
fn check_permissions(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let (mode, is_file) = (metadata.mode() & 0o777, metadata.is_file());
    let (denied, advice) = if metadata.uid() == 0 { (0o037, "640") } else { (0o077, "600") };
    if is_file && mode & denied != 0 {
        return Err(invalid(
            path,
            format_args!(
                "is a private key with permissions {mode:o}, so others have access to it; chmod {advice}"
            ),
        ));
    }
    Ok(())
}

fn is_encrypted(content: &[u8]) -> bool {
    let content = String::from_utf8_lossy(content);
    content.contains("BEGIN ENCRYPTED PRIVATE KEY") || content.contains("Proc-Type: 4,ENCRYPTED")
}

/// The DNS names that the first certificate of a chain is valid for, in lower case.
pub(crate) fn names(chain: &[CertificateDer<'static>]) -> Vec<String> {
    let certificate = chain.first().and_then(|certificate| Certificate::from_der(certificate).ok());
    let extension = certificate.and_then(|certificate| {
        certificate.tbs_certificate().get_extension::<SubjectAltName>().ok().flatten()
    });
    let names = extension.map(|(_, names)| names.0).unwrap_or_default();
    let dns_name = |name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    };
    names.into_iter().filter_map(dns_name).collect()
}

/// What is wrong with the validity of these certificates now: a warning for each that has expired, or is not valid yet.
pub(crate) fn warnings(path: &Path, chain: &[CertificateDer<'static>], now: SystemTime) -> Vec<String> {
    let warning = |certificate: &CertificateDer<'static>| {
        let certificate = Certificate::from_der(certificate).ok()?;
        let (validity, subject) =
            (certificate.tbs_certificate().validity(), certificate.tbs_certificate().subject());
        let (from, until) = (validity.not_before, validity.not_after);
        let path = path.display();
        if until.to_system_time() < now {
            Some(format!(
                "{path}: the certificate of {subject} has expired on {until}; clients will refuse it"
            ))
        } else if from.to_system_time() > now {
            Some(format!(
                "{path}: the certificate of {subject} is not valid before {from}; clients will refuse it"
            ))
        } else {
            None
        }
    };
    chain.iter().filter_map(warning).collect()
}

/// Reads a file that is not empty.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut content));
    file.map_err(|error| unreadable(path, &error))?;
    match content.len() as u64 {
        0 => Err(invalid(path, "is empty")),
        1..=MAX_FILE => Ok(content),
        _ => {
            Err(invalid(path, format_args!("is longer than {MAX_FILE} bytes, so it contains something else")))
        }
    }
}

/// An error of the system, which may pass later.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> io::Error {
    let kind = match error.kind() {
        ErrorKind::InvalidInput => ErrorKind::Other,
        kind => kind,
    };
    io::Error::new(kind, format!("{} can't be read: {error}", path.display()))
}

/// An error in the content of a file.
pub(crate) fn invalid(path: &Path, what: impl Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{} {what}", path.display()))
}

fn broken(path: &Path, error: &pem::Error) -> io::Error {
    match error {
        pem::Error::MissingSectionEnd { .. } => invalid(path, "is cut off: a PEM section has no end"),
        error => invalid(path, format_args!("contains broken PEM: {error}")),
    }
}
