//! The server's end of a connection: the operations of its socket, which is a real one or a simulated one.

use std::io;

use serving::{Accepted, Transport};

/// Two connected sockets.
pub(crate) trait Ends {
    /// The socket of the server.
    type Socket: Accepted;

    fn connect() -> Self;

    /// Calls the socket of the server, until it is closed.
    fn server<T>(&self, call: impl FnOnce(&Self::Socket) -> T) -> T;

    /// Closes the socket of the server.
    fn drop_server(&self);
}

/// The server's end of a connection.
pub(crate) trait Server {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn arrived(&self) -> usize;
    fn queued(&self) -> u64;
    fn has_failed(&self) -> bool;
    fn end_writing(&self);
    fn discard(&self, most: usize) -> io::Result<usize>;
    fn refuse(&self, bytes: &[u8]) -> io::Result<usize>;
    fn close_server(&self);
}

impl<E: Ends> Server for E
where
    for<'a> &'a E::Socket: Transport,
{
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.server(|mut socket| socket.read(buffer))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.server(|mut socket| socket.write(bytes))
    }

    fn arrived(&self) -> usize {
        self.server(|socket| socket.arrived())
    }

    fn queued(&self) -> u64 {
        self.server(|socket| Transport::queued(&socket))
    }

    fn has_failed(&self) -> bool {
        self.server(|socket| socket.has_failed())
    }

    fn end_writing(&self) {
        self.server(Accepted::end_writing);
    }

    fn discard(&self, most: usize) -> io::Result<usize> {
        self.server(|socket| socket.discard(most))
    }

    fn refuse(&self, bytes: &[u8]) -> io::Result<usize> {
        self.server(|socket| socket.send(bytes))
    }

    fn close_server(&self) {
        self.drop_server();
    }
}
