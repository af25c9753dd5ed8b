//! Hostile clients that run beside the measured ones.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::Socket;

use crate::engine::sources::{Attempt, connect};
use crate::plan::Plan;

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
    pub(super) fn make_trouble(&self, over: &AtomicBool) -> io::Result<()> {
        let shard = self.plan.shard;
        let own = |kind, total| std::iter::repeat_n(kind, shard.share(total));
        let hostile = self.plan.hostile;
        let kinds = own(Kind::Idle, hostile.idle)
            .chain(own(Kind::SlowReader, hostile.slow_readers))
            .chain(own(Kind::SlowWriter, hostile.slow_writers));
        let numbers = (0..).map(|own| NUMBERS.wrapping_add(shard.number_of(own) as u32));
        let clients = kinds.zip(numbers);
        let mut clients: Vec<_> =
            clients.map(|(kind, number)| Client { kind, number, socket: None, taken: 0 }).collect();
        let message = self.plan.messages.example(self.plan.framing, MESSAGE);
        while !over.load(Ordering::Relaxed) {
            for client in &mut clients {
                if client.socket.is_none() {
                    // If that fails, it tries again in the next round.
                    let begun = connect(&self.plan.address, client.number).ok();
                    client.socket =
                        begun.filter(|(_, attempt)| *attempt != Attempt::Full).map(|(socket, _)| socket);
                    client.taken = 0;
                } else if client.act(&message).is_err() {
                    client.socket = None;
                }
            }
            thread::sleep(PACE);
        }
        Ok(())
    }
}

impl Client {
    /// Acts according to its kind.
    fn act(&mut self, message: &[u8]) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        match self.kind {
            Kind::Idle => would_block(socket.read(&mut [0; 256])),
            Kind::SlowWriter => {
                would_block(socket.read(&mut [0; 256]))?;
                match socket.write(&message[self.taken..][..1]) {
                    Ok(count) => self.taken = (self.taken + count) % message.len(),
                    error => return would_block(error),
                }
                Ok(())
            }
            Kind::SlowReader => {
                would_block(socket.read(&mut [0; 1]))?;
                for _ in 0..MESSAGES_AT_ONCE {
                    match socket.write(&message[self.taken..]) {
                        Ok(count) => self.taken = (self.taken + count) % message.len(),
                        error => return would_block(error),
                    }
                }
                Ok(())
            }
        }
    }
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
