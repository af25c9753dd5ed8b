//! A connection to the upstream server, which carries one message at a time.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The maximum length of a reply of the upstream server, in bytes without its line end.
pub const MAX_REPLY: usize = 64 * 1024;

/// A connection to the upstream server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    timeout: Duration,
    /// Whether more than a reply was read, so that it is not known which message the rest answers.
    has_surplus: bool,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    Down(String, io::Error),
    Lost(io::Error),
    Timeout(Duration),
    ReplyTooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(address, error) => write!(f, "down: {address} can't be connected to: {error}"),
            Self::Lost(error) => write!(f, "lost: {error}; the message may have been received"),
            Self::Timeout(timeout) => {
                write!(f, "timeout: no reply within {timeout:?}; the message may have been received")
            }
            Self::ReplyTooLong => write!(f, "reply-too-long: more than {MAX_REPLY} bytes"),
        }
    }
}

impl Connection {
    /// Connects to the first address of this name that answers within `timeout`.
    pub(crate) fn open(address: &str, timeout: Duration) -> Result<Self, Failure> {
        let open = || {
            let mut failed = io::Error::new(ErrorKind::NotFound, "the name has no address");
            for address in address.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, timeout) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(stream);
                    }
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        };
        let stream = open().map_err(|error| Failure::Down(address.to_owned(), error))?;
        Ok(Self { stream, timeout, has_surplus: false })
    }

    /// Whether the connection is open, and nothing has arrived that answers no message.
    pub(crate) fn is_idle(&self) -> bool {
        let peek = || {
            self.stream.set_nonblocking(true)?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_nonblocking(false)?;
            peeked
        };
        !self.has_surplus && peek().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends a line, and returns the reply. After a failure the connection can't be used any more.
    pub(crate) fn ask(&mut self, line: &[u8]) -> Result<Vec<u8>, Failure> {
        let deadline = Instant::now() + self.timeout;
        let replied = self.write(&[line, b"\n"].concat(), deadline).and_then(|()| self.read(deadline));
        match replied {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(Failure::ReplyTooLong),
            // A socket whose timeout has passed reports either of them.
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                Err(Failure::Timeout(self.timeout))
            }
            Err(error) => Err(Failure::Lost(error)),
        }
    }

    fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(remaining(deadline)?))?;
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads a line; `None` if it is too long.
    fn read(&mut self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let (mut line, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            self.stream.set_read_timeout(Some(remaining(deadline)?))?;
            let read = match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection has ended")),
                Ok(read) => &piece[..read],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = read.iter().position(|&byte| byte == b'\n');
            line.extend_from_slice(&read[..end.unwrap_or(read.len())]);
            if let Some(end) = end {
                self.has_surplus = end + 1 < read.len();
                line.pop_if(|last| *last == b'\r');
            }
            if end.is_some() || line.len() > MAX_REPLY + 1 {
                return Ok(Some(line).filter(|line| line.len() <= MAX_REPLY));
            }
        }
    }
}

/// The time until the deadline, which is above zero.
fn remaining(deadline: Instant) -> io::Result<Duration> {
    let remaining = deadline.saturating_duration_since(Instant::now());
    if remaining.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(remaining) }
}
