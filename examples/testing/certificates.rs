//! Authorities and certificates for tests, as files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use tempfile::TempDir;

/// An authority, and a folder for its certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key, in PEM files.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What a certificate is to be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// It expired in 2021.
    pub(crate) is_expired: bool,
    /// Its key is one of RSA with 2048 bits, and not one of P-256.
    pub(crate) is_rsa: bool,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("authority.pem"), certificate.pem()).expect("a file");
        Self { issuer: Issuer::new(params, key), folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority's own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("authority.pem")
    }

    /// Issues a certificate for these names, and writes `NAME.crt` and `NAME.key`.
    pub(crate) fn issue(&self, name: &str, names: &[&str]) -> Certificate {
        self.issue_as(name, names, Wanted::default())
    }

    pub(crate) fn issue_as(&self, name: &str, names: &[&str], wanted: Wanted) -> Certificate {
        let key = if wanted.is_rsa {
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
        } else {
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        };
        let key = key.expect("a key");
        let mut params = params(name, names);
        if wanted.is_expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let issued = params.signed_by(&key, &self.issuer).expect("a certificate");
        let [certificate, key_file] =
            ["crt", "key"].map(|extension| self.folder().join(format!("{name}.{extension}")));
        fs::write(&certificate, issued.pem()).expect("a file");
        write_key(&key_file, &key.serialize_pem());
        Certificate { certificate, key: key_file }
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_key(path: &Path, content: &str) {
    fs::write(path, content).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
