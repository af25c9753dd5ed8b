//! Every bound on what a client may cost, each with its default.

use std::time::Duration;

/// Every bound on what a client may cost.
///
/// A connection never holds more than [`Limits::memory_bound`] bytes in its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// How long a message may take from its first byte to its last, however many bytes come meanwhile.
    pub message_timeout: Duration,
    /// How long a client may leave its replies in the kernel's queue without taking a byte.
    pub write_timeout: Duration,
    /// How long the conversations may go on once the server has been told to stop.
    pub drain_timeout: Duration,
}

/// What becomes of the clients that come while as many as allowed are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The most bytes that one connection's buffers can come to hold: the longest message, one read behind
    /// it, a turn's replies, and the longest reply that may end the turn.
    pub fn memory_bound(&self) -> usize {
        self.max_message + MAX_READ + TURN_REPLIES + self.max_reply
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
