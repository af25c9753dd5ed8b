//! TLS of a client.

use std::io;

use common::Transform;

use crate::acceptor::check_alpn;
use crate::{ConnectorSettings, engine};

/// TLS of a client: it creates the [`Transform`] of each connection to a server.
///
/// The transform sends first: [`Transform::open`] without input writes what is to be sent. After [`Opened::Broken`],
/// [`Transform::failure`] says why, for example that the certificate of the server has expired.
///
/// [`Opened::Broken`]: common::Opened::Broken
#[derive(Clone, Debug)]
pub struct Connector(engine::Connector);

impl Connector {
    /// Loads the files of these settings.
    ///
    /// # Errors
    /// Those of [`Acceptor::new`](crate::Acceptor::new), and if the system trusts no authority.
    pub fn new(settings: &ConnectorSettings) -> io::Result<Self> {
        check_alpn(&settings.alpn)?;
        engine::Connector::new(settings).map(Self)
    }

    /// Creates the transform of a connection to this server, whose certificate must be valid for this name: a DNS name, or an
    /// IP address.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is neither.
    pub fn transform(&self, server_name: &str) -> io::Result<Box<dyn Transform>> {
        self.0.transform(server_name)
    }
}
