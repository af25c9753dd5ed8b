//! Limits on the resources of clients, with their defaults.

use std::fmt;
use std::time::Duration;

/// Limits on the resources that clients may use.
///
/// Start with the [default](Self::default), and change limits with the `with_` methods. The buffers of a connection
/// never hold more than [`memory_bound`](Self::memory_bound) bytes.
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
///     .with_idle_timeout(None) // clients may be idle forever
///     .with_message_timeout(Duration::from_secs(2));
/// assert_eq!(limits.max_message, 1024);
/// assert_eq!(limits.max_reply, Limits::default().max_reply);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of connected clients. The limit is exact.
    pub max_connections: usize,
    /// What happens to clients that connect when this number is reached.
    pub overload: Overload,
    /// The maximum length of a message, in bytes of payload, inclusive.
    pub max_message: usize,
    /// The maximum length of all replies to one message, in bytes as sent.
    pub max_reply: usize,
    /// How long a client may be idle between two messages; `None` for no limit.
    pub idle_timeout: Option<Duration>,
    /// How long a message may take from its first byte to its last. Bytes in between do not restart it. It also limits
    /// the preamble and the handshake of a transform, counted from the accept.
    pub message_timeout: Duration,
    /// How long unsent replies may wait without the client receiving a byte of them.
    pub write_timeout: Duration,
    /// How long conversations may continue after the server was requested to stop.
    pub drain_timeout: Duration,
}

/// What happens to clients that connect while the maximal number is connected. Set by [`Limits::with_overload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// They wait in the listener's backlog.
    Queue,
    /// They are refused with [`ErrorReply::Busy`](crate::ErrorReply::Busy).
    Refuse,
}

/// The maximum number of bytes that a backend may pass to a connection at once. In the worst case all of them are kept.
pub const MAX_READ: usize = 16 * 1024;

/// A turn ends after this number of messages. It is small enough that other clients wait only briefly, and large enough
/// that small replies are written in batches.
pub const TURN_MESSAGES: usize = 64;

/// A turn ends after this number of bytes of replies.
pub const TURN_REPLIES: usize = 64 * 1024;

impl Limits {
    /// Sets the [maximum number of connected clients](Self::max_connections).
    pub fn with_max_connections(self, max_connections: usize) -> Self {
        Self { max_connections, ..self }
    }

    /// Sets what happens to [clients beyond that number](Self::overload).
    pub fn with_overload(self, overload: Overload) -> Self {
        Self { overload, ..self }
    }

    /// Sets the [maximum length of a message](Self::max_message), in bytes of payload.
    pub fn with_max_message(self, max_message: usize) -> Self {
        Self { max_message, ..self }
    }

    /// Sets the [maximum length of all replies to one message](Self::max_reply), in bytes as sent.
    pub fn with_max_reply(self, max_reply: usize) -> Self {
        Self { max_reply, ..self }
    }

    /// Sets how long a client may be [idle between two messages](Self::idle_timeout); `None` for no limit.
    pub fn with_idle_timeout(self, idle_timeout: impl Into<Option<Duration>>) -> Self {
        Self { idle_timeout: idle_timeout.into(), ..self }
    }

    /// Sets how long [a message may take](Self::message_timeout).
    pub fn with_message_timeout(self, message_timeout: Duration) -> Self {
        Self { message_timeout, ..self }
    }

    /// Sets how long [replies may wait](Self::write_timeout) without the client receiving a byte of them.
    pub fn with_write_timeout(self, write_timeout: Duration) -> Self {
        Self { write_timeout, ..self }
    }

    /// Sets how long conversations [may continue](Self::drain_timeout) after the server was requested to stop.
    pub fn with_drain_timeout(self, drain_timeout: Duration) -> Self {
        Self { drain_timeout, ..self }
    }

    /// The maximum size of the buffers of one connection, in bytes: the longest message and one more read, the replies
    /// of a turn and the longest reply at its end. A transform needs more: see
    /// [`Service::memory_bound`](crate::Service::memory_bound).
    pub fn memory_bound(&self) -> usize {
        self.max_message + MAX_READ + TURN_REPLIES + self.max_reply
    }
}

/// The format of the flag `--overload`: `queue` or `refuse`.
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
