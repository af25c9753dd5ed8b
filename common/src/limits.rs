//! Every bound on what a client may cost, each with its default.

use std::fmt;
use std::time::Duration;

/// Every bound on what a client may cost.
///
/// It begins as the [default](Self::default), and each `with_` method changes one bound. A connection never holds more
/// than [`memory_bound`](Self::memory_bound) bytes in its buffers.
///
/// ```
/// use std::time::Duration;
///
/// use anyloop::{Limits, Overload};
///
/// let limits = Limits::default()
///     .with_max_connections(2_000)
///     .with_overload(Overload::Queue)
///     .with_max_message(1024)
///     .with_idle_timeout(None) // clients may be silent for ever
///     .with_message_timeout(Duration::from_secs(2));
/// assert_eq!(limits.max_message, 1024);
/// assert_eq!(limits.max_reply, Limits::default().max_reply);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many clients may be connected at once. Exact: the one after the last is not served.
    pub max_connections: usize,
    /// What becomes of the clients beyond that.
    pub overload: Overload,
    /// The longest message, in bytes of payload: one of this length passes, one byte more does not.
    pub max_message: usize,
    /// The most that may be said for one message, in bytes as sent.
    pub max_reply: usize,
    /// How long a client may be silent between two messages; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a message may take from its first byte to its last, however many bytes come meanwhile; and how long a
    /// preamble and the handshake of a transform may take from the accept.
    pub message_timeout: Duration,
    /// How long a client may leave its replies in the kernel's queue without taking a byte.
    pub write_timeout: Duration,
    /// How long the conversations may go on once the server has been told to stop.
    pub drain_timeout: Duration,
}

/// What becomes of the clients that come while as many as allowed are connected. It is set by
/// [`Limits::with_overload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// They wait in the kernel's backlog, and learn nothing.
    Queue,
    /// They are told [`ErrorReply::Busy`](crate::ErrorReply::Busy).
    Refuse,
}

/// The most that a backend may read at once, in bytes. What came with one read is kept, at the worst.
pub const MAX_READ: usize = 16 * 1024;

/// A turn ends after this many messages, so that nobody holds the loop: few enough for the others to wait
/// little, and enough for one write to carry a batch of small replies.
pub const TURN_MESSAGES: usize = 64;

/// A turn ends after this many bytes of replies.
pub const TURN_REPLIES: usize = 64 * 1024;

impl Limits {
    /// Sets how many clients may be [connected at once](Self::max_connections).
    pub fn with_max_connections(self, max_connections: usize) -> Self {
        Self { max_connections, ..self }
    }

    /// Sets what becomes of the [clients beyond that](Self::overload).
    pub fn with_overload(self, overload: Overload) -> Self {
        Self { overload, ..self }
    }

    /// Sets the [longest message](Self::max_message), in bytes of payload.
    pub fn with_max_message(self, max_message: usize) -> Self {
        Self { max_message, ..self }
    }

    /// Sets the most that may be [said for one message](Self::max_reply), in bytes as sent.
    pub fn with_max_reply(self, max_reply: usize) -> Self {
        Self { max_reply, ..self }
    }

    /// Sets how long a client may be [silent between two messages](Self::idle_timeout); `None` is for ever.
    pub fn with_idle_timeout(self, idle_timeout: impl Into<Option<Duration>>) -> Self {
        Self { idle_timeout: idle_timeout.into(), ..self }
    }

    /// Sets how long [a message may take](Self::message_timeout).
    pub fn with_message_timeout(self, message_timeout: Duration) -> Self {
        Self { message_timeout, ..self }
    }

    /// Sets how long a client may [take no byte](Self::write_timeout) of its replies.
    pub fn with_write_timeout(self, write_timeout: Duration) -> Self {
        Self { write_timeout, ..self }
    }

    /// Sets how long the conversations [may go on](Self::drain_timeout) once the server has been told to stop.
    pub fn with_drain_timeout(self, drain_timeout: Duration) -> Self {
        Self { drain_timeout, ..self }
    }

    /// The most bytes that one connection's buffers can come to hold: the longest message, one read behind
    /// it, a turn's replies, and the longest reply that may end the turn. A transform holds more:
    /// [`Service::memory_bound`](crate::Service::memory_bound).
    pub fn memory_bound(&self) -> usize {
        self.max_message + MAX_READ + TURN_REPLIES + self.max_reply
    }
}

/// As the flag `--overload` takes it: `queue` or `refuse`.
impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "queue",
            Self::Refuse => "refuse",
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            overload: Overload::Refuse,
            max_message: 64 * 1024,
            max_reply: 1024 * 1024,
            idle_timeout: Some(Duration::from_secs(300)),
            message_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
