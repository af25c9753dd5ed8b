//! The connection to a server, with TLS if that was requested.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::Address;
use load::transform::Channel;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::Target;
use crate::connector::Secure;
use crate::failure::Failure;

/// A connection to a server. One thread may read while another one sends.
pub(super) struct Connection {
    socket: Socket,
    tls: Option<Mutex<Tls>>,
}

struct Tls {
    channel: Channel,
    /// What was opened and not read yet.
    opened: VecDeque<u8>,
    /// The end of the input, behind that: what the server has announced, or an error.
    end: Option<Result<(), io::Error>>,
    /// What is sent before the next message: the reply to a key update, for example.
    unsent: Vec<u8>,
}

impl Connection {
    /// Connects, and makes the handshake of TLS.
    pub(super) fn open(target: &Target, secure: &Secure) -> Result<Self, Failure> {
        let connect = secure.connect(target, false)?;
        let mut failure = String::new();
        for address in target.resolve().map_err(Failure::Failed)? {
            match connect_to(&address) {
                Ok(socket) => {
                    let Some(connect) = connect else { return Ok(Self { socket, tls: None }) };
                    let channel = Channel::new(connect.transform().map_err(|error| Failure::of(&error))?);
                    return Self::shake(socket, channel)
                        .map_err(|error| Failure::Failed(format!("no TLS with {address}: {error}")));
                }
                Err(error) => failure = format!("no server answers at {address}: {error}"),
            }
        }
        Err(Failure::Failed(failure))
    }

    fn shake(mut socket: Socket, mut channel: Channel) -> io::Result<Self> {
        let end = Instant::now() + CONNECT_TIMEOUT;
        socket.set_read_timeout(Some(CHECK_INTERVAL))?;
        socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
        let opened = channel.shake(&mut socket, || match Instant::now() < end {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::TimedOut,
                format!(
                    "the server did not complete the handshake within {} s; check that it speaks TLS",
                    CONNECT_TIMEOUT.as_secs()
                ),
            )),
        })?;
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(None)?;
        let tls = Tls { channel, opened: opened.into(), end: None, unsent: Vec::new() };
        Ok(Self { socket, tls: Some(Mutex::new(tls)) })
    }

    /// The socket, to wait for, and to write [sealed](Self::sealed) bytes to.
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    fn tls(&self) -> Option<MutexGuard<'_, Tls>> {
        self.tls.as_ref().map(|tls| tls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether [`read`](Self::read) returns something that is not waited for at the socket.
    pub(super) fn has_pending(&self) -> bool {
        self.tls().is_some_and(|tls| !tls.opened.is_empty() || tls.end.is_some())
    }

    /// Reads once. Returns 0 at the end, and [`WouldBlock`](ErrorKind::WouldBlock) also if what was read is not yet a
    /// whole record of TLS.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = if self.has_pending() { None } else { Some((&self.socket).read(buffer)?) };
        match (self.tls(), count) {
            (Some(mut tls), count) => tls.read(buffer, count),
            (None, count) => Ok(count.unwrap_or(0)),
        }
    }

    /// What has to be sent for these bytes.
    pub(super) fn sealed<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(mut tls) = self.tls() else { return bytes.into() };
        let tls = &mut *tls;
        let mut sealed = std::mem::take(&mut tls.unsent);
        if !bytes.is_empty() {
            tls.channel.seal(bytes, &mut sealed);
        }
        sealed.into()
    }

    /// What has to be sent before the output is shut down.
    pub(super) fn sealed_end(&self) -> Vec<u8> {
        let Some(mut tls) = self.tls() else { return Vec::new() };
        let mut sealed = std::mem::take(&mut tls.unsent);
        tls.channel.close(&mut sealed);
        sealed
    }

    /// Sends bytes over a blocking socket.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.socket).write_all(&self.sealed(bytes))
    }

    /// Ends the output of a blocking socket.
    pub(super) fn end_output(&self) {
        // The server may have closed the connection already.
        let _ = (&self.socket).write_all(&self.sealed_end());
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl Tls {
    /// Returns what was opened. Opens what was read before, which is as much as given.
    fn read(&mut self, buffer: &mut [u8], count: Option<usize>) -> io::Result<usize> {
        let opened = &mut self.opened;
        let received = match count {
            None => Ok(()),
            Some(0) => Err(self.channel.cut()),
            Some(count) => {
                self.channel.receive(&mut buffer[..count], &mut Vec::new(), &mut self.unsent, |plain| {
                    opened.extend(&*plain);
                    Ok(())
                })
            }
        };
        match received {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.end = Some(Ok(())),
            Err(error) => self.end = Some(Err(error)),
        }
        match (opened.is_empty(), &self.end) {
            (false, _) => opened.read(buffer),
            (true, None) => Err(ErrorKind::WouldBlock.into()),
            (true, Some(Ok(()))) => Ok(0),
            (true, Some(Err(_))) => match self.end.replace(Ok(())) {
                Some(Err(error)) => Err(error),
                _ => Ok(0),
            },
        }
    }
}

fn connect_to(address: &Address) -> io::Result<Socket> {
    let Some(path) = address.path() else {
        let address = address.ip().ok_or(ErrorKind::InvalidInput)?;
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        // Messages are written whole, so Nagle's algorithm would only delay them.
        let _ = socket.set_nodelay(true);
        return Ok(socket.into());
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let path = SockAddr::unix(path)?;
    let end = Instant::now() + CONNECT_TIMEOUT;
    // `connect` waits for room in the backlog, for at most the write timeout. It is interrupted if the process is suspended.
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        socket.set_write_timeout(Some(left))?;
        match socket.connect(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            result => break result?,
        }
    }
    socket.set_write_timeout(None)?;
    Ok(socket)
}

/// How long a connection attempt may take, and then a handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is checked whether a handshake takes too long.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
