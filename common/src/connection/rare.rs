//! Parts of a connection that are kept small, since each idle client has them.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Instant;

use super::Connection;
use crate::{Address, Client, ErrorReply};

/// What few connections have, or only for a short time.
#[derive(Debug)]
pub(super) enum Rare {
    /// The client that the application will be opened for.
    Client(Client),
    /// The timer of the session, once it was opened.
    Timer(SessionTimer),
    /// The error with which the conversation ends, until the protocol writes it where it may block.
    Error(ErrorReply),
}

impl Connection {
    /// Whether the protocol is to write an error where it may block.
    pub(super) fn owes_error(&self) -> bool {
        matches!(self.rare.as_deref(), Some(Rare::Error(_)))
    }

    /// Takes the error that the protocol is to write.
    pub(super) fn take_error(&mut self) -> Option<ErrorReply> {
        match *self.rare.take_if(|rare| matches!(**rare, Rare::Error(_)))? {
            Rare::Error(error) => Some(error),
            Rare::Client(_) | Rare::Timer(_) => None,
        }
    }
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
