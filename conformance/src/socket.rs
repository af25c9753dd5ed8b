//! Sockets that connect to servers, and the form of addresses that the system takes.

use std::io::{self, ErrorKind};
use std::time::Duration;

use common::Address;
use socket2::{Domain, SockAddr, Socket, Type};

/// Connects to an address, with this timeout for all operations, and with buffers of about this size.
pub(crate) fn connect(address: &Address, timeout: Duration, buffers: Option<usize>) -> io::Result<Socket> {
    let (domain, address) = resolve(address)?;
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if let Some(bytes) = buffers {
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)?;
    }
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    if domain == Domain::UNIX {
        uninterrupted(|| socket.connect(&address))?; // bounded by the write timeout
    } else {
        socket.connect_timeout(&address, timeout)?;
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

/// Repeats a call while a signal interrupts it. On a socket with a timeout, the kernel does not repeat it, not even when a process
/// that was suspended goes on.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Converts an address for the system.
pub(crate) fn resolve(address: &Address) -> io::Result<(Domain, SockAddr)> {
    match (address.ip(), address.path()) {
        (Some(address), _) => Ok((Domain::for_address(address), address.into())),
        (None, Some(path)) => Ok((Domain::UNIX, SockAddr::unix(path)?)),
        (None, None) => Err(ErrorKind::InvalidInput.into()),
    }
}

/// Whether the address accepts connections.
pub(crate) fn accepts_connections(address: &Address) -> bool {
    connect(address, CONNECT_TIMEOUT, None).is_ok()
}

/// The timeout of a check whether an address accepts connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
