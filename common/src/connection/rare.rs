//! Parts of a connection that are kept small, since each idle client has them.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Instant;

use crate::{Address, Client};

/// What few connections have, or only for a short time.
#[derive(Debug)]
pub(super) enum Rare {
    /// The client that the application will be opened for.
    Client(Client),
    /// The timer of the session, once it was opened.
    Timer(SessionTimer),
}

/// The timer of a session.
#[derive(Debug)]
pub(super) enum SessionTimer {
    /// When it expires.
    Set(Instant),
    /// It has expired, and the session was not called yet.
    Expired,
}

/// The address of a client. It is small for IPv4, which most clients use.
pub(super) enum Peer {
    V4(SocketAddrV4),
    Other(Box<Address>),
}

impl Peer {
    pub(super) fn new(address: &Address) -> Self {
        match address {
            Address::Ip(SocketAddr::V4(address)) => Self::V4(*address),
            other => Self::Other(Box::new(other.clone())),
        }
    }

    pub(super) fn address(&self) -> Address {
        match self {
            Self::V4(address) => Address::Ip(SocketAddr::V4(*address)),
            Self::Other(address) => Address::clone(address),
        }
    }
}
