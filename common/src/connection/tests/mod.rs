//! Tests of connections, without a socket and without a clock.

mod deadlines;
mod endings;
mod faults;
mod flow;
mod handshakes;
mod later;
mod lent;
mod preambles;
mod protocols;
mod pushes;
mod records;
mod stopping;
mod table;
mod talk;
mod transforms;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Connection, Next};
use crate::{
    Address, Blocking, Client, CloseReason, Flow, Framing, Handler, Limits, Marks, Outbox, Record, Replies,
    Service, Session,
};

/// A connection, an outbox, a simulated clock, and a client that receives the output.
struct Rig {
    connection: Connection,
    out: Outbox,
    start: Instant,
    now: Instant,
    /// What the client has received.
    received: Vec<u8>,
    /// The number of bytes that can still be written before a write would block.
    room: usize,
    script: Arc<Script>,
}

/// The behaviour of the session, and the calls of its `closed`.
#[derive(Default)]
struct Script {
    blocking: bool,
    closed: Mutex<Vec<CloseReason>>,
}

impl Rig {
    fn new(framing: Framing, limits: Limits) -> Self {
        Self::scripted(Script::default(), framing, limits)
    }

    fn line() -> Self {
        Self::new(Framing::Line, Limits::default())
    }

    fn scripted(script: Script, framing: Framing, limits: Limits) -> Self {
        let script = Arc::new(script);
        let service = Service::framed(Arc::new(Scripted(Arc::clone(&script))), framing).with_limits(limits);
        Self { script, ..Self::serving(service) }
    }

    fn serving(service: Service) -> Self {
        let (start, client) = (any_instant(), Client::new(Address::Unknown));
        let connection = Connection::new(Arc::new(service), client, start);
        let (out, received, script) = Default::default();
        Self { connection, out, start, now: start, received, room: usize::MAX, script }
    }

    /// Performs operations until the connection waits for input or for a write, or is done. Returns the last operation.
    fn settle(&mut self) -> Next {
        loop {
            match self.connection.what_now(&mut self.out) {
                Next::Write if self.room == 0 => {
                    let queued = self.received.len() as u64;
                    self.connection.blocked(queued, &mut self.out, self.now);
                    return Next::Write;
                }
                Next::Write => {
                    let output = self.connection.output(&self.out);
                    let count = output.len().min(self.room);
                    self.received.extend_from_slice(&output[..count]);
                    self.room -= count;
                    self.connection.wrote(count, &mut self.out, self.now);
                }
                Next::Run => self.connection.run(&mut self.out, || self.now),
                next => return next,
            }
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> Next {
        self.receive(bytes);
        self.settle()
    }

    fn receive(&mut self, bytes: impl AsRef<[u8]>) {
        self.connection.receive(&mut bytes.as_ref().to_vec(), &mut self.out, || self.now);
    }

    fn end_input(&mut self) -> Next {
        self.connection.end_of_input(&mut self.out, || self.now);
        self.settle()
    }

    /// Advances the clock, and calls `expire`, which may be called at any time.
    fn pass(&mut self, time: Duration) -> Next {
        self.pass_with_queue(time, 0)
    }

    fn pass_with_queue(&mut self, time: Duration, queued: u64) -> Next {
        self.now += time;
        self.connection.expire(queued, 0, &mut self.out, self.now);
        self.settle()
    }

    /// Returns what the client has received since the last call, as text.
    fn heard(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no other way to have an instant at all")]
fn any_instant() -> Instant {
    Instant::now()
}

/// Greets with `hi`, executes the commands in messages, and echoes all other messages.
struct Scripted(Arc<Script>);

impl Handler for Scripted {
    fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
        out.send(b"hi");
        Box::new(Self(Arc::clone(&self.0)))
    }

    fn blocking(&self) -> Blocking {
        if self.0.blocking { Blocking::MayBlock } else { Blocking::Never }
    }
}

impl Session for Scripted {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        match message {
            b"exit" => return Flow::Close,
            b"fail" => {
                out.send(b"so far");
                out.reject("no room\r\nfor you".to_owned());
                return Flow::Fail;
            }
            b"panic" => {
                out.send(b"half a");
                std::panic::panic_any("a session's panic");
            }
            b"large" => out.send(&[b'x'; 40_000]),
            b"too large" => out.send(&[b'x'; 1024 * 1024]),
            b"two" => {
                out.send(b"one");
                out.send(b"two");
            }
            b"none" => {}
            _ => out.send(message),
        }
        Flow::Continue
    }

    fn closed(&mut self, why: CloseReason) {
        self.0.closed.lock().unwrap().push(why);
    }
}
