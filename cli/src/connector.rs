//! TLS of `client` and `load`: its flags, and what they make of a connection.

use std::io;
use std::path::PathBuf;

use clap::Args;
use common::Transform;
use tls::{Connector, ConnectorSettings, Fault, Trust};

use crate::address::Target;
use crate::arguments::boolean;
use crate::failure::{Failure, warn};

/// Whether TLS is spoken, and whom it trusts.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Secure {
    /// Speak TLS 1.3 or 1.2 with the server, whose certificate an authority must have issued that the system trusts
    #[arg(long, env, help_heading = TLS, value_parser = boolean)]
    tls: bool,

    /// Authorities to trust in place of those of the system, as certificates in a PEM file
    #[arg(long, env, help_heading = TLS, value_name = "FILE", requires = "tls")]
    tls_ca: Option<PathBuf>,

    /// Do not verify the certificate: anybody may be at the other end, and read and change what is sent. For tests
    #[arg(long, help_heading = TLS, requires = "tls", conflicts_with = "tls_ca")]
    tls_insecure: bool,

    /// Name that is requested of the server (SNI) and that its certificate must be valid for: a DNS name or an IP address
    /// [default: HOST]
    #[arg(long, env, help_heading = TLS, value_name = "NAME", requires = "tls")]
    tls_server_name: Option<String>,

    /// Certificate to present to a server that requires one, in PEM, followed by the intermediate ones
    #[arg(long, env, help_heading = TLS, value_name = "FILE", requires_all = ["tls", "tls_key"])]
    tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert in PEM; only its owner, and the group of one that root owns, may have access to it
    #[arg(long, env, help_heading = TLS, value_name = "FILE", requires_all = ["tls", "tls_cert"])]
    tls_key: Option<PathBuf>,

    /// Application protocols (ALPN) to offer, the preferred one first
    #[arg(long, env, help_heading = TLS, value_name = "NAME", value_delimiter = ',', requires = "tls")]
    tls_alpn: Vec<String>,
}

/// The heading of the help.
pub(crate) const TLS: &str = "TLS";

/// Creates the transform of each connection to a server.
pub(crate) struct Connect {
    connector: Connector,
    server_name: String,
}

impl Secure {
    /// Loads the files that these flags name, for connections to this server; `None` without --tls. Warns if the server is
    /// not verified. With `full_handshakes` no session is resumed.
    pub(crate) fn connect(&self, target: &Target, full_handshakes: bool) -> Result<Option<Connect>, Failure> {
        if !self.tls {
            return Ok(None);
        }
        let server_name = self.tls_server_name.clone().or_else(|| target.host()).ok_or_else(|| {
            let why = "has no name that a certificate could be valid for; write one by --tls-server-name";
            Failure::Usage(format!("{target} {why}"))
        })?;
        let mut settings = ConnectorSettings::default()
            .with_alpn(self.tls_alpn.iter().map(String::as_str))
            .with_advice(advice);
        if let Some(file) = &self.tls_ca {
            settings = settings.with_trust(Trust::Authorities(file.clone()));
        }
        if self.tls_insecure {
            settings = settings.with_trust(Trust::Anybody);
        }
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            settings = settings.with_certificate(certificate, key);
        }
        if full_handshakes {
            settings = settings.with_full_handshakes();
        }
        let connector = Connector::new(&settings).map_err(|error| Failure::of(&error))?;
        let connect = Connect { connector, server_name };
        connect.transform().map_err(|error| Failure::of(&error))?; // before anything connects
        if self.tls_insecure {
            warn(
                "--tls-insecure: the certificate of the server is not verified, so anybody may read and change what is sent",
            );
        }
        Ok(Some(connect))
    }
}

impl Connect {
    /// The transform of a connection.
    pub(crate) fn transform(&self) -> io::Result<Box<dyn Transform>> {
        self.connector.transform(&self.server_name)
    }
}

/// What to do about a fault.
fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::NoTls => "leave out --tls, or choose the port at which it does",
        Fault::UnknownAuthority => {
            "name the file with its certificate by --tls-ca, or, in tests, write --tls-insecure"
        }
        Fault::Expired => "renew it at the server, and check the clock of this machine",
        Fault::WrongName => "connect to a name that it is valid for, or choose that by --tls-server-name",
        Fault::IsAuthority => "issue one for the server, with CA:FALSE, and name the authority by --tls-ca",
        Fault::CertificateRequired => "give one by --tls-cert and --tls-key",
        Fault::CertificateRefused => {
            "give one by --tls-cert and --tls-key that has not expired, of an authority that the server trusts"
        }
        Fault::UnknownName => "choose another by --tls-server-name",
        Fault::NoCommonProtocol => "offer others by --tls-alpn",
        Fault::Refused => {
            "it may require a certificate, which --tls-cert and --tls-key give, or a version other than TLS 1.2 and 1.3"
        }
        _ => "see the log of the server",
    }
}
