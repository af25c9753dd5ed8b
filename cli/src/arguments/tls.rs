//! The arguments of `serve` that are about TLS.

use std::path::PathBuf;

use clap::Args;

/// Certificates, and what is asked of clients.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Tls {
    /// Certificate in PEM, followed by the intermediate ones, with which TLS 1.3 and 1.2 are served, and nothing else
    #[arg(long, env, help_heading = TLS, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert in PEM; only its owner, and the group of one that root owns, may have access to it
    #[arg(long, env, help_heading = TLS, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Folder with certificates NAME.crt and keys NAME.key, chosen by the server name (SNI) that a client requests; all other
    /// clients get --tls-cert, or are refused
    #[arg(long, env, help_heading = TLS, value_name = "DIR")]
    pub(crate) tls_certs: Option<PathBuf>,

    /// Require a certificate of clients, issued by an authority in this PEM file; then no session is resumed
    #[arg(long, env, help_heading = TLS, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// Application protocols (ALPN) to offer, the preferred one first; clients that offer only others are refused
    #[arg(long, env, help_heading = TLS, value_name = "NAME", value_delimiter = ',')]
    pub(crate) tls_alpn: Vec<String>,
}

/// The heading of the help.
const TLS: &str = "TLS";
