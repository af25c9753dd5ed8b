//! A client of the servers with a poller: its socket and two buffers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::answer;

/// A client of a server with a poller.
pub(crate) struct LineClient {
    socket: TcpStream,
    /// The beginning of an incomplete line.
    partial: Vec<u8>,
    /// Replies that the kernel hasn't taken yet.
    replies: Vec<u8>,
    /// Whether the last read drained the socket.
    drained: bool,
    /// Whether the poller has reported the end of the client's input.
    ended: bool,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Readable,
    Writable,
    Over,
}

/// The size of a read.
pub(crate) const READ: usize = 16 * 1024;

impl LineClient {
    pub(crate) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, partial: Vec::new(), replies: Vec::new(), drained: false, ended: false })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Advances until it has to wait, for edge-triggered pollers.
    ///
    /// A read that doesn't fill the buffer has drained the socket, and later input is a new edge. An end of input that
    /// was already reported (`ended`) isn't: only one more read finds it.
    pub(crate) fn advance_to_the_edge(&mut self, buffer: &mut [u8], ended: bool) -> Wait {
        self.ended = ended;
        loop {
            match self.advance(buffer) {
                Wait::Readable if !self.drained => {}
                wait => return wait,
            }
        }
    }

    /// Reads once, through the worker's buffer, and answers all lines with one write. Nothing is read while a reply is
    /// unsent.
    pub(crate) fn advance(&mut self, buffer: &mut [u8]) -> Wait {
        if !self.replies.is_empty() {
            match self.flush() {
                Ok(true) => {}
                Ok(false) => return Wait::Writable,
                Err(_) => return Wait::Over,
            }
        }
        match self.socket.read(buffer) {
            Ok(0) => Wait::Over,
            Ok(length) => {
                self.drained = length < buffer.len() && !self.ended;
                self.receive(&buffer[..length]);
                match self.flush() {
                    Ok(true) => Wait::Readable,
                    Ok(false) => Wait::Writable,
                    Err(_) => Wait::Over,
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.drained = error.kind() == ErrorKind::WouldBlock;
                Wait::Readable
            }
            Err(_) => Wait::Over,
        }
    }

    fn receive(&mut self, mut input: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, rest) = input.split_at(end + 1);
            if self.partial.is_empty() {
                answer(line, &mut self.replies);
            } else {
                self.partial.extend_from_slice(line);
                answer(&self.partial, &mut self.replies);
                self.partial.clear();
            }
            input = rest;
        }
        self.partial.extend_from_slice(input);
    }

    /// Sends the replies. Returns whether all are sent.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.replies.is_empty() {
            match self.socket.write(&self.replies) {
                Ok(sent) => drop(self.replies.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
