//! A socket at tokio's reactor.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use serving::{Socket, Transport};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket at tokio's reactor. What would block is to be waited for.
///
/// tokio's own `TcpStream` takes a short read for proof that there is no more, and so forgets what stands behind
/// urgent data. This one asks the reactor whether there are any.
pub(crate) struct AsyncSocket(AsyncFd<Socket>);

#[cfg(any(target_os = "linux", target_os = "android"))]
const URGENT: Interest = Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const URGENT: Interest = Interest::READABLE;

impl AsyncSocket {
    /// # Errors
    /// If the reactor can't take it.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let interest = Interest::READABLE.add(Interest::WRITABLE).add(URGENT);
        register(socket, interest).map(Self)
    }

    pub(crate) fn into_inner(self) -> Socket {
        self.0.into_inner()
    }

    /// Whether the reactor was told of urgent data, or of the end of the input: then a short read is not the last, and the
    /// socket stays readable until a read finds nothing.
    fn has_more_input(&self) -> bool {
        self.0.try_io(URGENT, |_| Ok(())).is_ok()
    }

    /// Waits until it can be read.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(self.0.poll_read_ready(cx)).map(drop))
    }

    /// Waits until it can be written.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(ready!(self.0.poll_write_ready(cx)).map(drop))
    }
}

/// Has the reactor tell of a socket.
#[expect(unsafe_code, reason = "tokio can't tell that a socket stays open as long as it is registered")]
pub(crate) fn register<T: AsRawFd + Into<OwnedFd>>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: a socket owns its descriptor, which stays the same until the socket is dropped or taken out.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest)? })
}

impl Transport for &AsyncSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_more_input() {
            match self.0.try_io(URGENT, |mut socket| Read::read(&mut socket, buffer)) {
                // Nothing is behind any more, and the reactor is to tell of new urgent data.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
        let length = buffer.len();
        let mut last = None;
        let read = self.0.try_io(Interest::READABLE, |mut socket| {
            let count = Read::read(&mut socket, buffer)?;
            if (1..length).contains(&count) && !self.has_more_input() {
                // As if it would block already: so the reactor is asked for more without another call.
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
}
