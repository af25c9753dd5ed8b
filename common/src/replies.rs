//! The replies of a session.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, Instant};

use crate::{Codec, ErrorReply, Later, Outbox};

/// The replies of a session to one client: whole messages, in the framing of the client.
///
/// ```
/// use anyloop::framing::Line;
/// use anyloop::protocol::Outbox;
/// use anyloop::{Limits, Replies};
///
/// let (mut outbox, codec) = (Outbox::new(), Line::new(&Limits::default()));
/// let mut out = Replies::new(&mut outbox, &codec); // a server creates them for each call of a session
/// out.send(b"one");
/// out.send_parts(&[b"t", b"wo"]);
/// out.write(format_args!("{}", 3));
/// out.reject("not-a-number");
/// assert_eq!(outbox.bytes(), b"one\ntwo\n3\nERR not-a-number\n");
/// ```
pub struct Replies<'a> {
    outbox: &'a mut Outbox,
    codec: &'a dyn Codec,
}

impl fmt::Debug for Replies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}

impl<'a> Replies<'a> {
    /// Replies that are framed by `codec` and written to `outbox`.
    pub fn new(outbox: &'a mut Outbox, codec: &'a dyn Codec) -> Self {
        Self { outbox, codec }
    }

    /// Sends one reply.
    pub fn send(&mut self, reply: &[u8]) {
        self.send_parts(&[reply]);
    }

    /// Sends one reply, the concatenation of `parts`.
    pub fn send_parts(&mut self, parts: &[&[u8]]) {
        let start = self.outbox.len();
        self.codec.begin(self.outbox);
        for part in parts {
            self.outbox.push(part);
        }
        self.codec.end(start, self.outbox);
    }

    /// Sends one reply with formatted text: `out.write(format_args!("{count} items"))`.
    pub fn write(&mut self, reply: fmt::Arguments<'_>) {
        let start = self.outbox.len();
        self.codec.begin(self.outbox);
        // An outbox never fails. If a `Display` of the caller fails, the reply ends there.
        let _ = fmt::Write::write_fmt(self.outbox, reply);
        self.codec.end(start, self.outbox);
    }

    /// Answers the message later: returns the [answer](Later), which any thread or task can give. Replies that were sent before
    /// are delivered immediately.
    ///
    /// # Panics
    /// If an answer is awaited already, since a message has one answer; or outside of a call by a server or a
    /// [`TestClient`](crate::testing::TestClient).
    pub fn later(&mut self) -> Later {
        self.outbox.later()
    }

    /// The time of the server's clock. Use it instead of `Instant::now`, so that tests can
    /// [advance](crate::testing::TestClient::advance) it.
    pub fn now(&self) -> Instant {
        self.outbox.now()
    }

    /// Sets the timer of the session, which has only one, or cancels it with `None`. After this time
    /// [`Session::timer`](crate::Session::timer) is called once, at most a quarter of a second late.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use anyloop::testing::TestClient;
    /// use anyloop::{Client, Flow, Framing, Handler, Replies, Service, Session};
    ///
    /// /// Sends a heartbeat each second.
    /// struct Heartbeat;
    ///
    /// impl Handler for Heartbeat {
    ///     fn open(&self, _client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
    ///         out.set_timer(Duration::from_secs(1));
    ///         Box::new(Self)
    ///     }
    /// }
    ///
    /// impl Session for Heartbeat {
    ///     fn message(&mut self, _message: &[u8], _out: &mut Replies<'_>) -> Flow {
    ///         Flow::Continue
    ///     }
    ///
    ///     fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
    ///         out.send(b"alive");
    ///         out.set_timer(Duration::from_secs(1));
    ///         Flow::Continue
    ///     }
    /// }
    ///
    /// let mut client = TestClient::connect(Service::framed(Arc::new(Heartbeat), Framing::Line));
    /// client.advance(Duration::from_secs(2));
    /// assert_eq!(client.heard(), "alive\nalive\n");
    /// ```
    pub fn set_timer(&mut self, after: impl Into<Option<Duration>>) {
        self.outbox.set_timer(after);
    }

    /// Sends an error reply that rejects a message, in the format of the framing: `out.reject("not-utf8")` sends `ERR
    /// not-utf8`.
    pub fn reject(&mut self, why: impl Into<Cow<'static, str>>) {
        self.codec.error(&ErrorReply::Rejected(why.into()), self.outbox);
    }
}
