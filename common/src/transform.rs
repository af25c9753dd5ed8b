//! The layers below a protocol: a [`Transform`] such as TLS, and a [`Preamble`] such as a PROXY header.

use std::ops::Range;

use crate::{Blocking, Client, ErrorReply};

/// Transforms all bytes between a client and its protocol, in both directions, for example by encryption or
/// compression. [`Service::with_transform`](crate::Service::with_transform) creates one for each client.
///
/// The raw input from the client is opened, and the protocol receives the resulting plaintext. The output of the
/// protocol is sealed when it is about to be written, since until then a panic or a limit may withdraw a reply. Limits,
/// deadlines, error replies and backpressure apply to the plaintext, as they do without a transform.
///
/// 1. [`open`](Self::open) is called once without input, so that the server may send first, and then with the raw
///    input.
/// 2. During the [handshake](Self::is_handshaking) only `open` produces output. The message timeout runs from the
///    accept until the end of the handshake. Then [`describe`](Self::describe) is called, and the application is
///    opened.
/// 3. At the end of the conversation [`close`](Self::close) writes the final output, unless nothing can be sent any
///    more.
///
/// A panic ends only the conversation of this client. No method is called after a panic, but for one in
/// [`announces_end`](Self::announces_end), which counts as `true`.
///
/// ```
/// # use std::sync::Arc;
/// use anyloop::testing::TestClient;
/// use anyloop::transform::{MAX_READ, Opened, Transform};
/// use anyloop::{Framing, Service};
/// # use anyloop::handlers::Echo;
///
/// /// Inverts all bits.
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
/// let mut client = TestClient::connect(service).through(Box::new(Not));
/// client.say("hello\n");
/// assert_eq!(client.heard(), "hello\n");
/// ```
pub trait Transform: Send {
    /// Opens raw input: `input` contains all received bytes that were not used yet. It uses as many of them as it can,
    /// and returns at most [`MAX_READ`](crate::MAX_READ) bytes of plaintext. It is called again when more input has
    /// arrived; and if there is [more plaintext](Opened::Plain::more), when this plaintext was processed and its
    /// replies were sent.
    ///
    /// The plaintext may be left in `input`, or be written to `plain`, which is empty and has a capacity of `MAX_READ`.
    /// Output of the transform itself is appended to `sealed`, and is sent before all later replies.
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened;

    /// Seals `plain`, the replies of at most one turn, and appends the result to `sealed`. It is not called during the
    /// handshake.
    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>);

    /// Appends final output to `sealed`, such as the `close_notify` of TLS. It is called once at the end of the
    /// conversation, also during a handshake, but not after [`Cut`](crate::CloseReason::Cut),
    /// [`Lost`](crate::CloseReason::Lost) and [`WriteTimeout`](crate::CloseReason::WriteTimeout).
    fn close(&mut self, sealed: &mut Vec<u8>) {
        let _ = sealed;
    }

    /// Whether the initial handshake is not complete. Until it is, `open` must not return plaintext. Later handshakes,
    /// such as a key update of TLS, are internal to the transform.
    fn is_handshaking(&self) -> bool {
        false
    }

    /// Whether the client announces the end of its input by [`Opened::End`]. If so, input that ends without it is
    /// [`Truncated`](crate::CloseReason::Truncated): somebody else may have cut it off.
    fn announces_end(&self) -> bool {
        false
    }

    /// Whether the next call of [`open`](Self::open) may block, for example to compute the signature of a handshake. It
    /// then runs where the backend allows blocking. This method is called after each `open`.
    fn blocking(&self) -> Blocking {
        Blocking::Never
    }

    /// Adds information from the handshake to `client`.
    fn describe(&self, client: &mut Client) {
        let _ = client;
    }

    /// Why [`open`](Self::open) has returned [`Opened::Broken`], for logs and error messages.
    fn failure(&self) -> Option<String> {
        None
    }

    /// The maximum size of its own buffers and state, in bytes, without unused input.
    fn memory(&self) -> usize {
        0
    }
}

/// The result of [`Transform::open`]. The first `used` bytes of the input are not passed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// More input is needed for plaintext. At most [`MAX_RECORD`] bytes may be left unused.
    More {
        /// The number of bytes that were used.
        used: usize,
    },
    /// The plaintext is in the input.
    InPlace {
        /// The number of bytes that were used.
        used: usize,
        /// The range of the plaintext within them.
        plain: Range<usize>,
        /// Whether there may be more plaintext without more input.
        more: bool,
    },
    /// The plaintext is in the buffer `plain`.
    Plain {
        /// The number of bytes that were used.
        used: usize,
        /// Whether there may be more plaintext without more input.
        more: bool,
    },
    /// The client has ended its input, for example by the `close_notify` of TLS. All later input is ignored.
    End,
    /// The input is invalid. The content of `sealed` is sent, and the conversation ends. The transform is not called
    /// again.
    Broken,
}

/// Parses what a client, or the proxy in front of the server, sends first, such as a PROXY header.
/// [`Service::with_preamble`](crate::Service::with_preamble) creates one for each client.
///
/// The preamble is read before the handshake of a [`Transform`] and before the application is opened. The message
/// timeout runs from the accept until its end.
///
/// ```
/// # use std::sync::Arc;
/// use anyloop::testing::TestClient;
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
/// let mut client = TestClient::connect(service.clone());
/// client.say("192.0.2.1:4711\nhello\n");
/// assert_eq!(client.heard(), "hello, 192.0.2.1:4711\nhello\n");
///
/// let mut client = TestClient::connect(service);
/// client.say("GET /\n");
/// assert_eq!(client.heard(), "ERR malformed address\n");
/// assert_eq!(client.over(), Some(CloseReason::HandshakeFailed));
/// ```
pub trait Preamble: Send {
    /// Parses `input`, which contains all received bytes that were not used yet. It is called once without input, so that
    /// it can be done with a client that has no preamble, which is told by its address; and then with more input until
    /// it is done. It may change `client`, which is passed to the application, for example to the address of the peer
    /// behind a proxy.
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress;
}

/// The result of [`Preamble::receive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreambleProgress {
    /// More input is needed. At most [`MAX_RECORD`] bytes may be left unused.
    More {
        /// The number of bytes that were used.
        used: usize,
    },
    /// The preamble is complete. The rest of the input is the client's.
    Done {
        /// The number of bytes that belong to it.
        used: usize,
    },
    /// The preamble is invalid, or its sender is not allowed to send one. The error is sent if there is no transform,
    /// and the conversation ends.
    Broken(ErrorReply),
}

/// The maximum amount of input that a [`Transform`] or a [`Preamble`] may leave unused, in bytes. It exceeds the
/// longest record of TLS.
pub const MAX_RECORD: usize = 32 * 1024;
