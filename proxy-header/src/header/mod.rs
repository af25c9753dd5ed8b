//! A PROXY header.

mod binary;
mod text;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use common::TlsInfo;

/// A PROXY header, of either version.
///
/// ```
/// use anyloop_proxy_header::Header;
///
/// let input = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nhello\n";
/// let header = Header::parse(input).unwrap().unwrap();
/// let (source, destination) = header.addresses.unwrap();
/// assert_eq!((source.to_string(), destination.port()), ("192.0.2.7:4711".to_owned(), 443));
/// assert_eq!(&input[header.length..], b"hello\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The address of the client, and the one that it has connected to. `None` if the proxy speaks for itself, as in a
    /// health check (`LOCAL`), or can't tell (`UNKNOWN`, or a client without TCP): then those of the connection are right.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// What the proxy knows of the client by TLS, if the client speaks TLS to it and the proxy sends that.
    pub tls: Option<Arc<TlsInfo>>,
    /// The length of the header, in bytes.
    pub length: usize,
}

/// The maximum length of a header of version 1, with its line end: that of the specification.
pub const MAX_LINE: usize = 107;

/// The maximum length of a header of version 2, in bytes. The specification has senders keep to 536 bytes, which fit in any
/// TCP segment; what they add by configuration may exceed that.
pub const MAX_LENGTH: usize = 4096;

impl Header {
    /// Parses the header at the start of `input`. `None` if that is the start of a header, but not all of it.
    ///
    /// # Errors
    /// If it is no header, or an invalid one. That is known as early as possible, so that the sender of something else
    /// doesn't have to wait.
    pub fn parse(input: &[u8]) -> Result<Option<Self>, InvalidHeader> {
        if binary::SIGNATURE.starts_with(input) || text::SIGNATURE.starts_with(input) {
            Ok(None)
        } else if input.starts_with(binary::SIGNATURE) {
            binary::parse(input)
        } else if input.starts_with(text::SIGNATURE) {
            text::parse(input)
        } else {
            Err(InvalidHeader("there is none"))
        }
    }
}

/// Whether `input` begins with the signature of a header, of either version.
pub fn is_header(input: &[u8]) -> bool {
    input.starts_with(binary::SIGNATURE) || input.starts_with(text::SIGNATURE)
}

/// The error of parsing a [`Header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHeader(&'static str);

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PROXY header: {}", self.0)
    }
}

impl Error for InvalidHeader {}
