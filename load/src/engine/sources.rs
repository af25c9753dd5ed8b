//! Connections, made without waiting, from as many source addresses as it takes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::Address;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// How long making the connections may take, beside what the connect rate asks for.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How far connecting has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// To its end.
    Connected,
    /// The socket can be written once it has come to its end, well or not.
    Underway,
    /// Nowhere: the backlog of a Unix socket is full, which it says at once where TCP tries again by itself. The
    /// [attempt] is to be repeated later.
    Full,
}

/// Begins to connect.
pub(super) fn connect(address: &Address, number: u32) -> io::Result<(Socket, Attempt)> {
    let socket = socket(address, number)?;
    let attempt = attempt(&socket, address)?;
    Ok((socket, attempt))
}

/// Tries to connect a [`socket`].
pub(super) fn attempt(socket: &Socket, address: &Address) -> io::Result<Attempt> {
    match socket.connect(&system_address(address)?) {
        Ok(()) => Ok(Attempt::Connected),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::INPROGRESS) => Ok(Attempt::Underway),
            Some(Errno::AGAIN) if address.path().is_some() => Ok(Attempt::Full),
            _ => Err(error),
        },
    }
}

fn system_address(address: &Address) -> io::Result<SockAddr> {
    match (address.ip(), address.path()) {
        (Some(address), _) => Ok(address.into()),
        (None, Some(path)) => SockAddr::unix(path),
        (None, None) => Err(io::ErrorKind::InvalidInput.into()), // as a plan's check has said
    }
}

/// A socket for a connection, which does not block.
///
/// Connections to a loopback address come from `127.0.x.1`, at most [`PER_SOURCE`] at a time from each: from
/// one address the search for a free port slows connecting down twentyfold, and there are only some 28,000. The first
/// come from `127.0.0.1`, the only one that some servers trust, as Redis does in its protected mode.
pub(super) fn socket(address: &Address, number: u32) -> io::Result<Socket> {
    let Some(address) = address.ip() else {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        return Ok(socket);
    };
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let IpAddr::V4(ip) = address.ip()
        && ip.is_loopback()
    {
        socket.set_reuse_address(true)?;
        // Only Linux has the whole of 127.0.0.0/8 as its own without being told.
        #[cfg(target_os = "linux")]
        bind_without_port(&socket)?;
        #[cfg(target_os = "linux")]
        socket.bind(&SockAddr::from(SocketAddr::from((source(number), 0))))?;
    }
    Ok(socket)
}

/// Leaves the choice of the port to connecting: a port that is taken while binding is taken for all destinations, so
/// that other programs run out of them.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "neither socket2 nor rustix has the option")]
fn bind_without_port(socket: &Socket) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let on: libc::c_int = 1;
    // SAFETY: the value and its size are those of an int that lives through the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    // Where a kernel does not know it, binding takes a port.
    if set == 0 || Errno::from_io_error(&io::Error::last_os_error()) == Some(Errno::NOPROTOOPT) {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// How many connections come from one source address. Also with connections that are made anew all the time:
/// the numbers go round through all addresses before one is used again.
const PER_SOURCE: u32 = 1000;

fn source(number: u32) -> Ipv4Addr {
    let source = number / PER_SOURCE % 60_000;
    Ipv4Addr::new(127, (source / 250) as u8, (source % 250) as u8, 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_first_come_from_the_usual_address() {
        let sources = [0, PER_SOURCE - 1, PER_SOURCE, 250 * PER_SOURCE].map(|number| source(number).octets());
        assert_eq!(sources, [[127, 0, 0, 1], [127, 0, 0, 1], [127, 0, 1, 1], [127, 1, 0, 1]]);
    }

    #[test]
    fn binding_takes_no_port() {
        let listeners: [_; 2] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let sockets = addresses.map(|address| connect(&address.into(), 7).unwrap().0);
        for socket in &sockets {
            assert_eq!(no_port(socket), 1, "binding takes no port");
            assert_eq!(*socket.local_addr().unwrap().as_socket_ipv4().unwrap().ip(), source(7));
        }
    }

    #[expect(unsafe_code, reason = "neither socket2 nor rustix has the option")]
    fn no_port(socket: &Socket) -> libc::c_int {
        use std::os::fd::AsRawFd;
        let mut value: libc::c_int = -1;
        let mut size = size_of_val(&value) as libc::socklen_t;
        // SAFETY: the places of value and size are valid for the call, and the size is that of the value.
        let got = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                libc::IP_BIND_ADDRESS_NO_PORT,
                (&raw mut value).cast(),
                &raw mut size,
            )
        };
        assert_eq!(got, 0);
        value
    }
}
