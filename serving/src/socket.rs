//! A connected socket: what is asked of it beside reading and writing.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketAddrAny, SocketAddrUnix, recv, send};
use socket2::{SockRef, TcpKeepalive};

use common::{Address, Limits};

/// What a conversation needs of the connection to its client. Neither reading nor writing has to block.
pub trait Transport {
    /// Reads, as [`Read::read`]. A read that blocks may fail with `Interrupted`, to have the conversation look for
    /// whom it was woken.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes, as [`Write::write`], without blocking.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// How many bytes are there to be read, behind urgent data as well.
    fn arrived(&self) -> usize;

    /// How many bytes the peer has not taken yet. Where the system can't tell, zero: then only writes count as progress.
    fn queued(&self) -> u64;
}

impl<T: Transport> Transport for &mut T {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read(buffer)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (**self).write(bytes)
    }

    fn arrived(&self) -> usize {
        (**self).arrived()
    }

    fn queued(&self) -> u64 {
        (**self).queued()
    }
}

/// A connected socket of TCP or of a Unix path, as a [`Listener`](crate::Listener) accepts it. Its writes never block, and
/// never raise `SIGPIPE`.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// The server's end of it.
    pub(crate) fn address(&self) -> Address {
        rustix::net::getsockname(&self.0).map_or(Address::Unknown, address)
    }

    /// Says that nothing more will be written.
    pub(crate) fn end_writing(&self) {
        // The peer may be gone already; there is nothing to be told to it then.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Write);
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self(socket.into())
    }
}

impl From<UnixStream> for Socket {
    fn from(socket: UnixStream) -> Self {
        Self(socket.into())
    }
}

impl From<OwnedFd> for Socket {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.0
    }
}

impl AsFd for Socket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Read for &Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(&self.0, buffer, RecvFlags::empty())?.0)
    }
}

impl Write for &Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, SEND)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for &Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn arrived(&self) -> usize {
        arrived(&self.0)
    }

    fn queued(&self) -> u64 {
        queued(&self.0)
    }
}

/// Prepares a socket of TCP that was accepted, if its client had connected before the listener was prepared. Tells
/// whether it had not, and so has inherited the options.
pub(crate) fn prepare_early(socket: impl AsFd, limits: &Limits) -> bool {
    let inherited = SockRef::from(&socket).keepalive().unwrap_or(true);
    if !inherited {
        // Its client may be gone already, which shows when it is read.
        let _ = set_options(&socket, limits);
    }
    inherited
}

pub(crate) fn set_options(socket: &impl AsFd, limits: &Limits) -> io::Result<()> {
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

/// An address as the system has it. A Unix path that is none of the file system's is left out.
pub(crate) fn address(address: SocketAddrAny) -> Address {
    if let Ok(address) = address.clone().try_into() {
        return Address::Ip(address);
    }
    match SocketAddrUnix::try_from(address) {
        Ok(unix) => Address::Unix(unix.path_bytes().map(|path| Path::new(OsStr::from_bytes(path)).into())),
        Err(_) => Address::Unknown,
    }
}

/// How many bytes are there to be read, behind urgent data as well.
pub(crate) fn arrived(socket: impl AsFd) -> usize {
    let before_urgent_data = readable(&socket);
    let options = SockRef::from(&socket);
    if options.local_addr().is_ok_and(|address| address.is_unix()) {
        // There the kernel counts a byte of urgent data as well, even when it was passed over and nothing is left to read.
        let mut waiting = [PollFd::new(&socket, PollFlags::PRI)];
        let is_urgent = poll(&mut waiting, Some(&Timespec::default())).is_ok()
            && waiting[0].revents().contains(PollFlags::PRI);
        let rest = recv(&socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        let none = rest == Err(Errno::AGAIN);
        return if none { 0 } else { before_urgent_data.saturating_sub(usize::from(is_urgent)) };
    }
    // The kernel counts what stands in front of urgent data, unless these are to be read with the rest.
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::Listener;

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
        assert_eq!(Read::read(&mut socket, &mut read).unwrap(), 2, "it stops in front of them");
        assert_eq!(arrived(&socket), 3);
        assert_eq!(Read::read(&mut socket, &mut read).unwrap(), 3);
        assert_eq!((arrived(&socket), &read[..3]), (0, &b"cde"[..]));
    }

    #[test]
    fn urgent_data_of_a_unix_socket_never_arrive() {
        for tail in ["", "cd"] {
            let (client, mut socket) = UnixStream::pair().unwrap();
            socket.set_nonblocking(true).unwrap();
            SockRef::from(&client).send(b"ab").unwrap();
            SockRef::from(&client).send_out_of_band(b"!").unwrap();
            if !tail.is_empty() {
                SockRef::from(&client).send(tail.as_bytes()).unwrap();
            }
            assert_eq!(arrived(&socket), 2 + tail.len());
            let mut all = Vec::new();
            assert_eq!(socket.read_to_end(&mut all).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!((all, arrived(&socket)), (["ab", tail].concat().into_bytes(), 0));
        }
    }

    #[test]
    fn whoever_connects_and_whenever_has_the_options() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Listener::from(listener);
        let limits = Limits::default();
        let early = TcpStream::connect(address).unwrap();
        listener.prepare(&limits).unwrap();
        let late = TcpStream::connect(address).unwrap();
        for (client, inherits) in [(early, false), (late, true)] {
            let (socket, peer) = listener.accept().unwrap();
            assert_eq!(peer, Address::Ip(client.local_addr().unwrap()));
            assert_eq!(prepare_early(&socket, &limits), inherits);
            let socket = SockRef::from(&socket);
            assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        }
    }
}
