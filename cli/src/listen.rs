//! The listener that a backend is lent.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::address;
use crate::failure::Failure;

/// Listens on the first address of `HOST:PORT` that can be listened on. Where none can, that is no wrong usage: at
/// another time, or on another machine, the same command line may be right.
pub(crate) fn listen(address: &str) -> Result<TcpListener, Failure> {
    let mut failure = format!("`{address}` has no address");
    for address in address::resolve(address).map_err(Failure::Failed)? {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = explain(address, &error),
        }
    }
    Err(Failure::Failed(failure))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that was restarted need not wait until the last connections of the one before are forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "another program does; stop it, or choose another port with --listen",
        ErrorKind::AddrNotAvailable => "this machine has no such address; choose another with --listen",
        ErrorKind::PermissionDenied => "that port needs privileges; choose one from 1024 up with --listen",
        _ => return format!("can't listen on {address}: {error}"),
    };
    format!("can't listen on {address}: {advice}")
}

/// How many clients may wait to be accepted. The system lowers it to its own limit, usually the same.
const BACKLOG: i32 = 4096;
