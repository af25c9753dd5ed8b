//! The traits that users implement: a [`Handler`] for the server, and a [`Session`] for each client.

use crate::{Client, CloseReason, Replies};

/// Opens a [`Session`] for each client. All clients share one handler.
///
/// ```
/// use anyloop::{Client, Flow, Handler, Replies, Session};
///
/// /// Sends a greeting, and sends each message back in upper case.
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
    /// Opens the session of a client that has just connected. Replies sent here are a greeting.
    fn open(&self, client: &Client, out: &mut Replies<'_>) -> Box<dyn Session>;

    /// Whether calls of this handler and its sessions may block. The default is [`Blocking::Never`].
    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

/// The state of the conversation with one client. Its methods are never called concurrently, so it needs no locks.
///
/// ```
/// use anyloop::{CloseReason, Flow, Replies, Session};
///
/// /// Adds up the numbers that a client sends.
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
    /// Answers one message with any number of replies.
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow;

    /// Called between two messages with a message that was [pushed](crate::Handle::send) to the client. The default sends it.
    fn notified(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send(message);
        Flow::Continue
    }

    /// Called before the next pushed message if `count` pushed messages were [dropped](crate::MailboxFull::DropOldest). The
    /// default ignores it.
    fn missed(&mut self, count: u64, out: &mut Replies<'_>) -> Flow {
        let _ = (count, out);
        Flow::Continue
    }

    /// Called between two messages when the timer of the session has expired, which is [set](Replies::set_timer) by the
    /// session itself. The default ignores it.
    fn timer(&mut self, out: &mut Replies<'_>) -> Flow {
        let _ = out;
        Flow::Continue
    }

    /// Called once when the server stops, between two messages and after everything that was pushed before. The messages that
    /// have arrived until then are still answered, then the conversation ends. The default ignores the stop.
    ///
    /// It is also called while an answer is [pending](Replies::later). The server waits for that answer until the drain deadline,
    /// so a session whose answer may take longer should give it here:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use anyloop::testing::TestClient;
    /// use anyloop::{Client, CloseReason, Flow, Framing, Handler, Later, Replies, Service, Session};
    ///
    /// /// Answers each message with the next event, of which there is none until the end.
    /// struct Events;
    ///
    /// #[derive(Default)]
    /// struct Subscriber {
    ///     waiting: Option<Later>,
    ///     is_stopping: bool,
    /// }
    ///
    /// impl Handler for Events {
    ///     fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
    ///         Box::new(Subscriber::default())
    ///     }
    /// }
    ///
    /// impl Session for Subscriber {
    ///     fn message(&mut self, _message: &[u8], out: &mut Replies<'_>) -> Flow {
    ///         if self.is_stopping {
    ///             out.send(b"none"); // the message had arrived before the stop
    ///         } else {
    ///             self.waiting = Some(out.later());
    ///         }
    ///         Flow::Continue
    ///     }
    ///
    ///     fn stopping(&mut self, _out: &mut Replies<'_>) -> Flow {
    ///         self.is_stopping = true;
    ///         if let Some(later) = self.waiting.take() {
    ///             let _ = later.send(b"none"); // fails if it took too long
    ///         }
    ///         Flow::Continue
    ///     }
    /// }
    ///
    /// let mut client = TestClient::connect(Service::framed(Arc::new(Events), Framing::Line));
    /// client.say("next\nnext\n");
    /// assert_eq!(client.heard(), "");
    /// client.stop();
    /// assert_eq!((client.heard().as_str(), client.over()), ("none\nnone\n", Some(CloseReason::Stopping)));
    /// ```
    fn stopping(&mut self, out: &mut Replies<'_>) -> Flow {
        let _ = out;
        Flow::Continue
    }

    /// Called once when the conversation has ended and nothing can be sent any more.
    fn closed(&mut self, why: CloseReason) {
        let _ = why;
    }
}

/// How a conversation continues after a message.
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
    /// Continue with the next message.
    Continue,
    /// Deliver the replies so far, then end the conversation. Later messages are ignored.
    Close,
    /// Deliver the replies so far, then end the conversation and count it as [failed](CloseReason::Rejected). To report
    /// an error to the client, call `out.reject("not-allowed")` first, which sends `ERR not-allowed`.
    Fail,
}

/// Whether calls of a session may block, for example on a disk, a lock, another server or a long computation.
///
/// ```
/// use std::fs::File;
/// use std::io::Write;
/// use std::sync::Arc;
///
/// use anyloop::{Blocking, Client, Flow, Handler, Replies, Session};
///
/// /// Stores each message before it is answered.
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
    /// Each call returns within tens of microseconds. It runs on the thread that has read the message.
    Never,
    /// A call may take long. It runs where it does not delay other clients: on the thread of its connection, or on a
    /// separate thread for blocking calls. The number of these threads is limited by
    /// [`Service::blocking_threads`](crate::Service::blocking_threads), 512 by default; when all are busy, the next
    /// call waits for a free one. `pool` has no such threads: there each call occupies a worker.
    MayBlock,
}
