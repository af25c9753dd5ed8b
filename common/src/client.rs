//! Who is at the other end of a connection.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io, option};

use crate::{Cell, Handle};

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

/// An end of a connection.
///
/// ```
/// use std::net::SocketAddr;
///
/// use anyloop::Address;
///
/// let address = Address::from(SocketAddr::from(([127, 0, 0, 1], 8888)));
/// assert_eq!(address.to_string(), "127.0.0.1:8888");
/// assert_eq!(Address::Unknown.ip(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An address and a port of TCP.
    Ip(SocketAddr),
    /// A Unix socket, and its path if it has one. Clients have none, as a rule.
    Unix(Option<Arc<Path>>),
    /// It is not known.
    #[default]
    Unknown,
}

impl Address {
    /// The address and port, if it is one of TCP.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Unknown => None,
        }
    }
}

/// So `TcpStream::connect` takes it.
impl ToSocketAddrs for Address {
    type Iter = option::IntoIter<SocketAddr>;

    /// # Errors
    /// `InvalidInput` if it is no address of TCP.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, format!("`{self}` is no address of TCP"));
        self.ip().map(|address| Some(address).into_iter()).ok_or_else(none)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

/// As the flag `--listen` takes it: `127.0.0.1:8888` or `unix:/run/server.sock`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("unix"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        let ip = SocketAddr::from(([127, 0, 0, 1], 8888));
        assert_eq!(Address::from(ip).to_string(), "127.0.0.1:8888");
        assert_eq!(Address::Unix(Some(Path::new("/run/a").into())).to_string(), "unix:/run/a");
        assert_eq!(
            (Address::Unix(None).to_string(), Address::Unknown.to_string()),
            ("unix".into(), "unknown".into())
        );
        assert_eq!(size_of::<Address>(), size_of::<SocketAddr>());
    }
}
