//! async-std's sockets, as common wants them.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_std::io::{Read as AsyncRead, Write as AsyncWrite};
use async_std::net::TcpStream;

/// A socket of async-std's.
pub(crate) struct Socket(pub(crate) TcpStream);

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl TryFrom<Socket> for OwnedFd {
    type Error = io::Error;

    /// async-std doesn't give its descriptor away: this is a duplicate, which the system may not have.
    fn try_from(socket: Socket) -> io::Result<Self> {
        socket.0.as_fd().try_clone_to_owned()
    }
}

/// A socket within a poll: what would block there wakes the task when it can go on.
pub(crate) struct Polled<'a, 'b> {
    socket: &'a TcpStream,
    cx: &'a mut Context<'b>,
    pending: bool,
}

impl<'a, 'b> Polled<'a, 'b> {
    pub(crate) fn new(socket: &'a Socket, cx: &'a mut Context<'b>) -> Self {
        Self { socket: &socket.0, cx, pending: false }
    }

    /// Whether the task will be woken by the socket.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending
    }

    fn block<T>(&mut self, poll: Poll<io::Result<T>>) -> io::Result<T> {
        match poll {
            Poll::Ready(result) => result,
            Poll::Pending => {
                self.pending = true;
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let poll = Pin::new(&mut self.socket).poll_read(self.cx, buffer);
        self.block(poll)
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let poll = Pin::new(&mut self.socket).poll_write(self.cx, bytes);
        self.block(poll)
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
