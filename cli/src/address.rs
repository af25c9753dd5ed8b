//! Addresses on the command line.

use std::net::{SocketAddr, ToSocketAddrs};

/// Checks that this is `HOST:PORT`; the error says what to write instead.
pub(crate) fn host_and_port(address: &str) -> Result<String, String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err("it has no port; write HOST:PORT, such as 127.0.0.1:8888 or [::1]:8888".into());
    };
    if host.is_empty() {
        return Err(format!("it has no host; write 127.0.0.1:{port}, or 0.0.0.0:{port} for all of IPv4"));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address needs brackets; write [ADDRESS]:PORT, such as [::1]:8888".into());
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(address.into()),
        Err(_) => Err("the port is not valid; write a number from 0 to 65535 after the colon".into()),
    }
}

/// The addresses of a [`host_and_port`].
pub(crate) fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    match address.to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(format!("the host of {address} can't be found: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for address in ["127.0.0.1:8888", "[::1]:0", "localhost:65535", "[fe80::1%eth0]:1"] {
            assert_eq!(host_and_port(address), Ok(address.into()));
        }
        for (address, expected) in [
            ("8888", "no port"),
            (":8888", "write 127.0.0.1:8888"),
            ("localhost:", "number from 0 to 65535"),
            ("localhost:65536", "number from 0 to 65535"),
            ("localhost:http", "number from 0 to 65535"),
            ("::1:8888", "[::1]:8888"),
        ] {
            let error = host_and_port(address).unwrap_err();
            assert!(error.contains(expected), "{address}: {error}");
        }
    }
}
