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
    /// The minimum rate at which a client must receive unsent replies, in bytes per second; 0 for no limit. It is measured
    /// over each [`min_rate_window`](Self::min_rate_window), so that a client which receives a byte now and then does not
    /// occupy its buffers for ever.
    pub min_rate: usize,
    /// The time over which [`min_rate`](Self::min_rate) is measured.
    pub min_rate_window: Duration,
    /// How long an answer that is given [later](crate::Later) may take.
    pub answer_timeout: Duration,
    /// How long conversations may continue after the server was requested to stop.
    pub drain_timeout: Duration,
    /// The maximum size of a client's mailbox, in bytes: of the messages that were [pushed](crate::Handle::send) and not
    /// delivered yet. Each is charged its length and 64 bytes, also if other clients get it too. At most 4 GiB.
    pub mailbox: usize,
    /// What happens when a push exceeds it.
    pub mailbox_full: MailboxFull,
}

/// What happens when a [pushed](crate::Handle::send) message exceeds the mailbox of the client. Set by
/// [`Limits::with_mailbox_full`]. A message that exceeds an empty mailbox is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailboxFull {
    /// The conversation ends immediately as [failed](crate::CloseReason::MailboxFull): the client is too slow.
    Close,
    /// The push is refused, and the client continues.
    Refuse,
    /// The oldest messages are dropped, and the session is told [how many](crate::Session::missed).
    DropOldest,
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

    /// Sets the [minimum rate](Self::min_rate) at which a client must receive unsent replies, in bytes per second; 0 for no
    /// limit.
    pub fn with_min_rate(self, min_rate: usize) -> Self {
        Self { min_rate, ..self }
    }

    /// Sets the time over which the minimum rate [is measured](Self::min_rate_window).
    pub fn with_min_rate_window(self, min_rate_window: Duration) -> Self {
        Self { min_rate_window, ..self }
    }

    /// Sets how long conversations [may continue](Self::drain_timeout) after the server was requested to stop.
    pub fn with_drain_timeout(self, drain_timeout: Duration) -> Self {
        Self { drain_timeout, ..self }
    }

    /// Sets how long an answer that is given later [may take](Self::answer_timeout).
    pub fn with_answer_timeout(self, answer_timeout: Duration) -> Self {
        Self { answer_timeout, ..self }
    }

    /// Sets the [maximum size of a mailbox](Self::mailbox), in bytes.
    pub fn with_mailbox(self, mailbox: usize) -> Self {
        Self { mailbox, ..self }
    }

    /// Sets what happens when a push [exceeds the mailbox](Self::mailbox_full).
    pub fn with_mailbox_full(self, mailbox_full: MailboxFull) -> Self {
        Self { mailbox_full, ..self }
    }

    /// The maximum size of the buffers of one connection, in bytes: the longest message and one more read, the mailbox, the
    /// output of a turn, and at its end the longest output for a pushed message and the longest reply. A transform needs
    /// more: see [`Service::memory_bound`](crate::Service::memory_bound).
    pub fn memory_bound(&self) -> usize {
        self.max_message + MAX_READ + TURN_REPLIES + 2 * self.max_reply + self.mailbox
    }
}

/// The format of the flag `--mailbox-full`: `close`, `refuse` or `drop-oldest`.
impl fmt::Display for MailboxFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Close => "close",
            Self::Refuse => "refuse",
            Self::DropOldest => "drop-oldest",
        })
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
            min_rate: 256,
            min_rate_window: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            mailbox: 256 * 1024,
            mailbox_full: MailboxFull::Close,
        }
    }
}
