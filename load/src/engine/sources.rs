//! Connections, made without waiting, from as many source addresses as it takes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Begins to connect. Tells the socket and whether it is connected already.
///
/// Connections to a loopback address come from `127.0.x.2`, at most [`PER_SOURCE`] at a time from each: from
/// one address the search for a free port slows connecting down twentyfold, and there are only some 28,000.
pub(super) fn connect(address: SocketAddr, number: u32) -> io::Result<(TcpStream, bool)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let IpAddr::V4(ip) = address.ip()
        && ip.is_loopback()
    {
        socket.set_reuse_address(true)?;
        // Only Linux has the whole of 127.0.0.0/8 as its own without being told.
        #[cfg(target_os = "linux")]
        socket.bind(&SockAddr::from(SocketAddr::from((source(number), 0))))?;
    }
    let connected = match socket.connect(&SockAddr::from(address)) {
        Ok(()) => true,
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => false,
        Err(error) => return Err(error),
    };
    Ok((socket.into(), connected))
}

/// How many connections come from one source address. Also with connections that are made anew all the time:
/// the numbers go round through all addresses before one is used again.
const PER_SOURCE: u32 = 1000;

fn source(number: u32) -> Ipv4Addr {
    let source = number / PER_SOURCE % 60_000;
    Ipv4Addr::new(127, (source / 250) as u8, (source % 250) as u8 + 1, 2)
}
