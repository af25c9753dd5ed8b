//! A client for tests of handlers and protocols: no socket, no thread, and time that passes when it is told to.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{
    Address, Client as Peer, CloseReason, Connection, MAX_READ, Next, Opened, Outbox, Service, Transform,
};

/// A client that is served by the pure core, in the thread of the test. It takes all that it is sent at once.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use anyloop::testing::Client;
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
/// let mut client = Client::connect(Service::framed(Arc::new(Shout), Framing::Line));
/// assert_eq!(client.heard(), "hello\n");
/// client.say("one\ntwo\nthr");
/// assert_eq!(client.heard(), "ONE\nTWO\n");
/// client.advance(Limits::default().message_timeout);
/// assert_eq!(client.heard(), "ERR timeout message: no line end\n");
/// assert_eq!(client.over(), Some(CloseReason::MessageTimeout));
/// ```
pub struct Client {
    connection: Connection,
    out: Outbox,
    now: Instant,
    /// The client's own transform.
    transform: Option<Box<dyn Transform>>,
    /// What was sent to the client, as it was sent.
    sent: Vec<u8>,
    heard: Vec<u8>,
    over: Option<CloseReason>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut client = f.debug_struct("Client");
        client.field("connection", &self.connection).field("heard", &String::from_utf8_lossy(&self.heard));
        client.field("over", &self.over).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a service.
    pub fn connect(service: Service) -> Self {
        Self::connect_as(Peer::new(Address::Unknown), Arc::new(service))
    }

    /// Connects as a certain client, to a service that it may share with others.
    #[expect(clippy::disallowed_methods, reason = "there is no other way to have an instant at all")]
    pub fn connect_as(client: Peer, service: Arc<Service>) -> Self {
        let now = Instant::now();
        let connection = Connection::new(service, client, now);
        let (sent, heard) = Default::default();
        let mut client =
            Self { connection, out: Outbox::new(), now, transform: None, sent, heard, over: None };
        client.settle();
        client
    }

    /// Has all that is said from now on sealed, and all that is heard opened, by the client's side of a
    /// [transform](Service::with_transform). What goes before that, as a preamble does, is sent as it is.
    pub fn through(mut self, transform: Box<dyn Transform>) -> Self {
        self.transform = Some(transform);
        self.sent = std::mem::take(&mut self.heard);
        self.listen();
        self
    }

    /// Sends bytes, as they are sent over a socket. What comes behind the end is not received.
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
                self.connection.activate(&mut self.out, || self.now).receive(piece);
                self.settle();
            }
        }
    }

    /// Ends the input: the client sends no more.
    pub fn end(&mut self) {
        self.connection.activate(&mut self.out, || self.now).end_of_input();
        self.settle();
    }

    /// Has the server stop: what has arrived is answered, and then the conversation ends.
    pub fn stop(&mut self) {
        self.connection.activate(&mut self.out, || self.now).stop(0);
        self.settle();
    }

    /// Lets time pass. Deadlines that are reached within it fire when they are due.
    pub fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.connection.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.connection.activate(&mut self.out, || self.now).expire(0, 0);
            self.settle();
        }
        self.now = end;
    }

    /// What the server has sent since this was last asked, as text.
    pub fn heard(&mut self) -> String {
        String::from_utf8_lossy(&self.heard_bytes()).into_owned()
    }

    /// What the server has sent since this was last asked.
    pub fn heard_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.heard)
    }

    /// Why the conversation has ended; `None` while it goes on.
    pub fn over(&self) -> Option<CloseReason> {
        self.over
    }

    /// How many messages were answered.
    pub fn messages(&self) -> u64 {
        self.connection.messages()
    }

    /// Does what is to be done until it is the client's turn.
    fn settle(&mut self) {
        let mut active = self.connection.activate(&mut self.out, || self.now);
        loop {
            match active.what_now() {
                Next::Write => {
                    let sent = if self.transform.is_some() { &mut self.sent } else { &mut self.heard };
                    sent.extend_from_slice(active.output());
                    active.wrote(active.output().len());
                }
                Next::Run => active.run(),
                Next::Read => break,
                Next::Done(reason) => {
                    self.over = Some(reason);
                    break;
                }
            }
        }
        drop(active);
        self.listen();
    }

    /// Opens what was sent to the client, and says what the client's transform has to say to that.
    fn listen(&mut self) {
        let mut said = Vec::new();
        while let Some(transform) = &mut self.transform {
            let mut plain = Vec::with_capacity(MAX_READ);
            match transform.open(&mut self.sent, &mut plain, &mut said) {
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
        if !said.is_empty() {
            self.send(said);
        }
    }
}
