//! TLS 1.3 and 1.2 for anyloop, by rustls, as a [`Transform`](common::Transform) of all bytes: the same on every backend.
//!
//! - An [`Acceptor`] is TLS of a server. It offers a certificate, or many that are chosen by the server name that a client
//!   requests; it may ask clients for certificates; and it reloads all of them without touching connections.
//! - A [`Connector`] is TLS of a client.
//!
//! What is known of a client is in [`Client::tls`](common::Client::tls). Early data is not accepted, since it can be replayed.
//! Sessions are resumed by tickets, which outlive a reload; and not at all if clients present certificates, since these would
//! not be verified again.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../../docs/tls.md")]
mod guide {}

mod acceptor;
mod certificates;
mod connector;
mod engine;
mod fault;
mod pem;
mod settings;

pub use acceptor::Acceptor;
pub use connector::Connector;
pub use fault::{Advice, Fault};
pub use settings::{AcceptorSettings, CertificateFiles, ConnectorSettings, Trust};
