//! One hostile client: it connects, acts according to its kind, and connects again when its connection has ended.

use std::io::{self, ErrorKind, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::Socket;

use crate::engine::sources::{Attempt, connect};
use crate::plan::{Plan, TransformHook};
use crate::transform::Channel;

/// How many messages one client sends before the next one is served.
const MESSAGES_AT_ONCE: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Idle,
    SlowReader,
    SlowWriter,
}

pub(super) struct Client {
    pub(super) kind: Kind,
    number: u32,
    socket: Option<Socket>,
    /// Whether its attempt to connect has neither succeeded nor failed.
    is_pending: bool,
    is_connected: bool,
    /// The layer below the messages.
    channel: Option<Channel>,
    /// The current message as the channel has sealed it.
    sealed: Vec<u8>,
    /// How much of the current message was sent.
    taken: usize,
    /// How many connections it has made, and how many of these the server has ended.
    pub(super) connections: u64,
    pub(super) ended: u64,
}

impl Client {
    pub(super) fn new(kind: Kind, number: u32) -> Self {
        Self {
            kind,
            number,
            socket: None,
            is_pending: false,
            is_connected: false,
            channel: None,
            sealed: Vec::new(),
            taken: 0,
            connections: 0,
            ended: 0,
        }
    }

    /// Starts to connect.
    ///
    /// # Errors
    /// If this machine has no ports left, or no descriptors. Any other failure is one to try again after.
    pub(super) fn connect(&mut self, plan: &Plan) -> io::Result<()> {
        let attempt = match connect(&plan.address, self.number) {
            Err(error) if is_exhausted(&error) => {
                let what = format!("a hostile client can't connect to {}: {error}", plan.address);
                return Err(io::Error::new(error.kind(), what));
            }
            attempt => attempt.ok(),
        };
        self.is_pending = matches!(attempt, Some((_, Attempt::Underway | Attempt::Full)));
        self.socket = attempt.filter(|(_, attempt)| *attempt != Attempt::Full).map(|(socket, _)| socket);
        self.channel = plan.transform.as_ref().map(TransformHook::channel).transpose()?;
        (self.sealed, self.taken) = (Vec::new(), 0);
        self.notice();
        Ok(())
    }

    /// Whether its attempt to connect has neither succeeded nor failed.
    pub(super) fn is_pending(&self) -> bool {
        self.is_pending
    }

    pub(super) fn socket(&self) -> Option<&Socket> {
        self.socket.as_ref()
    }

    /// Notices whether the attempt to connect has succeeded or failed.
    pub(super) fn notice(&mut self) {
        let Some(socket) = self.socket.as_ref().filter(|_| !self.is_connected) else { return };
        if socket.peer_addr().is_ok() {
            (self.is_connected, self.is_pending) = (true, false);
            self.connections += 1;
        } else if let Ok(Some(error)) | Err(error) = socket.take_error() {
            self.leave(&error);
        }
    }

    /// Leaves a connection because of this error.
    fn leave(&mut self, error: &io::Error) {
        // One that was reset before it was noticed was made nevertheless.
        let is_ended = is_end(error);
        self.connections += u64::from(is_ended && !self.is_connected);
        self.ended += u64::from(is_ended);
        (self.socket, self.is_connected, self.is_pending) = (None, false, false);
    }

    /// Acts according to its kind, if it is connected.
    pub(super) fn act(&mut self, message: &[u8]) {
        if self.is_connected
            && let Err(error) = self.try_to_act(message)
        {
            self.leave(&error);
        }
    }

    /// Counts the end of a connection that the server has ended and the client has not yet noticed, since it reads slowly.
    pub(super) fn notice_end(&mut self) {
        self.notice();
        let Some(socket) = self.socket.as_ref().filter(|_| self.is_connected) else { return };
        let mut polled = [PollFd::new(socket, ENDED)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_ended = poll(&mut polled, Some(&at_once)).is_ok() && polled[0].revents().intersects(ENDED);
        self.ended += u64::from(is_ended);
    }

    fn try_to_act(&mut self, message: &[u8]) -> io::Result<()> {
        if self.shake()? {
            return Ok(());
        }
        match self.kind {
            Kind::Idle => self.read(&mut [0; 256]),
            Kind::SlowWriter => {
                self.read(&mut [0; 256])?;
                self.write(message, 1, 1)
            }
            Kind::SlowReader => {
                self.read(&mut [0; 1])?;
                self.write(message, message.len(), MESSAGES_AT_ONCE)
            }
        }
    }

    /// Advances the handshake of a transform. Returns whether there is one.
    fn shake(&mut self) -> io::Result<bool> {
        match &self.channel {
            Some(channel) if !channel.has_begun() => self.receive(&mut [])?,
            Some(channel) if channel.is_handshaking() => self.read(&mut [0; 4096])?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Reads once. A transform opens what was read, and says what it has to say.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        match socket.read(buffer) {
            Ok(count @ 1..) => self.receive(&mut buffer[..count]),
            result => would_block(result),
        }
    }

    fn receive(&mut self, input: &mut [u8]) -> io::Result<()> {
        let (Some(channel), Some(socket)) = (&mut self.channel, &mut self.socket) else { return Ok(()) };
        let mut said = Vec::new();
        let received = channel.receive(input, &mut Vec::new(), &mut said, |_| Ok(()));
        // A socket that has no room for a few bytes of a handshake is one to be closed.
        if !said.is_empty() {
            socket.write_all(&said)?;
        }
        received
    }

    /// Writes at most this much of the message at a time, as often as given.
    fn write(&mut self, message: &[u8], most: usize, times: usize) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        for _ in 0..times {
            if let Some(channel) = &mut self.channel
                && self.taken == 0
            {
                self.sealed.clear();
                channel.seal(message, &mut self.sealed);
            }
            let message = if self.channel.is_some() { &self.sealed } else { message };
            let rest = &message[self.taken..];
            match socket.write(&rest[..rest.len().min(most)]) {
                Ok(count) => self.taken = (self.taken + count) % message.len(),
                error => return would_block(error),
            }
        }
        Ok(())
    }
}

/// What a poll tells of a connection that the other end has ended.
#[cfg(target_os = "linux")]
const ENDED: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::RDHUP);
#[cfg(not(target_os = "linux"))]
const ENDED: PollFlags = PollFlags::HUP.union(PollFlags::ERR);

/// Whether an error of a connect means that this machine can make no more connections.
fn is_exhausted(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Whether an error of a socket means that the server has ended its connection, rather than that none was made.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Maps `WouldBlock` to success, and the end of input to an error.
fn would_block(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() != ErrorKind::WouldBlock && error.kind() != ErrorKind::NotConnected => {
            Err(error)
        }
        _ => Ok(()),
    }
}
