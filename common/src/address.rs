//! Addresses that servers listen on and clients connect from.

use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::{fmt, io, option};

/// The address of one end of a connection.
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
    /// A TCP address: an IP address and a port.
    Ip(SocketAddr),
    /// A Unix socket, with its path if it has one. Sockets of clients usually have none.
    Unix(Option<Arc<Path>>),
    /// The address is unknown.
    #[default]
    Unknown,
}

impl Address {
    /// The maximum length of the path of a Unix socket, in bytes: the size of `sun_path` less the terminating zero.
    pub const LONGEST_PATH: usize =
        if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

    /// The address of the Unix socket at `path`.
    ///
    /// # Errors
    /// If the path is empty, too long, or contains a zero byte.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, AddressError> {
        let path = path.as_ref();
        match path.as_os_str().as_encoded_bytes() {
            [] => Err(AddressError::NoPath),
            [0, ..] => Err(AddressError::Abstract),
            bytes if bytes.contains(&0) => Err(AddressError::ZeroByte),
            bytes if bytes.len() > Self::LONGEST_PATH => Err(AddressError::LongPath(bytes.len())),
            _ => Ok(Self::Unix(Some(path.into()))),
        }
    }

    /// The IP address and port of a TCP address.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Unknown => None,
        }
    }

    /// The path of a Unix socket, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => path.as_deref(),
            Self::Ip(_) | Self::Unknown => None,
        }
    }
}

/// Lets an address be passed to `TcpStream::connect`.
impl ToSocketAddrs for Address {
    type Iter = option::IntoIter<SocketAddr>;

    /// # Errors
    /// `InvalidInput` if it is not a TCP address.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, format!("`{self}` is not a TCP address"));
        self.ip().map(|address| Some(address).into_iter()).ok_or_else(none)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

/// The format of the flag `--listen`: `127.0.0.1:8888` or `unix:/run/server.sock`.
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

/// Parses an IP address and a port, or `unix:` and a path. Host names are not resolved: a host name with a port is an
/// [`AddressError::HostName`].
///
/// ```
/// use anyloop::{Address, AddressError};
///
/// assert!("[::1]:8888".parse::<Address>().is_ok_and(|address| address.ip().is_some()));
/// assert!("unix:/run/server.sock".parse::<Address>().is_ok_and(|address| address.path().is_some()));
/// assert_eq!("localhost:8888".parse::<Address>(), Err(AddressError::HostName));
/// ```
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix("unix:") {
            // Other programs write the names of abstract sockets in this way.
            Some(path) if path.starts_with('@') => return Err(AddressError::Abstract),
            Some(path) => return Self::unix(path),
            None => {}
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(text.parse().map_or(AddressError::NoPort, AddressError::OnlyPort));
        };
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(AddressError::NoBrackets);
        }
        port.parse::<u16>().map_err(|_| AddressError::WrongPort)?;
        Err(AddressError::HostName)
    }
}

/// The reason why a text is not a valid [`Address`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no colon, hence no port.
    NoPort,
    /// The host is empty.
    NoHost,
    /// It is a port alone.
    OnlyPort(u16),
    /// An IPv6 address has no brackets, so it can't be separated from the port.
    NoBrackets,
    /// The port is not a number from 0 to 65535.
    WrongPort,
    /// The host is not an IP address. It may be a host name.
    HostName,
    /// There is no path after `unix:`.
    NoPath,
    /// The path has this number of bytes, which is more than [`Address::LONGEST_PATH`].
    LongPath(usize),
    /// The path contains a zero byte.
    ZeroByte,
    /// It is the name of an abstract Unix socket.
    Abstract,
}

/// States the problem and what to write instead.
impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = Address::LONGEST_PATH;
        f.write_str(match self {
            Self::NoPort => {
                "it has no port; write HOST:PORT, such as 127.0.0.1:8888 or [::1]:8888, or unix:PATH"
            }
            Self::NoHost => {
                "it has no host; write 127.0.0.1:PORT, or 0.0.0.0:PORT for all of IPv4"
            }
            Self::OnlyPort(port) => return write!(f, "it has no host; write 127.0.0.1:{port}"),
            Self::NoBrackets => {
                "its IPv6 address has no brackets; write [ADDRESS]:PORT, such as [::1]:8888"
            }
            Self::WrongPort => "its port is invalid; write a number from 0 to 65535 after the colon",
            Self::HostName => "its host is not an IP address; write one, such as 127.0.0.1:8888 or [::1]:8888",
            Self::NoPath => "it has no path; write one after the colon, such as unix:/run/server.sock",
            Self::ZeroByte => "its path contains a zero byte; write a path without one",
            Self::Abstract => {
                "abstract sockets are not supported; write a path, such as unix:/run/server.sock, with ./ before \
                 a name that begins with @"
            }
            Self::LongPath(length) => {
                return write!(
                    f,
                    "its path has {length} bytes, and a Unix socket's has at most {longest}; choose a shorter one, or \
                     a relative one"
                );
            }
        })
    }
}

impl Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_from_str_are_inverse() {
        let ip = SocketAddr::from(([127, 0, 0, 1], 8888));
        assert_eq!(Address::from(ip).to_string(), "127.0.0.1:8888");
        assert_eq!(Address::Unix(Some(Path::new("/run/a").into())).to_string(), "unix:/run/a");
        assert_eq!(
            (Address::Unix(None).to_string(), Address::Unknown.to_string()),
            ("unix".into(), "unknown".into())
        );
        assert_eq!(size_of::<Address>(), size_of::<SocketAddr>());
        for text in ["127.0.0.1:8888", "[::1]:0", "unix:/run/a", "unix:a b:8888", "unix:./@a", "unix:a@"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("unix:a b".parse::<Address>().unwrap().path(), Some(Path::new("a b")));
    }

    #[test]
    fn each_invalid_address_has_its_error() {
        for (text, expected) in [
            ("", AddressError::NoPort),
            ("unix", AddressError::NoPort),
            ("/run/a", AddressError::NoPort),
            ("8888", AddressError::OnlyPort(8888)),
            ("65536", AddressError::NoPort),
            (":8888", AddressError::NoHost),
            ("::1:8888", AddressError::NoBrackets),
            ("127.0.0.1:", AddressError::WrongPort),
            ("127.0.0.1:65536", AddressError::WrongPort),
            ("localhost:-1", AddressError::WrongPort),
            ("localhost:8888", AddressError::HostName),
            ("UNIX:8888", AddressError::HostName),
            ("unix:", AddressError::NoPath),
            ("unix:@a", AddressError::Abstract),
            ("unix:\0a", AddressError::Abstract),
            ("unix:a\0", AddressError::ZeroByte),
        ] {
            assert_eq!(text.parse::<Address>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_path_may_be_as_long_as_the_system_allows() {
        let longest = Address::LONGEST_PATH;
        for length in [longest - 1, longest] {
            let path = "p".repeat(length);
            assert_eq!(format!("unix:{path}").parse::<Address>().unwrap().path(), Some(Path::new(&path)));
        }
        let error = format!("unix:{}", "p".repeat(longest + 1)).parse::<Address>().unwrap_err();
        assert_eq!(error, AddressError::LongPath(longest + 1));
        let text = error.to_string();
        assert!(text.contains(&format!("{} bytes", longest + 1)), "{text}");
        assert!(text.contains(&format!("at most {longest};")), "{text}");
    }
}
