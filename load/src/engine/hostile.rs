//! Hostile clients that run beside the measured ones.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use socket2::Socket;

use crate::engine::sources::{Attempt, connect};
use crate::plan::{Plan, TransformHook};
use crate::transform::Channel;

/// The hostile clients of a plan. One thread runs all of them, since they are idle most of the time.
pub(super) struct Crowd<'a> {
    plan: &'a Plan,
}

/// The interval at which a slow reader reads a byte, and a slow writer writes one.
const PACE: Duration = Duration::from_millis(100);

/// The size of generated messages of hostile clients.
const MESSAGE: usize = 1024;

/// How many messages one client sends before the next one is served.
const MESSAGES_AT_ONCE: usize = 64;

/// The first connection number, beyond those of the measured connections, so that the source addresses differ as well.
const NUMBERS: u32 = 1 << 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Idle,
    SlowReader,
    SlowWriter,
}

struct Client {
    kind: Kind,
    number: u32,
    socket: Option<Socket>,
    /// The layer below the messages.
    channel: Option<Channel>,
    /// The current message as the channel has sealed it.
    sealed: Vec<u8>,
    /// How much of the current message was sent.
    taken: usize,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan }
    }

    pub(super) fn is_empty(&self) -> bool {
        let hostile = self.plan.hostile;
        hostile.idle + hostile.slow_readers + hostile.slow_writers == 0
    }

    /// Runs until it is stopped. A client that the server has closed reconnects.
    ///
    /// # Errors
    /// If this machine has no ports left, or no descriptors: fewer clients than planned would take part.
    pub(super) fn make_trouble(&self, over: &AtomicBool) -> io::Result<()> {
        let shard = self.plan.shard;
        let own = |kind, total| std::iter::repeat_n(kind, shard.share(total));
        let hostile = self.plan.hostile;
        let kinds = own(Kind::Idle, hostile.idle)
            .chain(own(Kind::SlowReader, hostile.slow_readers))
            .chain(own(Kind::SlowWriter, hostile.slow_writers));
        let numbers = (0..).map(|own| NUMBERS.wrapping_add(shard.number_of(own) as u32));
        let clients = kinds.zip(numbers);
        let mut clients: Vec<_> = clients
            .map(|(kind, number)| Client {
                kind,
                number,
                socket: None,
                channel: None,
                sealed: Vec::new(),
                taken: 0,
            })
            .collect();
        let message = self.plan.messages.example(self.plan.framing, MESSAGE);
        while !over.load(Ordering::Relaxed) {
            for client in &mut clients {
                if client.socket.is_none() {
                    client.socket = match connect(&self.plan.address, client.number) {
                        Ok((socket, Attempt::Connected | Attempt::Underway)) => Some(socket),
                        Err(error) if is_exhausted(&error) => return Err(self.not_connected(&error)),
                        Ok((_, Attempt::Full)) | Err(_) => None, // it tries again in the next round
                    };
                    client.channel = self.plan.transform.as_ref().map(TransformHook::channel).transpose()?;
                    (client.sealed, client.taken) = (Vec::new(), 0);
                } else if client.act(&message).is_err() {
                    client.socket = None;
                }
            }
            thread::sleep(PACE);
        }
        Ok(())
    }

    fn not_connected(&self, error: &io::Error) -> io::Error {
        let what = format!("a hostile client can't connect to {}: {error}", self.plan.address);
        io::Error::new(error.kind(), what)
    }
}

impl Client {
    /// Acts according to its kind.
    fn act(&mut self, message: &[u8]) -> io::Result<()> {
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

/// Whether an error of a connect means that this machine can make no more connections.
fn is_exhausted(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Maps `WouldBlock` to success, and the end of input to an error.
fn would_block(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error)
            if error.kind() != io::ErrorKind::WouldBlock && error.kind() != io::ErrorKind::NotConnected =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}
