//! Creates the listener of a server.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use common::Address;
use serving::Listener;
use socket2::{Domain, Protocol, Socket, Type};

use crate::failure::Failure;

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
