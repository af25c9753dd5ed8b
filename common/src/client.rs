//! Who is at the other end of a connection.

use std::sync::Arc;

use crate::{Address, Cell, Handle};

/// The client that a session is opened for.
///
/// ```
/// use std::net::SocketAddr;
///
/// use anyloop::Client;
///
/// let address = SocketAddr::from(([127, 0, 0, 1], 50_000));
/// let client = Client::new(address); // as in a test; a server makes its own
/// assert!(client.peer.ip().is_some_and(|address| address.ip().is_loopback()));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// The address that it has connected from.
    pub peer: Address,
    /// The address of the server that it has connected to.
    pub local: Address,
    /// Its number: no two clients of one server have the same.
    pub number: u64,
    /// Whether the framing tells for certain where a message ends. Not so in `raw`, where a line that
    /// somebody typed may still have its line end.
    pub framed: bool,
    /// What TLS tells of it, where its connection is encrypted.
    pub tls: Option<Arc<TlsInfo>>,
    handle: Handle,
}

/// What TLS tells of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The name of the server that the client has asked for.
    pub server_name: Option<String>,
    /// The protocol that both have agreed on (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// The certificate that the client has shown, in DER, if it was asked for one.
    pub certificate: Option<Vec<u8>>,
}

impl Client {
    /// A client that has connected from `peer`, of which nothing else is known.
    pub fn new(peer: impl Into<Address>) -> Self {
        Self::with_cell(peer, 0, Arc::new(Cell::default()))
    }

    /// A client that has connected from `peer`, with this number, and is reached by its connection's `cell`.
    pub fn with_cell(
        peer: impl Into<Address>,
        number: u64,
        cell: Arc<dyn AsRef<Cell> + Send + Sync>,
    ) -> Self {
        let handle = Handle::new(cell, number);
        Self { peer: peer.into(), local: Address::Unknown, number, framed: true, tls: None, handle }
    }

    /// What reaches this client from any thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}
