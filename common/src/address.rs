//! Where a server listens, and where a client comes from.

use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::{fmt, io, option};

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
    /// The length of the longest path that a Unix socket can have, in bytes: the system's structure has room for no
    /// more, with a zero behind it.
    pub const LONGEST_PATH: usize =
        if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

    /// The address of a Unix socket that has this path.
    ///
    /// # Errors
    /// If no socket can have it: it is empty, too long, or has a zero byte in it.
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

    /// The address and port, if it is one of TCP.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Unknown => None,
        }
    }

    /// The path, if it is that of a Unix socket which has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => path.as_deref(),
            Self::Ip(_) | Self::Unknown => None,
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

/// Reads an address as it is written: an IP address and a port, or `unix:` and a path. Host names are
/// not looked up: one with a port is an [`AddressError::HostName`].
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
            // So the name of an abstract socket is written in other programs.
            Some(path) if path.starts_with('@') => return Err(AddressError::Abstract),
            Some(path) => return Self::unix(path),
            None => {}
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
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

/// Why a text is no [`Address`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no colon, and so no port.
    NoPort,
    /// There is nothing before the port.
    NoHost,
    /// An IPv6 address stands without its brackets, so that nobody can tell where it ends.
    NoBrackets,
    /// The port is no number from 0 to 65535.
    WrongPort,
    /// There is a host and a port, but the host is no IP address. It may be a name.
    HostName,
    /// There is no path behind `unix:`.
    NoPath,
    /// The path has so many bytes, more than [`Address::LONGEST_PATH`].
    LongPath(usize),
    /// There is a zero byte in the path.
    ZeroByte,
    /// It is the name of an abstract Unix socket, which exists in no file system.
    Abstract,
}

/// What is wrong, and what to write instead.
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
            Self::NoBrackets => {
                "an IPv6 address stands in brackets; write [ADDRESS]:PORT, such as [::1]:8888"
            }
            Self::WrongPort => "it ends with no port; write a number from 0 to 65535 behind the colon",
            Self::HostName => "its host is no IP address; write one, such as 127.0.0.1:8888 or [::1]:8888",
            Self::NoPath => "it has no path; write one behind the colon, such as unix:/run/server.sock",
            Self::ZeroByte => "there is a zero byte in its path; write a path without one",
            Self::Abstract => {
                "abstract sockets are not supported; write a path, such as unix:/run/server.sock, and ./ in front \
                 of one that begins with @"
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
    fn an_address_is_written_as_it_is_read() {
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
    fn what_is_no_address_is_told_apart() {
        for (text, expected) in [
            ("", AddressError::NoPort),
            ("unix", AddressError::NoPort),
            ("/run/a", AddressError::NoPort),
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
    fn a_path_is_as_long_as_the_system_takes() {
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
