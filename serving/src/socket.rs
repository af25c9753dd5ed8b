//! What is asked of sockets beside reading and writing.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::net::SocketFlags;
use rustix::net::{SendFlags, Shutdown};
use socket2::{SockRef, TcpKeepalive};

use common::{Address, Limits};

/// Accepts a client, whose socket will block: on some systems it inherits from the listener that it doesn't.
///
/// # Errors
/// As `accept`.
pub fn accept_blocking(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, client) = listener.accept()?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    socket.set_nonblocking(false)?;
    Ok((socket, client))
}

/// Accepts a client, whose socket will not block: with one call, where the system can.
///
/// # Errors
/// As `accept`.
pub fn accept_nonblocking(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    #[cfg(target_os = "linux")]
    {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, client) = rustix::net::acceptfrom_with(listener, flags)?;
        let client = client.and_then(|client| client.try_into().ok());
        // A TCP socket always tells it; should it not, the client is as good as gone.
        let client = client.ok_or_else(|| io::Error::from(rustix::io::Errno::CONNABORTED))?;
        Ok((socket.into(), client))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (socket, client) = listener.accept()?;
        socket.set_nonblocking(true)?;
        Ok((socket, client))
    }
}

/// Prepares a listener, and with it all that are accepted from it: they inherit the options, so that a
/// connection costs no call for them.
pub(crate) fn prepare(listener: &TcpListener, limits: &Limits) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    set_options(listener, limits)
}

/// Prepares a socket that was accepted, if its client had connected before the listener was prepared. Tells
/// whether it had not, and so has inherited the options.
pub(crate) fn prepare_early(socket: impl AsFd, limits: &Limits) -> bool {
    let inherited = SockRef::from(&socket).keepalive().unwrap_or(true);
    if !inherited {
        // Its client may be gone already, which shows when it is read.
        let _ = set_options(&socket, limits);
    }
    inherited
}

fn set_options(socket: &impl AsFd, limits: &Limits) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_RETRIES))?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(limits.write_timeout.clamp(UNACKNOWLEDGED, LONGEST_UNACKNOWLEDGED)))?;
    let _ = limits;
    Ok(())
}

/// A silent client is asked for a sign of life after this time …
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// … again after this, and so on …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// … and given up when this many have not been answered.
const KEEPALIVE_RETRIES: u32 = 3;
/// A client that acknowledges nothing is given up after this time, if the write timeout is no longer.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How to send without waiting, and without a signal where the peer is gone.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// How to send without waiting. There is no flag against the signal; Rust's programs ignore it anyway.
#[cfg(target_vendor = "apple")]
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT;

/// The kernel counts these milliseconds in an `int`, and takes no more.
#[cfg(target_os = "linux")]
const LONGEST_UNACKNOWLEDGED: Duration = Duration::from_millis(i32::MAX as u64);

/// The server's end of a connection.
pub(crate) fn local_address(socket: impl AsFd) -> Address {
    let address = SockRef::from(&socket).local_addr().ok();
    address.and_then(|address| address.as_socket()).map_or(Address::Unknown, Address::Ip)
}

/// How many bytes are there to be read, behind urgent data as well.
pub(crate) fn arrived(socket: impl AsFd) -> usize {
    let before_urgent_data = readable(&socket);
    // The kernel counts what stands in front of urgent data, unless these are to be read with the rest.
    let options = SockRef::from(&socket);
    if options.set_out_of_band_inline(true).is_err() {
        return before_urgent_data;
    }
    let all = readable(&socket);
    let _ = options.set_out_of_band_inline(false);
    if all > before_urgent_data { all - 1 } else { before_urgent_data }
}

fn readable(socket: impl AsFd) -> usize {
    rustix::io::ioctl_fionread(socket).map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many bytes have not been acknowledged by the peer. Where the system can't tell, zero: then only
/// our own writes count as progress.
pub(crate) fn queued(socket: impl AsFd) -> u64 {
    #[cfg(target_os = "linux")]
    {
        let count = out_queue(socket.as_fd());
        u64::try_from(count).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        0
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "rustix has no call of its own for SIOCOUTQ")]
fn out_queue(socket: BorrowedFd<'_>) -> i32 {
    // SAFETY: SIOCOUTQ, which has the number of TIOCOUTQ, writes one `int`.
    let count = unsafe {
        let getter = rustix::ioctl::Getter::<{ libc::TIOCOUTQ as rustix::ioctl::Opcode }, libc::c_int>::new();
        rustix::ioctl::ioctl(socket, getter)
    };
    count.unwrap_or(0)
}

/// Says that nothing more will be written.
pub(crate) fn end_writing(socket: BorrowedFd<'_>) {
    // The peer may be gone already; there is nothing to be told to it then.
    let _ = rustix::net::shutdown(socket, Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_urgent_data_has_arrived() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut socket = listener.accept().unwrap().0;
        assert_eq!(arrived(&socket), 0);
        SockRef::from(&client).send(b"ab").unwrap();
        SockRef::from(&client).send_out_of_band(b"!").unwrap();
        SockRef::from(&client).send(b"cde").unwrap();
        while queued(&client) > 0 {
            std::thread::yield_now();
        }
        assert_eq!(arrived(&socket), 5);
        let mut read = [0; 10];
        assert_eq!(io::Read::read(&mut socket, &mut read).unwrap(), 2, "it stops in front of them");
        assert_eq!(arrived(&socket), 3);
        assert_eq!(io::Read::read(&mut socket, &mut read).unwrap(), 3);
        assert_eq!((arrived(&socket), &read[..3]), (0, &b"cde"[..]));
    }

    #[test]
    fn whoever_connects_and_whenever_has_the_options() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits::default();
        let early = TcpStream::connect(address).unwrap();
        prepare(&listener, &limits).unwrap();
        let late = TcpStream::connect(address).unwrap();
        for (client, inherits) in [(early, false), (late, true)] {
            let (socket, peer) = listener.accept().unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert_eq!(prepare_early(&socket, &limits), inherits);
            let socket = SockRef::from(&socket);
            assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        }
    }
}
