//! The layer below sessions, which works on bytes. Implement it for protocols that a codec can't express.

use crate::{Blocking, Client, CloseReason, ErrorReply, Flow, Limits, Outbox};

/// The protocol state of one connection, which works on bytes. [`Framed`](crate::Framed) implements it with a codec and
/// a session.
///
/// **Each call receives the bytes that earlier calls have not used, followed by new ones.** An implementation may
/// remember how far it has scanned them, so that a long message that arrives in pieces is scanned once. It may modify
/// only the bytes that it uses in the same call, to unmask or unescape them in place.
///
/// In this example each byte is a message:
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::protocol::{Application, Outbox, Progress, Protocol};
/// use anyloop::testing;
/// use anyloop::{Blocking, Client, ErrorReply, Flow, Limits, Service};
///
/// /// Replies with the successor of each byte.
/// struct Next;
///
/// impl Application for Next {
///     fn open(&self, _client: Client, _limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
///         Box::new(Self)
///     }
///
///     fn refuse(&self, _error: &ErrorReply, _limits: &Limits, _out: &mut Outbox) {}
///
///     fn blocking(&self) -> Blocking {
///         Blocking::Never
///     }
/// }
///
/// impl Protocol for Next {
///     fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
///         match input {
///             [] => Progress::More { used: 0, begun: false },
///             [b'.', ..] => Progress::Message { used: 1, flow: Flow::Close },
///             [u8::MAX, ..] => Progress::Broken(ErrorReply::malformed("no successor")),
///             [byte, ..] => {
///                 out.push(&[*byte + 1]);
///                 Progress::Message { used: 1, flow: Flow::Continue }
///             }
///         }
///     }
///
///     fn error(&mut self, _error: &ErrorReply, out: &mut Outbox) {
///         out.push(b"?");
///     }
/// }
///
/// let mut client = testing::TestClient::connect(Service::new(Arc::new(Next)));
/// client.say("HAL");
/// assert_eq!(client.heard(), "IBM");
/// ```
pub trait Protocol: Send {
    /// Processes at most one message at the beginning of `input`. It is called again until it returns
    /// [`Progress::More`].
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress;

    /// Like [`receive`](Self::receive), at the end of the input within a [begun](Progress::More::begun) message:
    /// `input` is what the last call has not used. The default reports [`ErrorReply::Incomplete`].
    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let _ = (input, out);
        Progress::Broken(ErrorReply::Incomplete)
    }

    /// Writes a message that was [pushed](crate::Handle::send) to the client. The default writes it without a frame.
    fn notified(&mut self, message: &[u8], out: &mut Outbox) -> Flow {
        out.push(message);
        Flow::Continue
    }

    /// Called before the next pushed message if `count` pushed messages were [dropped](crate::MailboxFull::DropOldest). The
    /// default ignores it.
    fn missed(&mut self, count: u64, out: &mut Outbox) -> Flow {
        let _ = (count, out);
        Flow::Continue
    }

    /// Writes an answer that was given [later](crate::Later). The default writes it without a frame.
    fn answered(&mut self, answer: &[u8], out: &mut Outbox) {
        out.push(answer);
    }

    /// Called when the timer has expired that was [set](Outbox::set_timer) before. The default ignores it.
    fn timer(&mut self, out: &mut Outbox) -> Flow {
        let _ = out;
        Flow::Continue
    }

    /// Called once when the server stops, after everything that was pushed before, also while an answer is pending; see
    /// [`Session::stopping`](crate::Session::stopping). The default ignores it.
    fn stopping(&mut self, out: &mut Outbox) -> Flow {
        let _ = out;
        Flow::Continue
    }

    /// Writes an error reply to the client.
    fn error(&mut self, error: &ErrorReply, out: &mut Outbox);

    /// Called once when the conversation has ended and nothing can be sent any more.
    fn closed(&mut self, why: CloseReason) {
        let _ = why;
    }
}

/// The result of [`Protocol::receive`].
///
/// It is exhaustive, so that code that drives a protocol can't ignore a new variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The input contains no complete message.
    More {
        /// The number of bytes that were used.
        used: usize,
        /// Whether a part of a message has arrived, so that the message timeout runs and the input must not end here.
        /// The part may have been used already: a body that is skipped belongs to a message until its last byte.
        begun: bool,
    },
    /// A message was answered.
    Message {
        /// The number of bytes that were used.
        used: usize,
        /// How the conversation continues.
        flow: Flow,
    },
    /// The input violates the protocol. The error is sent to the client, and the conversation ends.
    Broken(ErrorReply),
}

/// Opens a [`Protocol`] for each client. The documentation of `Protocol` has an example.
/// [`Framing::application`](crate::Framing::application) makes an application of a [`Handler`](crate::Handler).
pub trait Application: Send + Sync {
    /// Opens the protocol of a client that has just connected. Output written here is a greeting.
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol>;

    /// Writes the error reply to a client that is refused, or whose conversation ends before [`open`](Self::open). It must not
    /// block, whatever [`blocking`](Self::blocking) returns: the thread that accepts the clients calls it.
    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox);

    /// Whether [`open`](Self::open) and calls of the protocols may block.
    fn blocking(&self) -> Blocking;
}
