//! The certificate of a comparison over TLS.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use load::plan::TransformHook;
use tempfile::TempDir;
use tls::{Connector, ConnectorSettings, Trust};

use crate::failure::Failure;

/// A certificate that is made for one comparison, in a temporary folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Certificate {
    folder: TempDir,
}

/// The name that the certificate is valid for.
const NAME: &str = "localhost";

impl Certificate {
    /// Makes one that signs itself, with a key of P-256.
    pub(super) fn make() -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::Failed(format!("--tls: no certificate could be made: {error}"))
        };
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(|error| failed(&error))?;
        let folder = TempDir::with_prefix("anyloop-compare-").map_err(|error| failed(&error))?;
        let certificate = Self { folder };
        write(&certificate.file(), &made.cert.pem())
            .and_then(|()| write(&certificate.key(), &made.signing_key.serialize_pem()))
            .map_err(|error| failed(&error))?;
        Ok(certificate)
    }

    /// The file of the certificate, in PEM.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    /// The file of its key, in PEM.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.path().join("server.key")
    }

    /// The arguments of this program's servers that name the files.
    pub(super) fn arguments(&self) -> [OsString; 4] {
        ["--tls-cert".into(), self.file().into(), "--tls-key".into(), self.key().into()]
    }

    /// TLS of the load generator, which trusts this certificate alone.
    pub(super) fn transform(&self) -> Result<TransformHook, Failure> {
        let settings = ConnectorSettings::default().with_trust(Trust::Authorities(self.file()));
        let connector = Connector::new(&settings).map_err(|error| Failure::of(&error))?;
        Ok(TransformHook::new("TLS", move || connector.transform(NAME)))
    }
}

/// Writes a file to which only its owner has access.
fn write(file: &Path, content: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(content.as_bytes())
}
