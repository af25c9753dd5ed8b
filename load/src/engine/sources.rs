//! Non-blocking connects from as many source addresses as needed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use common::Address;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// The timeout for connecting, in addition to the time that the connect rate requires.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The error of a server that accepts a connection, and doesn't make the handshake of its transform.
pub(super) fn no_handshake() -> String {
    let seconds = CONNECT_TIMEOUT.as_secs();
    format!(
        "the server did not complete the handshake within {seconds} s; check that it speaks TLS at this address"
    )
}

/// The state of an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The socket is connected.
    Connected,
    /// The connect is in progress. The socket becomes writable when it has succeeded or failed.
    Underway,
    /// The backlog of a Unix socket is full. TCP retries in this case, but a Unix socket returns an error, so the
    /// [attempt] must be repeated later.
    Full,
}

/// Starts to connect a new socket.
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
            Some(Errno::ADDRNOTAVAIL) if has_route(address) => Err(no_port(&error)),
            _ => Err(error),
        },
    }
}

/// Whether this machine can send to the address. If not, it has no address of its own for that, rather than no port.
fn has_route(address: &Address) -> bool {
    let sent = address.ip().map(|address| {
        let any = if address.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        UdpSocket::bind((any, 0))?.connect(address) // sends nothing
    });
    sent.is_some_and(|sent| sent.is_ok())
}

/// The error of a machine whose ports are all in use.
fn no_port(error: &io::Error) -> io::Error {
    let what = "no local port is free for this server; make fewer connections at once, widen net.ipv4.ip_local_port_range, \
                or divide the load among several machines with --shard";
    io::Error::new(error.kind(), what)
}

fn system_address(address: &Address) -> io::Result<SockAddr> {
    match (address.ip(), address.path()) {
        (Some(address), _) => Ok(address.into()),
        (None, Some(path)) => SockAddr::unix(path),
        (None, None) => Err(io::ErrorKind::InvalidInput.into()), // excluded by the check of the plan
    }
}

/// Creates a non-blocking socket for a connection.
///
/// Connections to a loopback address come from `127.0.x.1`, at most [`PER_SOURCE`] at a time from each: with one
/// address the search for a free port makes connecting twenty times slower, and there are only about 28,000 ports. The
/// first connections come from `127.0.0.1`, the only address that some servers trust, such as Redis in protected mode.
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
        // Only Linux accepts all of 127.0.0.0/8 as local addresses without configuration.
        #[cfg(target_os = "linux")]
        bind_without_port(&socket)?;
        #[cfg(target_os = "linux")]
        socket.bind(&SockAddr::from(SocketAddr::from((source(number), 0))))?;
    }
    Ok(socket)
}

/// Defers the choice of the port to `connect`: a port that is allocated by `bind` is used for all destinations, so that
/// other programs run out of ports.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "neither socket2 nor rustix has the option")]
fn bind_without_port(socket: &Socket) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to an int that is valid for the call, and the size is that of the int.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    // If the kernel does not support it, `bind` allocates a port.
    if set == 0 || Errno::from_io_error(&io::Error::last_os_error()) == Some(Errno::NOPROTOOPT) {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// The number of connections per source address. This also holds with constant reconnecting, since the numbers rotate
/// through all addresses before one is reused.
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
    fn the_first_connections_come_from_127_0_0_1() {
        let sources = [0, PER_SOURCE - 1, PER_SOURCE, 250 * PER_SOURCE].map(|number| source(number).octets());
        assert_eq!(sources, [[127, 0, 0, 1], [127, 0, 0, 1], [127, 0, 1, 1], [127, 1, 0, 1]]);
    }

    #[test]
    fn bind_allocates_no_port() {
        let listeners: [_; 2] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let sockets = addresses.map(|address| connect(&address.into(), 7).unwrap().0);
        for socket in &sockets {
            assert_eq!(no_port(socket), 1, "bind allocates no port");
            assert_eq!(*socket.local_addr().unwrap().as_socket_ipv4().unwrap().ip(), source(7));
        }
    }

    #[expect(unsafe_code, reason = "neither socket2 nor rustix has the option")]
    fn no_port(socket: &Socket) -> libc::c_int {
        use std::os::fd::AsRawFd;
        let mut value: libc::c_int = -1;
        let mut size = size_of_val(&value) as libc::socklen_t;
        // SAFETY: the pointers to value and size are valid for the call, and the size is that of the value.
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
