//! The layer under a session: bytes in, bytes out. Write one for a protocol that is no codec's.

use std::net::SocketAddr;

use crate::{Blocking, CloseReason, ErrorReply, Flow, Limits, Outbox};

/// One client's conversation, in bytes. [`Framed`](crate::Framed) is one: a codec and a session; a
/// transform of the bytes, such as TLS, is one around another.
///
/// **It is handed the same bytes again, and more, until it has used them.** It may remember how far it has
/// looked, so that a long message which comes in pieces is looked at once.
pub trait Protocol: Send {
    /// Told of each read, before its bytes are handed over. Only a protocol for which the bounds of the
    /// reads mean something cares.
    fn arrived(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// Uses up to one message at the beginning of `input`. It is called again until it asks for more.
    fn receive(&mut self, input: &[u8], out: &mut Outbox) -> Progress;

    /// As [`receive`](Self::receive), when no more input can come and a message [has begun](Progress::More::begun):
    /// `input` is what the last call left of it. By default it is a message that was not ended.
    fn finish(&mut self, input: &[u8], out: &mut Outbox) -> Progress {
        let _ = (input, out);
        Progress::Broken(ErrorReply::Incomplete)
    }

    /// Tells the client what is wrong.
    fn error(&self, error: &ErrorReply, out: &mut Outbox);

    /// Told once, when the conversation has ended and nothing can be said any more.
    fn closed(&mut self, why: CloseReason) {
        let _ = why;
    }
}

/// How far a [`Protocol`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a server serves: it opens a [`Protocol`] for each client.
pub trait Application: Send + Sync {
    /// Opens the conversation of a client that has just connected; what is put out here greets it.
    fn open(&self, client: SocketAddr, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol>;

    /// Tells a client at the door why it is not let in.
    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox);

    /// Whether a call of the protocols may block.
    fn blocking(&self) -> Blocking;
}
