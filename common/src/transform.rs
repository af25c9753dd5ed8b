//! What is below a protocol: a [`Transform`] changes every byte, as TLS does; a [`Preamble`] comes before the first.

use std::ops::Range;

use crate::{Blocking, Client, ErrorReply};

/// A change of all bytes between a client and its protocol, in both directions: encryption, compression. One is made for
/// each client, by [`Service::with_transform`](crate::Service::with_transform).
///
/// The bytes from the client are raw input, which is opened and becomes the plaintext that the protocol gets. What the
/// protocol says is sealed once it is final: when it is to be written, after a panic or a limit may have withdrawn a
/// reply. Limits, deadlines, error replies and backpressure are about the plaintext, and are the same as without a
/// transform.
///
/// 1. [`open`](Self::open) is called once without input, so that the server may speak first, and then with the raw input.
/// 2. While it [is handshaking](Self::is_handshaking), all that it says is put out by `open`. The message timeout runs from
///    the accept until that ends. Then [`describe`](Self::describe) is called, and the application is opened.
/// 3. At the end of the conversation [`close`](Self::close) has the last word, unless nothing can be sent any more.
///
/// A panic in it ends the conversation of its client alone. Nothing is called after a panic.
///
/// ```
/// # use std::sync::Arc;
/// use anyloop::testing::Client;
/// use anyloop::transform::{MAX_READ, Opened, Transform};
/// use anyloop::{Framing, Service};
/// # use anyloop::handlers::Echo;
///
/// /// Turns all bits, which keeps nobody from reading.
/// struct Not;
///
/// impl Transform for Not {
///     fn open(&mut self, input: &mut [u8], _: &mut Vec<u8>, _: &mut Vec<u8>) -> Opened {
///         let used = input.len().min(MAX_READ);
///         if used == 0 {
///             return Opened::More { used };
///         }
///         input[..used].iter_mut().for_each(|byte| *byte = !*byte);
///         Opened::InPlace { used, plain: 0..used, more: used < input.len() }
///     }
///
///     fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
///         sealed.extend(plain.iter().map(|byte| !byte));
///     }
/// }
///
/// let service = Service::framed(Arc::new(Echo), Framing::Line).with_transform(|_| Box::new(Not));
/// let mut client = Client::connect(service).through(Box::new(Not));
/// client.say("hello\n");
/// assert_eq!(client.heard(), "hello\n");
/// ```
pub trait Transform: Send {
    /// Opens raw input: `input` is what has come and was not used yet. It uses as much of it as it can, and returns at most
    /// [`MAX_READ`](crate::MAX_READ) bytes of plaintext. It is called again, with what it has left and more, when more
    /// has come; and if there is [more plaintext](Opened::Plain::more), once this one was used and its replies were sent.
    ///
    /// The plaintext may be left in `input`, or be put into `plain`, which is empty and has a capacity of `MAX_READ`. What
    /// the transform itself has to say is put behind what is in `sealed`, and is sent before all later replies.
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened;

    /// Seals `plain`, the replies of up to one turn, and puts all that is to be sent for them behind what is in `sealed`.
    /// It is not called while the transform is handshaking.
    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>);

    /// Puts the last word behind what is in `sealed`, such as the `close_notify` of TLS. It is called once, at every kind of
    /// end but a cut, a loss and a write timeout; also within a handshake.
    fn close(&mut self, sealed: &mut Vec<u8>) {
        let _ = sealed;
    }

    /// Whether the handshake is not done yet. Until it is, `open` must not return plaintext. Later ones, such as a new key
    /// of TLS, are the transform's own affair.
    fn is_handshaking(&self) -> bool {
        false
    }

    /// Whether the next [`open`](Self::open) of input may take long, as that of a handshake's signature. It then runs where a
    /// backend allows that. It is asked after each call of `open`.
    fn blocking(&self) -> Blocking {
        Blocking::Never
    }

    /// Tells what it knows of the client after its handshake.
    fn describe(&self, client: &mut Client) {
        let _ = client;
    }

    /// The most bytes that it comes to hold for its client, in buffers and state of its own. What it leaves of its input
    /// is not among them.
    fn memory(&self) -> usize {
        0
    }
}

/// What has become of raw input, of which the first `used` bytes are not handed over again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// There is no plaintext before more input comes. At most [`MAX_RECORD`] bytes may be left unused.
    More {
        /// How many bytes were used.
        used: usize,
    },
    /// There is plaintext in the input itself.
    InPlace {
        /// How many bytes were used.
        used: usize,
        /// Where the plaintext stands in them.
        plain: Range<usize>,
        /// Whether there may be more plaintext without more input.
        more: bool,
    },
    /// Plaintext was put into the buffer for it.
    Plain {
        /// How many bytes were used.
        used: usize,
        /// Whether there may be more plaintext without more input.
        more: bool,
    },
    /// The client has ended its input, as by the `close_notify` of TLS. What comes behind that is not looked at.
    End,
    /// What came breaks the rules of the transform. What it has put into `sealed` is sent, and the conversation ends. It is
    /// not called again.
    Broken,
}

/// What a client, or the proxy before it, sends before anything else: a PROXY header, for example. One is made for each
/// client, by [`Service::with_preamble`](crate::Service::with_preamble).
///
/// It is read before the handshake of a [`Transform`] and before the application is opened. The message timeout runs from
/// the accept until it is over.
///
/// ```
/// # use std::sync::Arc;
/// use anyloop::testing::Client;
/// use anyloop::transform::{Preamble, PreambleProgress};
/// use anyloop::{CloseReason, ErrorReply, Framing, Service};
/// # use anyloop::{Flow, Handler, Replies, Session};
/// # struct Echo;
/// # impl Handler for Echo {
/// #     fn open(&self, client: &anyloop::Client, out: &mut Replies<'_>) -> Box<dyn Session> {
/// #         out.write(format_args!("hello, {}", client.peer));
/// #         Box::new(Self)
/// #     }
/// # }
/// # impl Session for Echo {
/// #     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
/// #         out.send(message);
/// #         Flow::Continue
/// #     }
/// # }
///
/// /// A line with the address of the client.
/// struct From;
///
/// impl Preamble for From {
///     fn receive(&mut self, input: &[u8], client: &mut anyloop::Client) -> PreambleProgress {
///         let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
///             return PreambleProgress::More { used: 0 };
///         };
///         let line = str::from_utf8(&input[..end]).unwrap_or_default();
///         match line.parse::<std::net::SocketAddr>() {
///             Ok(address) => client.peer = address.into(),
///             Err(_) => return PreambleProgress::Broken(ErrorReply::malformed("address")),
///         }
///         PreambleProgress::Done { used: end + 1 }
///     }
/// }
///
/// let service = Service::framed(Arc::new(Echo), Framing::Line).with_preamble(|| Box::new(From));
/// let mut client = Client::connect(service.clone());
/// client.say("192.0.2.1:4711\nhello\n");
/// assert_eq!(client.heard(), "hello, 192.0.2.1:4711\nhello\n");
///
/// let mut client = Client::connect(service);
/// client.say("GET /\n");
/// assert_eq!(client.heard(), "ERR malformed address\n");
/// assert_eq!(client.over(), Some(CloseReason::HandshakeFailed));
/// ```
pub trait Preamble: Send {
    /// Reads `input`, which is what has come and was not used yet. It is handed the same bytes again, and more, until it
    /// is done. What it learns goes into `client`, with which the application is opened: the address of the peer
    /// behind a proxy.
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress;
}

/// How far a [`Preamble`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreambleProgress {
    /// There is more to come. At most [`MAX_RECORD`] bytes may be left unused.
    More {
        /// How many bytes need not be handed over again.
        used: usize,
    },
    /// It is over. What follows is the client's.
    Done {
        /// How many bytes belong to it.
        used: usize,
    },
    /// What came is no preamble, or not from somebody who may send one. The client is told, if there is no transform, and
    /// the conversation ends.
    Broken(ErrorReply),
}

/// The most input that a [`Transform`] or a [`Preamble`] may leave unused, in bytes: more than the longest record of TLS.
pub const MAX_RECORD: usize = 32 * 1024;
