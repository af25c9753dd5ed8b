//! The proxies that may send a header.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use common::Address;
use ipnet::{IpNet, Ipv4Net};

/// A set of proxies: networks, single addresses, and `unix` for all clients of a Unix socket.
///
/// ```
/// use anyloop_proxy_header::Proxies;
///
/// let proxies: Proxies = "10.0.0.0/8,192.0.2.7,unix".parse().unwrap();
/// assert!(proxies.contains(&"10.1.2.3:4711".parse().unwrap()));
/// assert!(!proxies.contains(&"192.0.2.8:4711".parse().unwrap()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl Proxies {
    /// Whether an address belongs to a proxy. An IPv4 address may be written as an IPv6 one, as a socket for both has it.
    pub fn contains(&self, address: &Address) -> bool {
        match address {
            Address::Ip(address) => {
                let ip = address.ip().to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            }
            Address::Unix(_) => self.unix,
            _ => false,
        }
    }
}

/// Parses networks (`10.0.0.0/8`), addresses and `unix`, separated by commas.
impl FromStr for Proxies {
    type Err = InvalidProxies;

    fn from_str(text: &str) -> Result<Self, InvalidProxies> {
        let mut proxies = Self::default();
        for name in text.split(',').map(str::trim) {
            match name {
                "unix" => proxies.unix = true,
                name => proxies.networks.push(network(name)?),
            }
        }
        Ok(proxies)
    }
}

fn network(name: &str) -> Result<IpNet, InvalidProxies> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network = name.parse::<IpNet>().map_err(|_| InvalidProxies::NoNetwork(name.to_owned()))?;
    if network != network.trunc() {
        return Err(InvalidProxies::HostBits { network: name.to_owned(), instead: network.trunc() });
    }
    Ok(unmapped(&network).unwrap_or(network))
}

/// The IPv4 network that a network of IPv4-mapped addresses stands for.
fn unmapped(network: &IpNet) -> Option<IpNet> {
    let IpNet::V6(network) = network else { return None };
    let address = network.addr().to_ipv4_mapped()?;
    let length = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(address, length).ok().map(IpNet::V4)
}

/// The format that is parsed.
impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks = self.networks.iter().map(ToString::to_string);
        let names: Vec<_> = networks.chain(self.unix.then(|| "unix".to_owned())).collect();
        f.write_str(&names.join(","))
    }
}

/// The error of parsing [`Proxies`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidProxies {
    /// This is neither a network nor an address.
    NoNetwork(String),
    /// A network has bits beyond the length of its prefix.
    HostBits {
        /// The network.
        network: String,
        /// The network without them.
        instead: IpNet,
    },
}

impl fmt::Display for InvalidProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNetwork(name) => {
                write!(
                    f,
                    "`{name}` is no network; write one such as 10.0.0.0/8, an address such as ::1, or unix"
                )
            }
            Self::HostBits { network, instead } => {
                write!(
                    f,
                    "`{network}` has bits beyond its prefix; write {instead}, or a single address without a prefix"
                )
            }
        }
    }
}

impl Error for InvalidProxies {}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(proxies: &str, address: &str) -> bool {
        proxies.parse::<Proxies>().unwrap().contains(&address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_its_addresses() {
        for (proxies, within, outside) in [
            ("10.0.0.0/8", "10.255.255.255:1", "11.0.0.0:1"),
            ("192.0.2.7", "192.0.2.7:1", "192.0.2.6:1"),
            ("192.0.2.6/31", "192.0.2.7:1", "192.0.2.8:1"),
            ("0.0.0.0/0", "203.0.113.9:1", "[2001:db8::1]:1"),
            ("::1", "[::1]:1", "127.0.0.1:1"),
            ("2001:db8::/32", "[2001:db8:ffff::1]:1", "[2001:db9::1]:1"),
            ("::/0", "[2001:db9::1]:1", "127.0.0.1:1"),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]:1", "[::ffff:11.1.2.3]:1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3:1", "11.1.2.3:1"),
            ("::ffff:10.1.2.3", "10.1.2.3:1", "[::ffff:10.1.2.4]:1"),
            ("unix", "unix:/a", "127.0.0.1:1"),
            ("127.0.0.1, unix", "127.0.0.1:1", "127.0.0.2:1"),
        ] {
            assert!(contains(proxies, within), "{within} in {proxies}");
            assert!(!contains(proxies, outside), "{outside} in {proxies}");
        }
        assert!(!"0.0.0.0/0,unix".parse::<Proxies>().unwrap().contains(&Address::Unknown));
    }

    #[test]
    fn what_is_printed_is_parsed() {
        for text in ["10.0.0.0/8,192.0.2.7/32,::1/128,unix", "unix"] {
            assert_eq!(text.parse::<Proxies>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_invalid_network_is_an_error() {
        for (text, expected) in [
            ("", "`` is no network"),
            ("10.0.0.0/8,", "`` is no network"),
            ("10.0.0.0/33", "`10.0.0.0/33` is no network"),
            ("localhost", "`localhost` is no network; write one such as 10.0.0.0/8"),
            ("10.0.0.1:80", "`10.0.0.1:80` is no network"),
            ("10.1.2.3/8", "`10.1.2.3/8` has bits beyond its prefix; write 10.0.0.0/8"),
        ] {
            let error = text.parse::<Proxies>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
