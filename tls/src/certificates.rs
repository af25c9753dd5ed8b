//! The certificates of a server, chosen by the server name that a client requests.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::engine::Identity;
use crate::pem::{self, invalid, unreadable};
use crate::{AcceptorSettings, CertificateFiles};

/// The certificates that a server has loaded.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    /// That of clients whose server name no other is valid for.
    default: Option<Identity>,
    /// Those of the folder, by the names that they are valid for. A name such as `*.example.org` is without the star.
    named: HashMap<String, Vec<(PathBuf, Identity)>>,
    pub(crate) count: usize,
    pub(crate) warnings: Vec<String>,
}

impl Certificates {
    /// Loads the certificates of these settings.
    pub(crate) fn load(settings: &AcceptorSettings, now: SystemTime) -> io::Result<Self> {
        let mut certificates = Self::default();
        if let Some(files) = &settings.certificate {
            certificates.default = Some(certificates.identity(files, now)?.0);
        }
        if let Some(folder) = &settings.folder {
            for files in pairs(folder)? {
                certificates.add(&files, now)?;
            }
        }
        if certificates.count == 0 {
            let error = "TLS needs a certificate and its key, or a folder with certificates";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        Ok(certificates)
    }

    /// The certificates that are valid for a server name, in the order in which they are to be tried.
    pub(crate) fn of(&self, server_name: Option<&str>) -> impl Iterator<Item = &Identity> {
        let name = server_name.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let exact = name.as_deref().and_then(|name| self.named.get(name));
        let parent = || name.as_deref().and_then(|name| self.named.get(&name[name.find('.')?..]));
        let named = exact.or_else(parent).map(Vec::as_slice).unwrap_or_default();
        named.iter().map(|(_, identity)| identity).chain(&self.default)
    }

    /// Loads a certificate. Returns the names that it is valid for, too.
    fn identity(&mut self, files: &CertificateFiles, now: SystemTime) -> io::Result<(Identity, Vec<String>)> {
        let chain = pem::read_certificates(&files.certificate)?;
        let names = pem::names(&chain);
        self.warnings.extend(pem::warnings(&files.certificate, &chain, now));
        self.count += 1;
        Ok((Identity::new(files, chain)?, names))
    }

    /// Adds a certificate for the names that it is valid for.
    fn add(&mut self, files: &CertificateFiles, now: SystemTime) -> io::Result<()> {
        let path = &files.certificate;
        let (identity, names) = self.identity(files, now)?;
        if names.is_empty() {
            return Err(invalid(path, "is valid for no DNS name, so no server name chooses it"));
        }
        for name in names {
            let others = self.named.entry(name.strip_prefix('*').unwrap_or(&name).to_owned()).or_default();
            if let Some((other, _)) = others.iter().find(|(_, other)| other.has_same_algorithm(&identity)) {
                let other = other.display();
                return Err(invalid(
                    path,
                    format_args!("is valid for {name}, and so is {other}; remove one of them"),
                ));
            }
            others.push((path.clone(), identity.clone()));
            others.sort_by_key(|(_, identity)| identity.is_rsa());
        }
        Ok(())
    }
}

/// The certificates of a folder, in the order of their names. Files with other extensions, and hidden ones, are ignored.
fn pairs(folder: &Path) -> io::Result<Vec<CertificateFiles>> {
    let unreadable = |error: io::Error| unreadable(folder, &error);
    let mut pairs = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let (certificate, key) = (path.with_extension("crt"), path.with_extension("key"));
        let extension = path.extension().and_then(OsStr::to_str);
        match extension {
            Some("crt") if key.exists() => pairs.push(CertificateFiles { certificate, key }),
            Some("crt") => {
                return Err(invalid(
                    &certificate,
                    format_args!("has no key: {} does not exist", key.display()),
                ));
            }
            Some("key") if !certificate.exists() => {
                return Err(invalid(
                    &key,
                    format_args!("has no certificate: {} does not exist", certificate.display()),
                ));
            }
            _ => {}
        }
    }
    if pairs.is_empty() {
        return Err(invalid(
            folder,
            "contains no certificates, which are named NAME.crt with their keys NAME.key",
        ));
    }
    pairs.sort_by(|one, other| one.certificate.cmp(&other.certificate));
    Ok(pairs)
}
