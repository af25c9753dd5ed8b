//! Clients beside the measured ones that make a server's life hard.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::Socket;

use crate::engine::sources::{Attempt, connect};
use crate::plan::Plan;

/// The hostile clients of a plan. One thread makes all their trouble, which is little work by its nature.
pub(super) struct Crowd<'a> {
    plan: &'a Plan,
}

/// How often a slow reader reads a byte, and a slow writer writes one.
const PACE: Duration = Duration::from_millis(100);

/// What hostile clients send: messages of this size, where the generator makes them.
const MESSAGE: usize = 1024;

/// So many messages are sent to one client before the next has its turn.
const MESSAGES_AT_ONCE: usize = 64;

/// Numbers that the measured connections don't have, so that the source addresses are others, too.
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
    /// How much of the message at hand was taken.
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

    /// Makes trouble until it is over. A client that the server has ended comes again.
    pub(super) fn make_trouble(&self, over: &AtomicBool) -> io::Result<()> {
        let hostile = self.plan.hostile;
        let kinds = std::iter::repeat_n(Kind::Idle, hostile.idle)
            .chain(std::iter::repeat_n(Kind::SlowReader, hostile.slow_readers))
            .chain(std::iter::repeat_n(Kind::SlowWriter, hostile.slow_writers));
        let clients = kinds.zip(NUMBERS..);
        let mut clients: Vec<_> =
            clients.map(|(kind, number)| Client { kind, number, socket: None, taken: 0 }).collect();
        let message = self.plan.messages.example(self.plan.framing, MESSAGE);
        while !over.load(Ordering::Relaxed) {
            for client in &mut clients {
                if client.socket.is_none() {
                    // Where there is no room for it, it tries again at the next round.
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
    /// Does what its kind does.
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

/// What a socket that is not ready says is no error; the end of input is one.
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
