//! A socket registered with tokio's reactor.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use serving::{Socket, Transport};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket registered with tokio's reactor.
///
/// tokio's `TcpStream` clears the readiness after a short read, and so misses input behind urgent data. This type asks the
/// reactor for urgent data first.
pub(crate) struct AsyncSocket(AsyncFd<Socket>);

#[cfg(any(target_os = "linux", target_os = "android"))]
const URGENT: Interest = Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const URGENT: Interest = Interest::READABLE;

impl AsyncSocket {
    /// # Errors
    /// If the reactor rejects the socket.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let interest = Interest::READABLE.add(Interest::WRITABLE).add(URGENT);
        register(socket, interest).map(Self)
    }

    pub(crate) fn into_inner(self) -> Socket {
        self.0.into_inner()
    }

    /// Whether urgent data or the end of the input were reported. Then there may be more input after a short read, and the
    /// socket stays readable until a read returns `WouldBlock`.
    fn has_more_input(&self) -> bool {
        self.0.try_io(URGENT, |_| Ok(())).is_ok()
    }

    /// Waits until the socket is readable.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(self.0.poll_read_ready(cx)).map(drop))
    }

    /// Waits until the socket is writable.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(self.0.poll_write_ready(cx)).map(drop))
    }
}

/// Registers a socket with the reactor.
#[expect(unsafe_code, reason = "tokio can't tell that a socket stays open as long as it is registered")]
pub(crate) fn register<T: AsRawFd + Into<OwnedFd>>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: a socket owns its descriptor, which stays the same until the socket is dropped or taken out.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest)? })
}

impl Transport for &AsyncSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_more_input() {
            match self.0.try_io(URGENT, |mut socket| Read::read(&mut socket, buffer)) {
                // No input is left, and this has cleared the readiness for urgent data.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
        let length = buffer.len();
        let mut last = None;
        let read = self.0.try_io(Interest::READABLE, |mut socket| {
            let count = Read::read(&mut socket, buffer)?;
            if (1..length).contains(&count) && !self.has_more_input() {
                // Clears the readiness without another system call.
                last = Some(count);
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        last.map_or(read, Ok)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_io(Interest::WRITABLE, |mut socket| Write::write(&mut socket, bytes))
    }

    fn arrived(&self) -> usize {
        self.0.get_ref().arrived()
    }

    fn queued(&self) -> u64 {
        self.0.get_ref().queued()
    }

    fn has_failed(&self) -> bool {
        self.0.get_ref().has_failed()
    }
}
