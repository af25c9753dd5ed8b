//! A connected TCP or Unix socket.

use std::ffi::OsStr;
use std::fmt::Debug;
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

/// The I/O operations that a conversation needs.
pub trait Transport {
    /// Reads like [`Read::read`]. If it blocks, it returns `Interrupted` when the conversation is woken.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes like [`Write::write`], without blocking.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// How many unread bytes have arrived, including those behind urgent data.
    fn arrived(&self) -> usize;

    /// How many written bytes the peer has not acknowledged. Zero if the system can't tell: then only writes count as
    /// progress.
    fn queued(&self) -> u64;

    /// Whether the connection was reset, or has ended in both directions, so that nothing can be sent any more. The default can't
    /// tell, so that this is noticed when something is sent.
    fn has_failed(&self) -> bool {
        false
    }
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

    fn has_failed(&self) -> bool {
        (**self).has_failed()
    }
}

/// The operations of a socket that was accepted, other than those of a conversation: to refuse its client, and to close it.
/// None of them blocks. [`Socket`] is one; a simulation has its own.
pub trait Accepted: Debug + Send + 'static {
    /// The local address.
    fn local_address(&self) -> Address;

    /// Sets the options of a TCP socket if it has not inherited them, since its client connected before the listener was
    /// prepared. Returns whether the socket has inherited them.
    fn prepare(&self, limits: &Limits) -> bool;

    /// Sends bytes to a client that is refused.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Receives and discards up to `most` bytes.
    fn discard(&self, most: usize) -> io::Result<usize>;

    /// See [`Transport::queued`].
    fn queued(&self) -> u64;

    /// Shuts down the output.
    fn end_writing(&self);

    /// The descriptor to poll for input. `None` if the socket has none, and is to be read at each sweep.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

impl Accepted for Socket {
    fn local_address(&self) -> Address {
        rustix::net::getsockname(&self.0).map_or(Address::Unknown, address)
    }

    fn prepare(&self, limits: &Limits) -> bool {
        let inherited = SockRef::from(self).keepalive().unwrap_or(true);
        if !inherited {
            // This fails if the client has disconnected, which the next read shows.
            let _ = set_options(self, limits);
        }
        inherited
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, SEND)?)
    }

    fn discard(&self, most: usize) -> io::Result<usize> {
        let mut discarded = [0; 4096];
        let room = most.min(discarded.len());
        Ok(recv(&self.0, &mut discarded[..room], RecvFlags::DONTWAIT)?.0)
    }

    fn queued(&self) -> u64 {
        queued(&self.0)
    }

    fn end_writing(&self) {
        let _ = rustix::net::shutdown(&self.0, Shutdown::Write); // fails if the peer has disconnected
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// A connected TCP or Unix socket, which a [`Listener`](crate::Listener) accepts. Its writes never block and never raise
/// `SIGPIPE`.
#[derive(Debug)]
pub struct Socket(OwnedFd);

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

    fn has_failed(&self) -> bool {
        let mut polled = [PollFd::new(&self.0, PollFlags::empty())]; // failures are reported without flags
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|count| count > 0)
    }
}

pub(crate) fn set_options(socket: &impl AsFd, limits: &Limits) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_RETRIES))?;
    socket.set_tcp_nodelay(true)?;
    // It would also end a client whose window stays smaller than a segment, however steadily that reads, so it is off where the
    // idle timeout finds a client that is gone.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(match limits.idle_timeout {
        Some(_) => None,
        None => Some(limits.write_timeout.clamp(MIN_USER_TIMEOUT, MAX_USER_TIMEOUT)),
    })?;
    let _ = limits;
    Ok(())
}

/// The first keepalive probe is sent to a silent client after this time.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// Further probes follow at this interval.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The connection fails when this many probes were not answered.
const KEEPALIVE_RETRIES: u32 = 3;
/// Without an idle timeout, the connection fails when the client has acknowledged nothing for this time, or for the write timeout
/// if that is longer.
#[cfg(target_os = "linux")]
const MIN_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// The kernel counts the milliseconds of this timeout in an `int`.
#[cfg(target_os = "linux")]
const MAX_USER_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// Flags to send without blocking, and without `SIGPIPE`.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// Flags to send without blocking. These systems have no flag against `SIGPIPE`, which Rust programs ignore by default.
#[cfg(target_vendor = "apple")]
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT;

/// Converts an address of the system. Abstract Unix addresses have no path.
pub(crate) fn address(address: SocketAddrAny) -> Address {
    if let Ok(address) = address.clone().try_into() {
        return Address::Ip(address);
    }
    match SocketAddrUnix::try_from(address) {
        Ok(unix) => Address::Unix(unix.path_bytes().map(|path| Path::new(OsStr::from_bytes(path)).into())),
        Err(_) => Address::Unknown,
    }
}

/// Implements [`Transport::arrived`].
pub(crate) fn arrived(socket: impl AsFd) -> usize {
    let before_urgent_data = readable(&socket);
    let options = SockRef::from(&socket);
    if options.local_addr().is_ok_and(|address| address.is_unix()) {
        // For Unix sockets the kernel counts a byte of urgent data as well, even after a read has skipped it.
        let mut waiting = [PollFd::new(&socket, PollFlags::PRI)];
        let is_urgent = poll(&mut waiting, Some(&Timespec::default())).is_ok()
            && waiting[0].revents().contains(PollFlags::PRI);
        let rest = recv(&socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        let none = rest == Err(Errno::AGAIN);
        return if none { 0 } else { before_urgent_data.saturating_sub(usize::from(is_urgent)) };
    }
    // The kernel counts only the bytes before urgent data, unless these are received inline.
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

/// Implements [`Transport::queued`].
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
    fn input_behind_urgent_data_counts_as_arrived() {
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
        assert_eq!(Read::read(&mut socket, &mut read).unwrap(), 2, "a read stops before urgent data");
        assert_eq!(arrived(&socket), 3);
        assert_eq!(Read::read(&mut socket, &mut read).unwrap(), 3);
        assert_eq!((arrived(&socket), &read[..3]), (0, &b"cde"[..]));
    }

    #[test]
    fn urgent_data_of_a_unix_socket_does_not_count_as_arrived() {
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
    fn accepted_sockets_have_the_options_whenever_the_client_connected() {
        for idle_timeout in [Limits::default().idle_timeout, None] {
            let limits = Limits::default().with_idle_timeout(idle_timeout);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let listener = Listener::from(listener);
            let early = TcpStream::connect(address).unwrap();
            listener.prepare(&limits).unwrap();
            let late = TcpStream::connect(address).unwrap();
            for (client, inherits) in [(early, false), (late, true)] {
                let (socket, peer) = listener.accept().unwrap();
                assert_eq!(peer, Address::Ip(client.local_addr().unwrap()));
                assert_eq!(socket.prepare(&limits), inherits);
                let socket = SockRef::from(&socket);
                assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
                assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
                #[cfg(target_os = "linux")]
                {
                    let user_timeout = idle_timeout.is_none().then_some(MIN_USER_TIMEOUT);
                    assert_eq!(socket.tcp_user_timeout().unwrap(), user_timeout);
                }
            }
        }
    }
}
