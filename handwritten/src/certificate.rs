//! The certificate of a server that speaks TLS.

use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// The certificate of a server that speaks TLS 1.3 and 1.2, with its key.
#[derive(Clone, Debug)]
pub struct Certificate(pub(crate) Arc<ServerConfig>);

impl Certificate {
    /// Loads a certificate in PEM, followed by the intermediate ones, and its key.
    ///
    /// # Errors
    /// Which of the files can't be read or has nothing of its kind, and if they don't belong together.
    pub fn load(certificate: &Path, key: &Path) -> io::Result<Self> {
        let chain =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| unreadable(certificate, error))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
        let refused = |error| io::Error::new(io::ErrorKind::InvalidInput, describe(certificate, &error));
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(refused)?;
        Ok(Self(Arc::new(config)))
    }
}

fn unreadable(file: &Path, error: pem::Error) -> io::Error {
    match error {
        pem::Error::Io(error) => io::Error::new(error.kind(), describe(file, &error)),
        error => io::Error::new(io::ErrorKind::InvalidData, describe(file, &error)),
    }
}

fn describe(file: &Path, error: &dyn fmt::Display) -> String {
    format!("{}: {error}", file.display())
}
