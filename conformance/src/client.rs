//! A blocking client with timeouts.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use common::{Address, Framing, Transform};
use serving::Transport;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::kernel;
use crate::transforms::Turning;

/// A blocking client. If an operation exceeds its timeout, it panics, so that the case fails. When it reads the end, it
/// shuts its own side down, so that the server need not linger.
pub(crate) struct Client {
    socket: Socket,
    framing: Framing,
    /// Received bytes that were not returned yet.
    heard: Vec<u8>,
    buffer: Box<[u8]>,
    patience: Duration,
    /// The client's end of the transform, if there is one.
    transform: Option<Turning>,
    /// Received bytes that were not opened yet.
    raw: Vec<u8>,
    /// Whether the final output of the transform was received.
    has_heard_the_last_word: bool,
}

impl Client {
    pub(crate) fn connect(
        address: &Address,
        framing: Framing,
        patience: Duration,
        buffers: Option<usize>,
    ) -> Self {
        let socket = connect(address, patience, buffers).expect("a connection to the server");
        Self::over(socket, framing, patience)
    }

    fn over(socket: Socket, framing: Framing, patience: Duration) -> Self {
        Self {
            socket,
            framing,
            heard: Vec::new(),
            buffer: vec![0; 64 * 1024].into(),
            patience,
            transform: None,
            raw: Vec::new(),
            has_heard_the_last_word: false,
        }
    }

    /// Sends the first line of the transform, and transforms all later bytes.
    pub(crate) fn turns(mut self, line: &str) -> Self {
        // The server may have refused and closed the connection.
        let _ = self.try_send(format!("{line}\n"));
        self.transform = Some(Turning::of_client(line));
        self
    }

    /// Uses the transform without an answer if `is_transformed`.
    pub(crate) fn turns_if(self, is_transformed: bool) -> Self {
        if is_transformed { self.turns("TURN") } else { self }
    }

    /// Sends a framed message.
    pub(crate) fn say(&mut self, message: impl AsRef<[u8]>) {
        self.send(encode(self.framing, message.as_ref()));
    }

    /// Sends bytes, all of them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes what is sent");
    }

    /// Sends bytes. Fails if the server does not receive them in time.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = self.sealed(bytes.as_ref());
        self.socket.write_all(&bytes)
    }

    /// Sends bytes without transforming them.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server takes what is sent");
    }

    /// Transforms bytes, if there is a transform.
    fn sealed<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(transform) = &mut self.transform else { return bytes.into() };
        let mut sealed = Vec::new();
        transform.seal(bytes, &mut sealed);
        sealed.into()
    }

    /// Sends as much of `bytes`, which must be text, as one write accepts.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = self.sealed(bytes);
        self.socket.write(&bytes)
    }

    /// Sends a byte as urgent data.
    pub(crate) fn sends_urgently(&self, byte: u8) {
        let sent = self.socket.send_out_of_band(&[byte]).expect("the server takes urgent data");
        assert_eq!(sent, 1);
    }

    /// Waits until everything that was sent has arrived at the server's end.
    pub(crate) fn waits_for_arrival(&self) {
        // Data sent on a Unix socket arrives immediately.
        if let Some((local, peer)) = self.ends() {
            kernel::wait_for_arrival(local, peer, self.patience);
        }
    }

    /// Waits until the server has read everything that was sent.
    pub(crate) fn waits_for_reading(&self) {
        self.waits_for_arrival();
        if let Some((local, peer)) = self.ends() {
            return kernel::wait_for_reading(local, peer, self.patience);
        }
        let socket = serving::Socket::from(OwnedFd::from(self.socket.try_clone().expect("a duplicate")));
        let deadline = self.deadline();
        while (&socket).queued() > 0 {
            assert!(Instant::now() < deadline, "sent data is not read");
        }
    }

    /// Returns the next reply. In `raw`, returns all received bytes.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        let heard = self.hear_unless_ended();
        heard.unwrap_or_else(|| {
            panic!("a reply was expected, and the end came instead, after {:?}", shown(&self.heard))
        })
    }

    /// Returns the next reply, or `None` if the server ends the connection before it is complete.
    pub(crate) fn hear_unless_ended(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((reply, used)) = decode(self.framing, &self.heard) {
                self.heard.drain(..used);
                return Some(reply);
            }
            if self.listen().expect("a reply, not an error") == 0 {
                self.ends_input_if_it_can();
                return None;
            }
        }
    }

    /// Checks that the next reply is this one.
    pub(crate) fn hears(&mut self, reply: impl AsRef<[u8]>) {
        let reply = reply.as_ref();
        let heard = self.hear();
        assert!(heard == reply, "heard {:?}, not {:?}", shown(&heard), shown(reply));
    }

    /// Checks that the next bytes are these.
    pub(crate) fn hears_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        while self.heard.len() < bytes.len() {
            if self.listen().expect("bytes, not an error") == 0 {
                break;
            }
        }
        let heard: Vec<u8> = self.heard.drain(..bytes.len().min(self.heard.len())).collect();
        assert!(heard == bytes, "heard {:?}, not {:?}", shown(&heard), shown(bytes));
    }

    /// Returns everything up to the end, which must be clean.
    pub(crate) fn hear_all(&mut self) -> Vec<u8> {
        self.hear_all_in_pieces_of(64 * 1024, Duration::ZERO)
    }

    /// Like [`hear_all`](Self::hear_all), with at most `piece` bytes per read and pauses in between.
    pub(crate) fn hear_all_in_pieces_of(&mut self, piece: usize, pause: Duration) -> Vec<u8> {
        while self.listen_to(piece).expect("the end, not an error") > 0 {
            std::thread::sleep(pause);
        }
        self.ends_input_if_it_can();
        std::mem::take(&mut self.heard)
    }

    /// Checks that the connection ends cleanly, without more output.
    pub(crate) fn hears_end(&mut self) {
        let heard = self.hear_all();
        assert!(heard.is_empty(), "the end was expected, and {:?} came before it", shown(&heard));
    }

    /// Checks that this is the next and last reply.
    pub(crate) fn hears_last(&mut self, reply: impl AsRef<[u8]>) {
        self.hears(reply);
        self.hears_end();
    }

    /// Checks that nothing arrives for a short time.
    pub(crate) fn hears_nothing(&mut self) {
        self.socket.set_read_timeout(Some(A_MOMENT)).expect("a timeout");
        let heard = self.listen();
        self.socket.set_read_timeout(Some(self.patience)).expect("a timeout");
        match heard {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("silence was expected, not {error}"),
            Ok(_) => panic!("silence was expected, not {:?}", shown(&self.heard)),
        }
    }

    /// Returns what arrives within a short time, and ignores errors.
    pub(crate) fn overhear(&mut self) -> Vec<u8> {
        self.socket.set_read_timeout(Some(A_MOMENT)).expect("a timeout");
        while let Ok(1..) = self.listen() {}
        self.socket.set_read_timeout(Some(self.patience)).expect("a timeout");
        std::mem::take(&mut self.heard)
    }

    /// Discards received bytes, and returns their number.
    pub(crate) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.heard).len()
    }

    /// Waits until there is something to read.
    pub(crate) fn waits_for_input(&mut self) {
        self.socket.peek(&mut [MaybeUninit::uninit()]).expect("something to read");
    }

    /// Reads once; `Ok(0)` is the end.
    pub(crate) fn listen(&mut self) -> io::Result<usize> {
        self.listen_to(64 * 1024)
    }

    /// Reads once, at most `piece` bytes; `Ok(0)` is the end.
    pub(crate) fn listen_to(&mut self, piece: usize) -> io::Result<usize> {
        let piece = piece.min(self.buffer.len());
        loop {
            let count = self.socket.read(&mut self.buffer[..piece])?;
            let Some(transform) = &mut self.transform else {
                self.heard.extend_from_slice(&self.buffer[..count]);
                return Ok(count);
            };
            self.raw.extend_from_slice(&self.buffer[..count]);
            let heard = self.heard.len();
            self.has_heard_the_last_word |= transform.open_all(&mut self.raw, &mut self.heard);
            if count == 0 || self.heard.len() > heard {
                return Ok(count);
            }
        }
    }

    /// Whether the final output of the transform was received, and nothing after it.
    pub(crate) fn has_heard_the_last_word(&self) -> bool {
        self.has_heard_the_last_word && self.raw.is_empty()
    }

    /// Shuts the sending side down.
    pub(crate) fn ends_input(&self) {
        self.socket.shutdown(Shutdown::Write).expect("an end of input");
    }

    /// Shuts the sending side down, and ignores errors of a broken connection.
    pub(crate) fn ends_input_if_it_can(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Resets the connection. A Unix socket is reset by closing it with unread input.
    pub(crate) fn resets(mut self) {
        if self.ends().is_none() {
            self.say("reset");
            return self.waits_for_input();
        }
        self.socket.set_linger(Some(Duration::ZERO)).expect("a linger time");
    }

    /// Returns a second handle to the connection.
    pub(crate) fn another(&self) -> Self {
        let socket = self.socket.try_clone().expect("a duplicate of a socket");
        let transform = self.transform.as_ref().map(Turning::another);
        Self { transform, ..Self::over(socket, self.framing, self.patience) }
    }

    /// The addresses of the client and the server, if they are TCP addresses.
    pub(crate) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let local = self.socket.local_addr().expect("an address").as_socket()?;
        Some((local, self.socket.peer_addr().expect("an address").as_socket()?))
    }

    /// The deadline of a wait that starts now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }
}

const A_SECOND: Duration = Duration::from_secs(1);

/// How long the absence of output is checked.
const A_MOMENT: Duration = Duration::from_millis(30);

/// Frames a message.
pub(crate) fn encode(framing: Framing, message: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Line => [message, b"\n"].concat(),
        Framing::Length => {
            let length = u32::try_from(message.len()).expect("a short message");
            [&length.to_be_bytes(), message].concat()
        }
        Framing::Raw => message.to_vec(),
        other => panic!("the kit's client does not know the framing {other:?}"),
    }
}

/// The first reply in `heard`, and its length with framing.
fn decode(framing: Framing, heard: &[u8]) -> Option<(Vec<u8>, usize)> {
    match framing {
        Framing::Line => {
            let end = heard.iter().position(|&byte| byte == b'\n')?;
            Some((heard[..end].to_vec(), end + 1))
        }
        Framing::Length => {
            let (header, rest) = heard.split_first_chunk::<4>()?;
            let reply = rest.get(..u32::from_be_bytes(*header) as usize)?;
            Some((reply.to_vec(), 4 + reply.len()))
        }
        Framing::Raw => (!heard.is_empty()).then(|| (heard.to_vec(), heard.len())),
        other => panic!("the kit's client does not know the framing {other:?}"),
    }
}

fn connect(address: &Address, patience: Duration, buffers: Option<usize>) -> io::Result<Socket> {
    let (domain, address) = resolve(address)?;
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if let Some(bytes) = buffers {
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)?;
    }
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    if domain == Domain::UNIX {
        socket.connect(&address)?; // bounded by the write timeout
    } else {
        socket.connect_timeout(&address, patience)?;
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}

/// Converts an address for the system.
pub(crate) fn resolve(address: &Address) -> io::Result<(Domain, SockAddr)> {
    match (address.ip(), address.path()) {
        (Some(address), _) => Ok((Domain::for_address(address), address.into())),
        (None, Some(path)) => Ok((Domain::UNIX, SockAddr::unix(path)?)),
        (None, None) => Err(ErrorKind::InvalidInput.into()),
    }
}

/// Whether the address accepts connections.
pub(crate) fn is_listened_on(address: &Address) -> bool {
    connect(address, A_SECOND, None).is_ok()
}

/// Formats bytes for an error message, abbreviated.
fn shown(bytes: &[u8]) -> String {
    let end = bytes.len().min(200);
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if end < bytes.len() { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}
