//! Addresses on the command line.

use std::fmt;
use std::net::ToSocketAddrs;
use std::str::FromStr;

use common::{Address, AddressError};

/// The address of a server: an [`Address`], or a host name and a port, which must be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Address(Address),
    Name(String),
}

impl Target {
    /// Resolves the target. A name may have several addresses.
    pub(crate) fn resolve(&self) -> Result<Vec<Address>, String> {
        let name = match self {
            Self::Address(address) => return Ok(vec![address.clone()]),
            Self::Name(name) => name,
        };
        let found: Vec<_> = match name.to_socket_addrs() {
            Ok(addresses) => addresses.map(Address::from).collect(),
            Err(error) => return Err(format!("the host of {name} can't be found: {error}")),
        };
        if found.is_empty() { Err(format!("{name} has no address")) } else { Ok(found) }
    }

    /// The name or the address of the host, as certificates have it; a Unix socket has none.
    pub(crate) fn host(&self) -> Option<String> {
        match self {
            Self::Address(address) => address.ip().map(|address| address.ip().to_string()),
            Self::Name(name) => {
                let host = name.rsplit_once(':').map_or(name.as_str(), |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']');
                Some(host.split('%').next().unwrap_or(host).to_owned()) // without the zone of a link-local address
            }
        }
    }

    /// Whether this is the path of a Unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self, Self::Address(Address::Unix(_)))
    }
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(AddressError::HostName) => Ok(Self::Name(text.to_owned())),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Parses the address of a server that listens only on TCP.
pub(crate) fn of_tcp(text: &str) -> Result<Target, String> {
    match text.parse() {
        Ok(target @ Target::Address(Address::Unix(_))) => {
            Err(format!("{target} is a Unix socket, but this server listens only on TCP; write HOST:PORT"))
        }
        Ok(target) => Ok(target),
        Err(error) => Err(AddressError::to_string(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_or_has_to_be_looked_up() {
        for text in ["127.0.0.1:8888", "[::1]:0", "unix:/run/server.sock"] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target, Target::Address(text.parse().unwrap()));
            assert_eq!(target.resolve().unwrap(), [text.parse().unwrap()]);
            assert_eq!((target.to_string().as_str(), target.is_unix()), (text, text.starts_with("unix:")));
        }
        for (name, host) in [("localhost:65535", "localhost"), ("[fe80::1%eth0]:1", "fe80::1")] {
            assert_eq!(name.parse(), Ok(Target::Name(name.into())));
            assert_eq!(Target::Name(name.into()).host().as_deref(), Some(host));
        }
        for (text, host) in
            [("127.0.0.1:8888", Some("127.0.0.1")), ("[::1]:0", Some("::1")), ("unix:/a", None)]
        {
            assert_eq!(text.parse::<Target>().unwrap().host().as_deref(), host);
        }
        for (text, expected) in
            [("8888", AddressError::OnlyPort(8888)), ("localhost:http", AddressError::WrongPort)]
        {
            assert_eq!(text.parse::<Target>(), Err(expected));
        }
        let found = Target::Name("localhost:1".into()).resolve().unwrap();
        assert!(found.iter().all(|address| address.ip().is_some_and(|ip| ip.port() == 1)), "{found:?}");
        let error = Target::Name("nobody.invalid:1".into()).resolve().unwrap_err();
        assert!(error.starts_with("the host of nobody.invalid:1 can't be found"), "{error}");
    }

    #[test]
    fn where_only_tcp_will_do_a_unix_socket_is_refused() {
        assert_eq!(of_tcp("127.0.0.1:0").unwrap().to_string(), "127.0.0.1:0");
        assert!(of_tcp("unix:/a").unwrap_err().contains("listens only on TCP; write HOST:PORT"));
        assert!(of_tcp("localhost").unwrap_err().contains("no port"));
    }
}
