//! What TLS is made from: files, and what the two ends are to agree upon.

use std::path::{Path, PathBuf};

use crate::Advice;

/// The files of a server, and what it offers.
///
/// ```
/// use anyloop_tls::AcceptorSettings;
///
/// let settings = AcceptorSettings::default()
///     .with_certificate("server.crt", "server.key")
///     .with_client_authorities("clients.crt")
///     .with_alpn(["line"]);
/// assert_eq!(settings.alpn, [b"line"]);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AcceptorSettings {
    /// The certificate of clients that request no server name, or one that no certificate of the folder is valid for.
    pub certificate: Option<CertificateFiles>,
    /// A folder with certificates `NAME.crt` and their keys `NAME.key`. A client gets the one that is valid for the server name
    /// it requests.
    pub folder: Option<PathBuf>,
    /// The authorities of clients. With them, a client must present a certificate that one of them has issued.
    pub client_authorities: Option<PathBuf>,
    /// The application protocols that are offered (ALPN), the preferred one first.
    pub alpn: Vec<Vec<u8>>,
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFiles {
    /// The certificate in PEM, followed by the intermediate ones.
    pub certificate: PathBuf,
    /// Its private key in PEM. It may be the same file.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// The certificate of these files.
    pub fn new(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self { certificate: certificate.as_ref().to_owned(), key: key.as_ref().to_owned() }
    }
}

impl AcceptorSettings {
    /// Sets the [certificate](Self::certificate).
    pub fn with_certificate(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self { certificate: Some(CertificateFiles::new(certificate, key)), ..self }
    }

    /// Sets the [folder](Self::folder).
    pub fn with_folder(self, folder: impl AsRef<Path>) -> Self {
        Self { folder: Some(folder.as_ref().to_owned()), ..self }
    }

    /// Sets the file with the [authorities of clients](Self::client_authorities).
    pub fn with_client_authorities(self, file: impl AsRef<Path>) -> Self {
        Self { client_authorities: Some(file.as_ref().to_owned()), ..self }
    }

    /// Sets the [application protocols](Self::alpn).
    pub fn with_alpn<N: Into<Vec<u8>>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { alpn: names.into_iter().map(Into::into).collect(), ..self }
    }
}

/// What a client trusts, presents and offers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectorSettings {
    /// Which servers are trusted.
    pub trust: Trust,
    /// The certificate that is presented to a server that asks for one.
    pub certificate: Option<CertificateFiles>,
    /// The application protocols that are offered (ALPN), the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// Whether every connection makes a full handshake, and resumes no earlier session.
    pub without_resumption: bool,
    /// Whether nothing newer than TLS 1.2 is offered.
    pub only_tls12: bool,
    /// What is said behind the description of a failure.
    pub advice: Option<Advice>,
}

/// Which servers a client trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Those with a certificate of an authority that the system trusts.
    #[default]
    System,
    /// Those with a certificate of an authority in this PEM file.
    Authorities(PathBuf),
    /// All: the certificate is not verified, so anybody may be at the other end. For tests.
    Anybody,
}

impl ConnectorSettings {
    /// Sets [which servers are trusted](Self::trust).
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Sets the [certificate](Self::certificate).
    pub fn with_certificate(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self { certificate: Some(CertificateFiles::new(certificate, key)), ..self }
    }

    /// Sets the [application protocols](Self::alpn).
    pub fn with_alpn<N: Into<Vec<u8>>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { alpn: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Makes [every handshake a full one](Self::without_resumption).
    pub fn with_full_handshakes(self) -> Self {
        Self { without_resumption: true, ..self }
    }

    /// Offers [nothing newer than TLS 1.2](Self::only_tls12).
    pub fn with_only_tls12(self) -> Self {
        Self { only_tls12: true, ..self }
    }

    /// Sets the [advice](Self::advice) for each fault.
    pub fn with_advice(self, advice: Advice) -> Self {
        Self { advice: Some(advice), ..self }
    }
}
