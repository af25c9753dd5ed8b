//! What a user of anyloop writes: a [`Handler`] for everybody, and a [`Session`] for each client.

use crate::{Client, CloseReason, Replies};

/// A service: opens a [`Session`] for each client. One handler is shared by all of them.
///
/// ```
/// use anyloop::{Client, Flow, Handler, Replies, Session};
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
///
/// ```
/// use anyloop::{CloseReason, Flow, Replies, Session};
///
/// /// Adds up what one client sends.
/// struct Sum(i64);
///
/// impl Session for Sum {
///     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
///         match std::str::from_utf8(message).ok().and_then(|text| text.parse::<i64>().ok()) {
///             Some(number) => self.0 = self.0.saturating_add(number),
///             None => out.reject("not-a-number"), // the conversation goes on
///         }
///         out.write(format_args!("{}", self.0));
///         Flow::Continue
///     }
///
///     fn closed(&mut self, why: CloseReason) {
///         println!("{} at the end, which was {why}", self.0);
///     }
/// }
/// ```
pub trait Session: Send {
    /// Answers one message: with no reply, one, or several.
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow;

    /// Told once, when the conversation has ended and nothing can be said any more.
    fn closed(&mut self, why: CloseReason) {
        let _ = why;
    }
}

/// How a conversation goes on after a message.
///
/// ```
/// use anyloop::{Flow, Replies};
///
/// fn message(message: &[u8], out: &mut Replies<'_>) -> Flow {
///     match message {
///         b"bye" => Flow::Close,
///         b"sesame" => {
///             out.send(b"welcome");
///             Flow::Continue
///         }
///         _ => {
///             out.reject("not-allowed");
///             Flow::Fail
///         }
///     }
/// }
/// ```
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
///
/// ```
/// use std::fs::File;
/// use std::io::Write;
/// use std::sync::Arc;
///
/// use anyloop::{Blocking, Client, Flow, Handler, Replies, Session};
///
/// /// Stores every message before it is answered.
/// struct Journal(Arc<File>);
///
/// impl Handler for Journal {
///     fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
///         Box::new(Self(Arc::clone(&self.0)))
///     }
///
///     fn blocking(&self) -> Blocking {
///         Blocking::MayBlock
///     }
/// }
///
/// impl Session for Journal {
///     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
///         match self.0.as_ref().write_all(message).and_then(|()| self.0.sync_data()) {
///             Ok(()) => out.send(b"stored"),
///             Err(_) => out.reject("not-stored"),
///         }
///         Flow::Continue
///     }
/// }
/// ```
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
