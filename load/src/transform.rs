//! The layer below the messages, such as TLS: how it is created for each connection, and how a client drives it.

mod stream;

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use common::{Address, Client, MAX_READ, Opened, TlsInfo, Transform};

pub use stream::Stream;

/// Creates the client's side of the [`Transform`] of each connection.
#[derive(Clone)]
pub struct TransformHook {
    name: String,
    create: Arc<CreateTransform>,
}

type CreateTransform = dyn Fn() -> io::Result<Box<dyn Transform>> + Send + Sync;

impl TransformHook {
    /// Calls `create` for each connection. The name tells loads apart, such as `TLS`.
    pub fn new(
        name: impl Into<String>,
        create: impl Fn() -> io::Result<Box<dyn Transform>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), create: Arc::new(create) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates the transform of a connection.
    pub(crate) fn channel(&self) -> io::Result<Channel> {
        (self.create)().map(Channel::new)
    }
}

impl PartialEq for TransformHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.create, &other.create) && self.name == other.name
    }
}

impl fmt::Debug for TransformHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformHook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The client's side of a transformed connection, without the socket.
pub struct Channel {
    transform: Box<dyn Transform>,
    /// Raw input that was received and is not used yet.
    rest: Vec<u8>,
    has_begun: bool,
    is_closed: bool,
}

impl Channel {
    /// A channel by this transform.
    pub fn new(transform: Box<dyn Transform>) -> Self {
        Self { transform, rest: Vec::new(), has_begun: false, is_closed: false }
    }

    /// Opens raw input, and passes the plaintext to `take` in pieces; `plain` is a buffer for it. Without input it lets
    /// the transform begin. Output of the transform is appended to `sealed`, and has to be sent even after an error.
    ///
    /// # Errors
    /// [`UnexpectedEof`](ErrorKind::UnexpectedEof) when the server has announced the end of its output,
    /// [`InvalidData`](ErrorKind::InvalidData) with the reason if the transform has failed, and the errors of `take`.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
        take: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.has_begun = true;
        if self.rest.is_empty() {
            let used = self.open(input, plain, sealed, take)?;
            self.rest.extend_from_slice(&input[used..]);
        } else {
            let mut rest = std::mem::take(&mut self.rest);
            rest.extend_from_slice(input);
            let used = self.open(&mut rest, plain, sealed, take)?;
            rest.drain(..used);
            self.rest = rest;
        }
        Ok(())
    }

    fn open(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
        sealed: &mut Vec<u8>,
        mut take: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut done = 0;
        loop {
            plain.clear();
            plain.reserve(MAX_READ);
            let rest = &mut input[done..];
            let has_more = match self.transform.open(rest, plain, sealed) {
                Opened::More { used } => return Ok(done + used),
                Opened::InPlace { used, plain, more } => {
                    take(&mut rest[plain])?;
                    done += used;
                    more
                }
                Opened::Plain { used, more } => {
                    take(plain)?;
                    done += used;
                    more
                }
                Opened::End => return Err(ErrorKind::UnexpectedEof.into()),
                Opened::Broken => {
                    let why = self.transform.failure();
                    let why = why.unwrap_or_else(|| "the bytes of the server can't be opened".to_owned());
                    return Err(io::Error::new(ErrorKind::InvalidData, Failure(why)));
                }
            };
            if !has_more {
                return Ok(done);
            }
        }
    }

    /// Makes the handshake over a blocking socket, whose timeout for reads is short. Returns the plaintext that has arrived
    /// with its end. `check` is called before each read, and decides whether to go on.
    ///
    /// # Errors
    /// Those of the transform, of the socket and of `check`, and if the server ends the connection.
    pub fn shake(
        &mut self,
        socket: &mut (impl Read + Write),
        mut check: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        let (mut early, mut plain, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut input, mut count) = ([0; 4096], 0);
        loop {
            let opened = self.receive(&mut input[..count], &mut plain, &mut sealed, |plain| {
                early.extend_from_slice(plain);
                Ok(())
            });
            // After an error the server is told why, if it still listens.
            let sent = socket.write_all(&sealed);
            opened.map_err(|error| self.in_handshake(error))?;
            sent?;
            sealed.clear();
            if !self.is_handshaking() {
                return Ok(early);
            }
            count = loop {
                check()?;
                match socket.read(&mut input) {
                    Ok(0) => return Err(self.cut()),
                    Ok(count) => break count,
                    Err(error) if is_passing(&error) => {}
                    Err(error) => return Err(self.in_handshake(error)),
                }
            };
        }
    }

    /// An error of the socket, or the end, within the handshake.
    fn in_handshake(&self, error: io::Error) -> io::Error {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset if self.is_handshaking() => self.cut(),
            _ => error,
        }
    }

    /// Seals plaintext, and appends the result to `sealed`. It must not be called during the handshake.
    pub fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        self.transform.seal(plain, sealed);
    }

    /// Announces the end of the output, once.
    pub fn close(&mut self, sealed: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.transform.close(sealed);
        }
    }

    /// The error of a connection that the server has ended without announcing the end.
    pub fn cut(&self) -> io::Error {
        let (kind, why) = match (self.is_handshaking(), self.transform.announces_end()) {
            (true, _) => (
                ErrorKind::ConnectionAborted,
                "the server ended the connection within the handshake; check that it speaks TLS at this address, and see \
                 its log",
            ),
            (_, true) => (
                ErrorKind::ConnectionAborted,
                "the server ended the connection without close_notify, so its last bytes may be missing: it or the network \
                 was cut off; see its log, and try again",
            ),
            (_, false) => return ErrorKind::UnexpectedEof.into(),
        };
        io::Error::new(kind, Failure(why.to_owned()))
    }

    /// Whether it has sent something.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the handshake is not complete.
    pub fn is_handshaking(&self) -> bool {
        self.transform.is_handshaking()
    }

    /// What was negotiated, if it is TLS.
    pub fn describe(&self) -> Option<Arc<TlsInfo>> {
        let mut client = Client::new(Address::Unknown);
        self.transform.describe(&mut client);
        client.tls
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("has_begun", &self.has_begun).finish_non_exhaustive()
    }
}

/// An error of a transform: the text says what has happened and what to do.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}

/// Whether this is an error of a [`Channel`], whose text says all.
pub fn is_failure(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Failure>())
}

/// Whether a later attempt may succeed.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
