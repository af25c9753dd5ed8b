//! The client of a connection.

use std::sync::Arc;

use crate::{Address, Handle, Limits, Record};

/// The client that a session is opened for.
///
/// ```
/// use std::net::SocketAddr;
///
/// use anyloop::Client;
///
/// let address = SocketAddr::from(([127, 0, 0, 1], 50_000));
/// let client = Client::new(address); // for tests; a server creates it itself
/// assert!(client.peer.ip().is_some_and(|address| address.ip().is_loopback()));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// The address that the client connected from.
    pub peer: Address,
    /// The address of the server that the client connected to.
    pub local: Address,
    /// The number of the client, which is unique within a server.
    pub number: u64,
    /// Whether the framing determines the ends of messages. It does not in `raw`, where a line that a user typed still
    /// includes its line end.
    pub framed: bool,
    /// What is known of the client by TLS, if the connection uses TLS.
    pub tls: Option<Arc<TlsInfo>>,
    handle: Handle,
}

/// What is known of a client by TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The server name that the client has requested (SNI).
    pub server_name: Option<String>,
    /// The negotiated protocol (ALPN).
    pub alpn: Option<Vec<u8>>,
    /// The certificate that the client presented, in DER, if the server requested one.
    pub certificate: Option<Vec<u8>>,
    /// The negotiated version, such as `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The negotiated cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: Option<&'static str>,
    /// Whether the handshake has resumed an earlier session.
    pub is_resumed: bool,
}

impl Client {
    /// A client that connected from `peer`. All other fields have defaults.
    pub fn new(peer: impl Into<Address>) -> Self {
        Self::with_record(peer, 0, Arc::default())
    }

    /// A client that connected from `peer`, with the given number and record.
    pub fn with_record(peer: impl Into<Address>, number: u64, record: Arc<Record>) -> Self {
        let handle = Handle::new(record, number);
        Self { peer: peer.into(), local: Address::Unknown, number, framed: true, tls: None, handle }
    }

    /// Returns a handle to the client, by which any thread can push messages to it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The same client with a new record, with these limits.
    pub(crate) fn with_limits(self, limits: &Limits) -> Self {
        let handle = Handle::new(Arc::new(Record::new(limits, 0)), self.number);
        Self { handle, ..self }
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        self.handle.record()
    }
}
