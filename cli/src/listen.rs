//! Creates the listener of a server.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};

use common::Address;
use serving::Listener;
use socket2::{Domain, Protocol, Socket, Type};

use crate::address::Target;
use crate::failure::Failure;

/// Where a flag says to listen.
#[derive(Debug)]
pub(crate) struct Endpoint {
    flag: &'static str,
    addresses: Vec<Address>,
}

impl Endpoint {
    /// Resolves the value of this flag. No other machine may be able to reach it, unless that is wanted: a server
    /// knows no users, and may speak no TLS, so a slip must not publish it.
    pub(crate) fn resolve(flag: &'static str, target: &Target, is_exposed: bool) -> Result<Self, Failure> {
        let endpoint = Self { flag, addresses: target.resolve().map_err(Failure::Failed)? };
        endpoint.check_exposure(target, is_exposed)?;
        Ok(endpoint)
    }

    fn check_exposure(&self, target: &Target, is_wanted: bool) -> Result<(), Failure> {
        let Self { flag, addresses } = self;
        let is_exposed = |ip: &IpAddr| !ip.to_canonical().is_loopback();
        let mut ips = addresses.iter().filter_map(|address| address.ip().map(|address| address.ip()));
        let Some(ip) = ips.find(is_exposed).filter(|_| !is_wanted) else { return Ok(()) };
        let resolved =
            if matches!(target, Target::Name(_)) { format!(" is {ip}, which") } else { String::new() };
        let port = addresses.first().and_then(Address::ip).map_or(0, |address| address.port());
        Err(Failure::Usage(format!(
            "{flag} {target}{resolved} is no loopback address, so clients of other machines could connect; add --expose \
             if they should, or write a loopback address, such as 127.0.0.1:{port}"
        )))
    }

    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Listens on the first of the addresses that is available. If none is, this is not a usage error, since the same
    /// command line may work at another time or on another machine.
    pub(crate) fn listen(&self, mode: Option<u32>) -> Result<Listener, Failure> {
        self.first(|address| match address.path() {
            Some(path) => Listener::bind_unix(path, mode),
            None => tcp(address).map(Listener::from),
        })
    }

    /// Listens on the first of the addresses that is available, all of which are TCP addresses.
    pub(crate) fn listen_on_tcp(&self) -> Result<TcpListener, Failure> {
        self.first(tcp)
    }

    fn first<T>(&self, bind: impl Fn(&Address) -> io::Result<T>) -> Result<T, Failure> {
        let mut failure = "there is no address to listen on".to_owned();
        for address in &self.addresses {
            match bind(address) {
                Ok(bound) => return Ok(bound),
                Err(error) => {
                    failure = format!("can't listen on {address}: {}", explain(self.flag, address, &error))
                }
            }
        }
        Err(Failure::Failed(failure))
    }
}

fn tcp(address: &Address) -> io::Result<TcpListener> {
    let address: SocketAddr = address.ip().ok_or(ErrorKind::InvalidInput)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server can listen while connections of its predecessor are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(flag: &str, address: &Address, error: &io::Error) -> String {
    let is_unix = address.path().is_some();
    let unprivileged = format!("one from {} up", first_unprivileged_port());
    let (what, choice) = match error.kind() {
        ErrorKind::AddrInUse if is_unix => {
            ("it is in use by another program; stop that program, or", "another path")
        }
        ErrorKind::AlreadyExists if is_unix => {
            ("there is a file that is not a socket; remove it, or", "another path")
        }
        _ if is_unix => return error.to_string(),
        ErrorKind::AddrInUse => ("it is in use by another program; stop that program, or", "another port"),
        ErrorKind::AddrNotAvailable => ("this machine has no such address;", "another"),
        ErrorKind::PermissionDenied => (
            "that port needs the capability CAP_NET_BIND_SERVICE; grant it, have systemd listen, or",
            unprivileged.as_str(),
        ),
        _ => return error.to_string(),
    };
    format!("{what} choose {choice} with {flag}")
}

/// The first port on which every process may listen.
fn first_unprivileged_port() -> u16 {
    let set = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    set.ok().and_then(|set| set.trim().parse().ok()).unwrap_or(1024)
}

/// The size of the backlog. The system lowers it to its own limit, which is usually the same.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, addresses: &[&str], is_wanted: bool) -> Result<(), String> {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let endpoint = Endpoint { flag: "--listen", addresses };
        endpoint.check_exposure(&target.parse().unwrap(), is_wanted).map_err(|failure| failure.to_string())
    }

    #[test]
    fn loopback_addresses_and_unix_sockets_are_not_exposed() {
        for address in
            ["127.0.0.1:1", "127.255.255.254:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/run/server.sock"]
        {
            assert_eq!(check(address, &[address], false), Ok(()), "{address}");
        }
        assert_eq!(check("localhost:1", &["[::1]:1", "127.0.0.1:1"], false), Ok(()));
    }

    #[test]
    fn other_addresses_are_exposed_only_on_demand() {
        for address in
            ["0.0.0.0:7", "[::]:7", "10.0.0.1:7", "[fe80::1]:7", "[::ffff:10.0.0.1]:7", "128.0.0.1:7"]
        {
            assert_eq!(check(address, &[address], true), Ok(()), "{address}");
            let error = check(address, &[address], false).unwrap_err();
            assert!(error.starts_with(&format!("--listen {address} is no loopback address")), "{error}");
            assert!(error.contains("add --expose") && error.ends_with("such as 127.0.0.1:7"), "{error}");
        }
    }

    #[test]
    fn a_name_is_exposed_if_one_of_its_addresses_is() {
        let error = check("here:7", &["127.0.0.1:7", "10.0.0.1:7"], false).unwrap_err();
        assert!(error.starts_with("--listen here:7 is 10.0.0.1, which is no loopback address"), "{error}");
    }
}
