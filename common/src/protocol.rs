//! The layer under a session: bytes in, bytes out. Write one for a protocol that is no codec's.

use crate::{Blocking, Client, CloseReason, ErrorReply, Flow, Limits, Outbox};

/// One client's conversation, in bytes. [`Framed`](crate::Framed) is one: a codec and a session.
///
/// **It is handed the same bytes again, and more, until it has used them.** It may remember how far it has
/// looked, so that a long message which comes in pieces is looked at once. It may change the bytes that it uses in the
/// same call, to unmask or unescape them in place, and no others.
///
/// This one takes a byte for each message, and needs no more than what every [`Application`] does:
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::protocol::{Application, Outbox, Progress, Protocol};
/// use anyloop::testing;
/// use anyloop::{Blocking, Client, ErrorReply, Flow, Limits, Service};
///
/// /// Says the successor of each byte.
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
/// let mut client = testing::Client::connect(Service::new(Arc::new(Next)));
/// client.say("HAL");
/// assert_eq!(client.heard(), "IBM");
/// ```
pub trait Protocol: Send {
    /// Uses up to one message at the beginning of `input`. It is called again until it asks for more.
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress;

    /// As [`receive`](Self::receive), when no more input can come and a message [has begun](Progress::More::begun):
    /// `input` is what the last call left of it. By default it is a message that was not ended.
    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let _ = (input, out);
        Progress::Broken(ErrorReply::Incomplete)
    }

    /// Tells the client what is wrong.
    fn error(&mut self, error: &ErrorReply, out: &mut Outbox);

    /// Told once, when the conversation has ended and nothing can be said any more.
    fn closed(&mut self, why: CloseReason) {
        let _ = why;
    }
}

/// How far a [`Protocol`] got, as its example shows.
///
/// It can be matched exhaustively on purpose: whoever drives a protocol must not ignore a new variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is no whole message any more.
    More {
        /// How many bytes need not be handed over again.
        used: usize,
        /// Whether a part of one has come, so that the message timeout runs, and an end of the input is within a
        /// message. It may have been used: a body that is skipped belongs to a message until its last byte.
        begun: bool,
    },
    /// A message was answered.
    Message {
        /// How many bytes need not be handed over again.
        used: usize,
        /// How the conversation goes on.
        flow: Flow,
    },
    /// What came breaks the protocol. The client is told, and the conversation ends.
    Broken(ErrorReply),
}

/// What a server serves: it opens a [`Protocol`] for each client, whose documentation has an example of both. A
/// [`Handler`](crate::Handler) becomes one by its [framing](crate::Framing::application).
pub trait Application: Send + Sync {
    /// Opens the conversation of a client that has just connected; what is put out here greets it.
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol>;

    /// Tells a client at the door why it is not let in.
    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox);

    /// Whether a call of the protocols may block.
    fn blocking(&self) -> Blocking;
}
