//! Creates the listener of a server.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};

use common::Address;
use serving::Listener;
use socket2::{Domain, Protocol, Socket, Type};

use crate::address::Target;
use crate::failure::Failure;

/// The addresses of `--listen`, checked with the flags that go with it.
pub(crate) fn addresses(target: &Target, mode: Option<u32>, expose: bool) -> Result<Vec<Address>, Failure> {
    if let Some(mode) = mode.filter(|_| !target.is_unix()) {
        return Err(Failure::Usage(format!(
            "--listen-mode {mode:o} is for Unix sockets, and --listen {target} is none; leave it out, or listen on unix:PATH"
        )));
    }
    let addresses = target.resolve().map_err(Failure::Failed)?;
    check_exposure(target, &addresses, expose)?;
    Ok(addresses)
}

/// Checks that no other machine can reach these addresses, to which a target was resolved, unless that is wanted. A
/// server has neither encryption nor authentication, so a slip must not publish it.
pub(crate) fn check_exposure(target: &Target, addresses: &[Address], is_wanted: bool) -> Result<(), Failure> {
    let is_exposed = |ip: &IpAddr| !ip.to_canonical().is_loopback();
    let mut ips = addresses.iter().filter_map(|address| address.ip().map(|address| address.ip()));
    let Some(ip) = ips.find(is_exposed).filter(|_| !is_wanted) else { return Ok(()) };
    let resolved = if matches!(target, Target::Name(_)) { format!(" is {ip}, which") } else { String::new() };
    let port = addresses.first().and_then(Address::ip).map_or(0, |address| address.port());
    Err(Failure::Usage(format!(
        "--listen {target}{resolved} is no loopback address, so clients of other machines could connect; add --expose \
         if they should, or write a loopback address, such as 127.0.0.1:{port}"
    )))
}

/// Listens on the first of these addresses that is available. If none is, this is not a usage error, since the same
/// command line may work at another time or on another machine.
pub(crate) fn listen(addresses: &[Address], mode: Option<u32>) -> Result<Listener, Failure> {
    first(addresses, |address| match address.path() {
        Some(path) => Listener::bind_unix(path, mode),
        None => tcp(address).map(Listener::from),
    })
}

/// Listens on the first of these TCP addresses that is available.
pub(crate) fn listen_on_tcp(addresses: &[Address]) -> Result<TcpListener, Failure> {
    first(addresses, tcp)
}

fn first<T>(addresses: &[Address], bind: impl Fn(&Address) -> io::Result<T>) -> Result<T, Failure> {
    let mut failure = "there is no address to listen on".to_owned();
    for address in addresses {
        match bind(address) {
            Ok(bound) => return Ok(bound),
            Err(error) => failure = format!("can't listen on {address}: {}", explain(address, &error)),
        }
    }
    Err(Failure::Failed(failure))
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

fn explain(address: &Address, error: &io::Error) -> String {
    let is_unix = address.path().is_some();
    let advice = match error.kind() {
        ErrorKind::AddrInUse if is_unix => {
            "it is in use by another program; stop that program, or choose another path with --listen"
        }
        ErrorKind::AlreadyExists if is_unix => {
            "there is a file that is not a socket; remove it, or choose another path with --listen"
        }
        _ if is_unix => return error.to_string(),
        ErrorKind::AddrInUse => {
            "it is in use by another program; stop that program, or choose another port with --listen"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address; choose another with --listen",
        ErrorKind::PermissionDenied => "that port needs privileges; choose one from 1024 up with --listen",
        _ => return error.to_string(),
    };
    advice.to_owned()
}

/// The size of the backlog. The system lowers it to its own limit, which is usually the same.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, addresses: &[&str], is_wanted: bool) -> Result<(), String> {
        let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        check_exposure(&target.parse().unwrap(), &addresses, is_wanted).map_err(|failure| failure.to_string())
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
