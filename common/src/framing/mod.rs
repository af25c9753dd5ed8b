//! Framing: the [`Codec`]s, and [`Framed`], the protocol that consists of a codec and a session.

mod length;
mod line;
mod raw;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

pub use length::Length;
pub use line::Line;
pub use raw::Raw;

use crate::{
    Application, Blocking, Client, CloseReason, ErrorReply, Flow, Handler, Limits, Outbox, Progress,
    Protocol, Replies, Session,
};

/// Finds the ends of messages, without copying, and writes replies. Each client has its own codec.
///
/// ```
/// use anyloop::framing::{Codec, Decoded};
/// use anyloop::protocol::Outbox;
/// use anyloop::{ErrorReply, Replies};
///
/// /// A length of one byte, the payload, and a checksum that makes the sum of all bytes zero.
/// struct Summed {
///     max: usize,
/// }
///
/// impl Codec for Summed {
///     fn decode(&mut self, input: &mut [u8]) -> Decoded {
///         let Some(&length) = input.first() else { return Decoded::More };
///         let end = 1 + usize::from(length);
///         if end - 1 > self.max {
///             return Decoded::Broken(ErrorReply::TooLong { max: self.max }); // before the payload arrives
///         }
///         match input.get(..=end) {
///             None => Decoded::More,
///             Some(whole) if sum(whole) == 0 => Decoded::Message { payload: 1..end, used: end + 1 },
///             Some(_) => Decoded::Broken(ErrorReply::malformed("sum")), // is sent to the client, and ends the conversation
///         }
///     }
///
///     fn begin(&self, out: &mut Outbox) {
///         out.push(&[0]); // the length, which is not known yet
///     }
///
///     fn end(&self, start: usize, out: &mut Outbox) {
///         // If a reply exceeds the limit, the output of `begin` may be missing.
///         let Some(length) = out.len().checked_sub(start + 1) else { return };
///         // This framing can't express longer replies, so its handlers must not send them.
///         out.patch(start, &[u8::try_from(length).unwrap_or(u8::MAX)]);
///         out.push(&[sum(&out.bytes()[start..]).wrapping_neg()]);
///     }
/// }
///
/// fn sum(bytes: &[u8]) -> u8 {
///     bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
/// }
///
/// let mut codec = Summed { max: 3 }; // for a client: `limits.max_message`
/// let mut out = Outbox::new();
/// Replies::new(&mut out, &codec).send(b"abc");
/// assert_eq!(out.bytes(), b"\x03abc\xd7");
/// for split in 0..5 {
///     assert_eq!(codec.decode(&mut out.bytes()[..split].to_vec()), Decoded::More); // wherever a read ends
/// }
/// assert_eq!(codec.decode(&mut out.bytes().to_vec()), Decoded::Message { payload: 1..4, used: 5 });
/// assert_eq!(codec.decode(&mut [4]), Decoded::Broken(ErrorReply::TooLong { max: 3 })); // 3 passes, 4 does not
/// ```
pub trait Codec: Send + 'static {
    /// Finds the message at the beginning of `input`. After [`Decoded::More`] it is called with the same bytes followed
    /// by new ones, so it may remember how far it has scanned them.
    ///
    /// It may modify only the bytes of the message that it returns in this call, to unmask or unescape them in place.
    fn decode(&mut self, input: &mut [u8]) -> Decoded;

    /// Like [`decode`](Self::decode), at the end of the input, if some of it is left. The default reports
    /// [`ErrorReply::Incomplete`].
    fn finish(&mut self, input: &mut [u8]) -> Decoded {
        let _ = input;
        Decoded::Broken(ErrorReply::Incomplete)
    }

    /// Writes the header of a reply.
    fn begin(&self, out: &mut Outbox) {
        let _ = out;
    }

    /// Ends a reply that began at `start` in `out`.
    fn end(&self, start: usize, out: &mut Outbox) {
        let _ = (start, out);
    }

    /// Writes an error reply. The default writes its text as an ordinary reply.
    fn error(&self, error: &ErrorReply, out: &mut Outbox) {
        self.error_text(format_args!("{error}"), out);
    }

    /// Writes an error reply with this text.
    fn error_text(&self, text: fmt::Arguments<'_>, out: &mut Outbox) {
        let start = out.len();
        self.begin(out);
        let _ = fmt::Write::write_fmt(out, text); // an outbox never fails
        self.end(start, out);
    }

    /// Whether a reply is an error reply, so that a client can distinguish it from an answer. The default checks for
    /// the prefix of an [`ErrorReply`].
    fn is_error(&self, reply: &[u8]) -> bool {
        reply.starts_with(b"ERR ")
    }

    /// Whether the framing determines the ends of messages: see [`Client::framed`].
    fn framed(&self) -> bool {
        true
    }
}

/// The result of [`Codec::decode`].
///
/// It is exhaustive, so that code that uses a codec can't ignore a new variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The input contains no complete message.
    More,
    /// The first bytes of the input belong to no message, and are skipped.
    Skipped {
        /// The number of these bytes, at least one.
        used: usize,
    },
    /// A message.
    Message {
        /// The range of the payload in the input.
        payload: Range<usize>,
        /// The number of bytes of the input that were used.
        used: usize,
    },
    /// The input is not a valid message.
    Broken(ErrorReply),
}

/// A protocol that consists of a codec and a session. [`FramedHandler`] opens one for each client; a custom
/// [`Application`] can open them too.
pub struct Framed<C> {
    codec: C,
    session: Box<dyn Session>,
}

impl<C> fmt::Debug for Framed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framed").finish_non_exhaustive()
    }
}

impl<C: Codec> Framed<C> {
    /// Opens a session of `handler` for `client`.
    pub fn open(codec: C, handler: &dyn Handler, mut client: Client, out: &mut Outbox) -> Self {
        client.framed = codec.framed();
        let session = handler.open(&client, &mut Replies::new(out, &codec));
        Self { codec, session }
    }

    /// Answers the message at the beginning of `input`, after skipped bytes.
    #[inline]
    fn answer(
        &mut self,
        decode: fn(&mut C, &mut [u8]) -> Decoded,
        input: &mut [u8],
        out: &mut Outbox,
    ) -> Progress {
        let mut decoded = decode(&mut self.codec, input);
        let mut skipped = 0;
        while let Decoded::Skipped { used: used @ 1.. } = decoded {
            skipped += used;
            decoded = decode(&mut self.codec, &mut input[skipped..]);
        }
        let rest = &input[skipped..];
        match decoded {
            Decoded::Message { payload, used } => {
                let flow = self.session.message(&rest[payload], &mut Replies::new(out, &self.codec));
                Progress::Message { used: skipped + used, flow }
            }
            Decoded::More | Decoded::Skipped { .. } => {
                Progress::More { used: skipped, begun: !rest.is_empty() }
            }
            Decoded::Broken(error) => Progress::Broken(error),
        }
    }
}

impl<C: Codec> Protocol for Framed<C> {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.answer(C::decode, input, out)
    }

    fn finish(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.answer(C::finish, input, out)
    }

    fn notified(&mut self, message: &[u8], out: &mut Outbox) -> Flow {
        self.session.notified(message, &mut Replies::new(out, &self.codec))
    }

    fn missed(&mut self, count: u64, out: &mut Outbox) -> Flow {
        self.session.missed(count, &mut Replies::new(out, &self.codec))
    }

    fn answered(&mut self, answer: &[u8], out: &mut Outbox) {
        Replies::new(out, &self.codec).send(answer);
    }

    fn timer(&mut self, out: &mut Outbox) -> Flow {
        self.session.timer(&mut Replies::new(out, &self.codec))
    }

    fn stopping(&mut self, out: &mut Outbox) -> Flow {
        self.session.stopping(&mut Replies::new(out, &self.codec))
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        self.codec.error(error, out);
    }

    fn closed(&mut self, why: CloseReason) {
        self.session.closed(why);
    }
}

/// An application that serves a [`Handler`] in the framing of a [`Codec`].
///
/// ```
/// use std::sync::Arc;
///
/// use anyloop::framing::{FramedHandler, Line};
/// use anyloop::handlers::Echo;
/// use anyloop::testing::TestClient;
/// use anyloop::{Limits, Service};
///
/// // Lines of at most 8 bytes, whatever the limits allow.
/// let short = |limits: &Limits| Line::new(&limits.with_max_message(8));
/// let mut client = TestClient::connect(Service::new(Arc::new(FramedHandler::new(Arc::new(Echo), short))));
/// client.say("short\nnot so short\n");
/// assert_eq!(client.heard(), "short\nERR too-long max=8\n");
/// ```
pub struct FramedHandler<M> {
    handler: Arc<dyn Handler>,
    make_codec: M,
}

impl<M> fmt::Debug for FramedHandler<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramedHandler").finish_non_exhaustive()
    }
}

impl<C: Codec, M: Fn(&Limits) -> C + Send + Sync> FramedHandler<M> {
    /// Serves `handler`. `make_codec` creates the codec of each client: `FramedHandler::new(handler, Line::new)`, or a
    /// closure for a codec with options.
    pub fn new(handler: Arc<dyn Handler>, make_codec: M) -> Self {
        Self { handler, make_codec }
    }
}

impl<C: Codec, M: Fn(&Limits) -> C + Send + Sync> Application for FramedHandler<M> {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        Box::new(Framed::open((self.make_codec)(limits), &*self.handler, client, out))
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        (self.make_codec)(limits).error(error, out);
    }

    fn blocking(&self) -> Blocking {
        self.handler.blocking()
    }
}

/// The built-in framings.
///
/// ```
/// use anyloop::Framing;
///
/// assert_eq!("length".parse(), Ok(Framing::Length));
/// let names: Vec<_> = Framing::ALL.iter().map(|framing| framing.name()).collect();
/// assert_eq!(names, ["line", "length", "raw"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// A message ends with a line feed: [`Line`].
    Line,
    /// A message is preceded by its length: [`Length`].
    Length,
    /// No framing: the bytes of each read are a message: [`Raw`].
    Raw,
}

impl Framing {
    /// All framings. The first is the default.
    pub const ALL: &[Self] = &[Self::Line, Self::Length, Self::Raw];

    /// The name of the framing, as used in flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Length => "length",
            Self::Raw => "raw",
        }
    }

    /// Creates an application that serves `handler` in this framing.
    pub fn application(self, handler: Arc<dyn Handler>) -> Arc<dyn Application> {
        match self {
            Self::Line => Arc::new(FramedHandler::new(handler, Line::new)),
            Self::Length => Arc::new(FramedHandler::new(handler, Length::new)),
            Self::Raw => Arc::new(FramedHandler::new(handler, Raw::new)),
        }
    }
}

impl FromStr for Framing {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|framing| framing.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("there is no framing `{name}`; choose one of: line, length, raw"))
    }
}
