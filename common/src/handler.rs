//! What a user of anyloop writes: a [`Handler`] for everybody, and a [`Session`] for each client.

use crate::{Client, CloseReason, Replies};

/// A service: opens a [`Session`] for each client. One handler is shared by all of them.
///
/// ```
/// use common::{Client, Flow, Handler, Replies, Session};
///
/// /// Greets, and says everything back in capitals.
/// struct Shout;
///
/// impl Handler for Shout {
///     fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session> {
///         out.send(format!("Hello, {}!", client.peer).as_bytes());
///         Box::new(Shouting)
///     }
/// }
///
/// struct Shouting;
///
/// impl Session for Shouting {
///     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
///         if message == b"bye" {
///             return Flow::Close;
///         }
///         out.send(&message.to_ascii_uppercase());
///         Flow::Continue
///     }
/// }
/// ```
pub trait Handler: Send + Sync {
    /// Opens the session of a client that has just connected; what is sent here greets it.
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session>;

    /// Whether this handler's sessions may block. The default is that they never do.
    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

/// The state of one client's conversation. Only one call runs at a time, so it needs no locks.
pub trait Session: Send {
    /// Answers one message: with no reply, one, or several.
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow;

    /// Told once, when the conversation has ended and nothing can be said any more.
    fn closed(&mut self, why: CloseReason) {
        let _ = why;
    }
}

/// How a conversation goes on after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// The next message may come.
    Continue,
    /// What was said so far is delivered, then the conversation ends. Later messages are not looked at.
    Close,
    /// What was said so far is delivered, then the conversation ends, and counts as [failed](CloseReason::Rejected). What
    /// was wrong is said before: `out.reject("not-allowed")` sends `ERR not-allowed`.
    Fail,
}

/// Whether a session's calls may wait for something: a disk, a lock, another server, a long computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocking {
    /// Every call returns within some tens of microseconds. It runs right where the bytes were read.
    Never,
    /// A call may take long. It runs where a backend allows that, so that other clients are not held up: on the
    /// thread of its connection, or on one of up to [so many](crate::Service::blocking_threads) threads that are
    /// there for it, 512 unless the service says otherwise. When all of them are within calls, the next call waits,
    /// and with it its client. `pool` has no such threads: there each call holds one of the workers.
    MayBlock,
}
