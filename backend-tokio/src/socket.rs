//! tokio's sockets, as common wants them.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket of tokio's.
pub(crate) struct Socket(pub(crate) TcpStream);

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl TryFrom<Socket> for OwnedFd {
    type Error = io::Error;

    fn try_from(socket: Socket) -> io::Result<Self> {
        socket.0.into_std().map(Self::from)
    }
}

/// A socket within a poll: what would block there wakes the task when it can go on.
///
/// It reads by `poll_read`, which knows from a short read that there is no more, so that the task can wait
/// for more at once; after a `try_read` it would have to try once more, with a system call for each message.
pub(crate) struct Polled<'a, 'b> {
    socket: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl<'a, 'b> Polled<'a, 'b> {
    pub(crate) fn new(socket: &'a mut Socket, cx: &'a mut Context<'b>) -> Self {
        Self { socket: &mut socket.0, cx }
    }
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let poll = Pin::new(&mut *self.socket).poll_read(self.cx, &mut buffer);
        unblocked(poll).map(|()| buffer.filled().len())
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unblocked(Pin::new(&mut *self.socket).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Polled<'_, '_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn unblocked<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
