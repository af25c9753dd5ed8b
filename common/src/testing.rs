//! A client for tests of handlers and protocols, without sockets and threads, and with a simulated clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{
    Address, Client, Clock, CloseReason, Connection, Handle, MAX_READ, Marks, Next, Opened, Outbox,
    SendError, Service, Transform,
};

/// A client that is served by the pure core on the thread of the test. It receives all output immediately.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use anyloop::testing::TestClient;
/// use anyloop::{CloseReason, Flow, Framing, Handler, Limits, Replies, Service, Session};
///
/// struct Shout;
///
/// impl Handler for Shout {
///     fn open(&self, _client: &anyloop::Client, out: &mut Replies<'_>) -> Box<dyn Session> {
///         out.send(b"hello");
///         Box::new(Self)
///     }
/// }
///
/// impl Session for Shout {
///     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
///         out.send(&message.to_ascii_uppercase());
///         Flow::Continue
///     }
/// }
///
/// let mut client = TestClient::connect(Service::framed(Arc::new(Shout), Framing::Line));
/// assert_eq!(client.heard(), "hello\n");
/// client.say("one\ntwo\nthr");
/// assert_eq!(client.heard(), "ONE\nTWO\n");
/// client.advance(Limits::default().message_timeout);
/// assert_eq!(client.heard(), "ERR timeout message: no line end\n");
/// assert_eq!(client.over(), Some(CloseReason::MessageTimeout));
/// ```
pub struct TestClient {
    connection: Connection,
    out: Outbox,
    handle: Handle,
    now: Arc<Mutex<Instant>>,
    clock: Clock,
    /// The client's own transform.
    transform: Option<Box<dyn Transform>>,
    /// The output of the server that was not opened yet.
    sent: Vec<u8>,
    heard: Vec<u8>,
    over: Option<CloseReason>,
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut client = f.debug_struct("TestClient");
        client.field("connection", &self.connection).field("heard", &String::from_utf8_lossy(&self.heard));
        client.field("over", &self.over).finish_non_exhaustive()
    }
}

impl TestClient {
    /// Connects to a service.
    pub fn connect(service: Service) -> Self {
        Self::connect_as(Client::new(Address::Unknown), Arc::new(service))
    }

    /// Connects as the given client, to a service that it may share with others.
    #[expect(clippy::disallowed_methods, reason = "there is no other way to have an instant at all")]
    pub fn connect_as(client: Client, service: Arc<Service>) -> Self {
        let client = client.with_limits(&service.limits);
        let handle = client.handle();
        let start = Instant::now();
        let now = Arc::new(Mutex::new(start));
        let shown = Arc::clone(&now);
        let clock = Clock::new(move || *shown.lock().unwrap_or_else(PoisonError::into_inner));
        let connection = Connection::new(service, client, start);
        let (out, transform, sent, heard, over) = Default::default();
        let mut client = Self { connection, out, handle, now, clock, transform, sent, heard, over };
        client.settle();
        client
    }

    /// The handle to this client, by which other threads reach it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Pushes a message to the client, as another thread does by its [handle](Self::handle).
    ///
    /// # Errors
    /// Those of [`Handle::send`].
    pub fn pushed(&mut self, message: impl AsRef<[u8]>) -> Result<(), SendError> {
        let pushed = self.handle.send(message.as_ref());
        self.settle();
        pushed
    }

    /// Seals all later input and opens all output with the client's side of a [transform](Service::with_transform).
    /// Send a preamble before this call.
    pub fn through(mut self, transform: Box<dyn Transform>) -> Self {
        self.transform = Some(transform);
        self.sent = std::mem::take(&mut self.heard);
        self.listen();
        self
    }

    /// Sends bytes to the server. They are ignored if the conversation has ended.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        match &mut self.transform {
            None => self.send(bytes.as_ref().to_vec()),
            Some(transform) => {
                let mut sealed = Vec::new();
                transform.seal(bytes.as_ref(), &mut sealed);
                self.send(sealed);
            }
        }
    }

    fn send(&mut self, mut bytes: Vec<u8>) {
        for piece in bytes.chunks_mut(MAX_READ) {
            if self.over.is_none() {
                self.connection.activate(&mut self.out, &self.clock).receive(piece);
                self.settle();
            }
        }
    }

    /// Ends the input: the client sends no more.
    pub fn end(&mut self) {
        self.connection.activate(&mut self.out, &self.clock).end_of_input();
        self.settle();
    }

    /// Stops the server: it answers the complete messages, then ends the conversation.
    pub fn stop(&mut self) {
        self.connection.activate(&mut self.out, &self.clock).stop(0);
        self.settle();
    }

    /// Advances the clock by `time`. Deadlines within it fire when they are due.
    pub fn advance(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        while let Some(deadline) = self.connection.deadline().filter(|deadline| *deadline <= end) {
            self.set_clock(deadline.max(self.clock.now()));
            self.connection.activate(&mut self.out, &self.clock).expire(0, 0);
            self.settle();
        }
        self.set_clock(end);
    }

    fn set_clock(&self, now: Instant) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Returns what the server has sent since the last call, as text.
    pub fn heard(&mut self) -> String {
        String::from_utf8_lossy(&self.heard_bytes()).into_owned()
    }

    /// Returns what the server has sent since the last call.
    pub fn heard_bytes(&mut self) -> Vec<u8> {
        self.settle();
        std::mem::take(&mut self.heard)
    }

    /// Why the conversation has ended; `None` while it continues.
    pub fn over(&self) -> Option<CloseReason> {
        self.over
    }

    /// The number of answered messages.
    pub fn messages(&self) -> u64 {
        self.connection.messages()
    }

    /// Drives the connection until it waits for input or for another thread.
    fn settle(&mut self) {
        let mut active = self.connection.activate(&mut self.out, &self.clock);
        loop {
            match active.what_now() {
                Next::Write => {
                    let sent = if self.transform.is_some() { &mut self.sent } else { &mut self.heard };
                    sent.extend_from_slice(active.output());
                    active.wrote(active.output().len());
                }
                Next::Run => active.run(),
                Next::Read | Next::Wait => match self.handle.record().cell.take_marks() {
                    Marks::NONE => break,
                    _ => active.notified(),
                },
                Next::Done(reason) => {
                    self.over = Some(reason);
                    break;
                }
            }
        }
        drop(active);
        self.listen();
    }

    /// Opens the output of the server, and sends the output of the client's transform.
    fn listen(&mut self) {
        let mut sealed = Vec::new();
        while let Some(transform) = &mut self.transform {
            let mut plain = Vec::with_capacity(MAX_READ);
            match transform.open(&mut self.sent, &mut plain, &mut sealed) {
                Opened::InPlace { used, plain, more } => {
                    self.heard.extend_from_slice(&self.sent[plain]);
                    self.sent.drain(..used);
                    if more {
                        continue;
                    }
                }
                Opened::Plain { used, more } => {
                    self.heard.append(&mut plain);
                    self.sent.drain(..used);
                    if more {
                        continue;
                    }
                }
                Opened::More { used } => drop(self.sent.drain(..used)),
                Opened::End => self.sent.clear(),
                Opened::Broken => panic!("the client's transform can't open what the server has sent"),
            }
            break;
        }
        if !sealed.is_empty() {
            self.send(sealed);
        }
    }
}
