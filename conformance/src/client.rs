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
use crate::transforms::Inverting;

/// A blocking client. If an operation exceeds its timeout, it panics, so that the case fails. When it reads the end, it
/// shuts its own side down, so that the server need not linger.
pub(crate) struct Client {
    socket: Socket,
    framing: Framing,
    /// Received bytes that were not returned yet.
    received: Vec<u8>,
    buffer: Box<[u8]>,
    timeout: Duration,
    /// The client's end of the transform, if there is one.
    transform: Option<Inverting>,
    /// Received bytes that were not opened yet.
    raw: Vec<u8>,
    /// Whether the final output of the transform was received.
    has_received_final_output: bool,
}

impl Client {
    pub(crate) fn connect(
        address: &Address,
        framing: Framing,
        timeout: Duration,
        buffers: Option<usize>,
    ) -> Self {
        let socket = connect(address, timeout, buffers).expect("a connection to the server");
        Self::over(socket, framing, timeout)
    }

    fn over(socket: Socket, framing: Framing, timeout: Duration) -> Self {
        Self {
            socket,
            framing,
            received: Vec::new(),
            buffer: vec![0; 64 * 1024].into(),
            timeout,
            transform: None,
            raw: Vec::new(),
            has_received_final_output: false,
        }
    }

    /// Sends the first line of the transform, and transforms all later bytes.
    pub(crate) fn transformed(mut self, line: &str) -> Self {
        // The server may have refused and closed the connection.
        let _ = self.try_send(format!("{line}\n"));
        self.transform = Some(Inverting::of_client(line));
        self
    }

    /// Uses the transform without an answer if `is_transformed`.
    pub(crate) fn transformed_if(self, is_transformed: bool) -> Self {
        if is_transformed { self.transformed("INVERT") } else { self }
    }

    /// Sends a framed message.
    pub(crate) fn send_message(&mut self, message: impl AsRef<[u8]>) {
        self.send(encode(self.framing, message.as_ref()));
    }

    /// Sends bytes, all of them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server accepts the data");
    }

    /// Sends bytes. Fails if the server does not receive them in time.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = self.sealed(bytes.as_ref());
        self.socket.write_all(&bytes)
    }

    /// Sends bytes without transforming them.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server accepts the data");
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

    /// Sends `bytes` again and again until none are accepted for a short time, and at most about `max` bytes. Returns the
    /// number of bytes that were sent.
    pub(crate) fn send_until_blocked(&mut self, bytes: &[u8], max: usize) -> usize {
        self.socket.set_write_timeout(Some(SILENCE)).expect("a timeout");
        let mut sent = 0;
        while sent < max
            && let Ok(count) = self.send_some(&bytes[sent % bytes.len()..])
        {
            sent += count;
        }
        self.socket.set_write_timeout(Some(self.timeout)).expect("a timeout");
        sent
    }

    /// Sends a byte as urgent data.
    pub(crate) fn send_urgent(&self, byte: u8) {
        let sent = self.socket.send_out_of_band(&[byte]).expect("the server accepts urgent data");
        assert_eq!(sent, 1);
    }

    /// Waits until everything that was sent has arrived at the server's end.
    pub(crate) fn wait_until_arrived(&self) {
        // Data sent on a Unix socket arrives immediately.
        if let Some((local, peer)) = self.addresses() {
            kernel::wait_until_arrived(local, peer, self.timeout);
        }
    }

    /// Waits until the server has read everything that was sent.
    pub(crate) fn wait_until_read(&self) {
        self.wait_until_arrived();
        if let Some((local, peer)) = self.addresses() {
            return kernel::wait_until_read(local, peer, self.timeout);
        }
        let socket = serving::Socket::from(OwnedFd::from(self.socket.try_clone().expect("a duplicate")));
        let deadline = self.deadline();
        while (&socket).queued() > 0 {
            assert!(Instant::now() < deadline, "sent data is not read");
        }
    }

    /// Returns the next reply. In `raw`, returns all received bytes.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let received = self.next_reply();
        received.unwrap_or_else(|| {
            panic!("a reply was expected, and the end came instead, after {:?}", abbreviated(&self.received))
        })
    }

    /// Returns the next reply, or `None` if the server ends the connection before it is complete.
    pub(crate) fn next_reply(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((reply, used)) = decode(self.framing, &self.received) {
                self.received.drain(..used);
                return Some(reply);
            }
            if self.read_once().expect("a reply, not an error") == 0 {
                self.try_end_input();
                return None;
            }
        }
    }

    /// Checks that the next reply is this one.
    pub(crate) fn expect_reply(&mut self, reply: impl AsRef<[u8]>) {
        let reply = reply.as_ref();
        let received = self.receive();
        assert!(received == reply, "received {:?}, not {:?}", abbreviated(&received), abbreviated(reply));
    }

    /// Checks that the next bytes are these.
    pub(crate) fn expect_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        while self.received.len() < bytes.len() {
            if self.read_once().expect("bytes, not an error") == 0 {
                break;
            }
        }
        let received: Vec<u8> = self.received.drain(..bytes.len().min(self.received.len())).collect();
        assert!(received == bytes, "received {:?}, not {:?}", abbreviated(&received), abbreviated(bytes));
    }

    /// Returns everything up to the end, which must be clean.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        self.read_to_end_in_pieces(64 * 1024, Duration::ZERO)
    }

    /// Like [`read_to_end`](Self::read_to_end), with at most `piece` bytes per read and pauses in between.
    pub(crate) fn read_to_end_in_pieces(&mut self, piece: usize, pause: Duration) -> Vec<u8> {
        while self.read_at_most(piece).expect("the end, not an error") > 0 {
            std::thread::sleep(pause);
        }
        self.try_end_input();
        std::mem::take(&mut self.received)
    }

    /// Checks that the connection ends cleanly, without more output.
    pub(crate) fn expect_end(&mut self) {
        let received = self.read_to_end();
        assert!(received.is_empty(), "the end was expected, and {:?} came before it", abbreviated(&received));
    }

    /// Checks that this is the next and last reply.
    pub(crate) fn expect_last(&mut self, reply: impl AsRef<[u8]>) {
        self.expect_reply(reply);
        self.expect_end();
    }

    /// Checks that nothing arrives for a short time.
    pub(crate) fn expect_no_data(&mut self) {
        self.socket.set_read_timeout(Some(SILENCE)).expect("a timeout");
        let received = self.read_once();
        self.socket.set_read_timeout(Some(self.timeout)).expect("a timeout");
        match received {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("no data was expected, not the error: {error}"),
            Ok(_) => panic!("no data was expected, not {:?}", abbreviated(&self.received)),
        }
    }

    /// Returns what arrives within a short time, and ignores errors.
    pub(crate) fn read_briefly(&mut self) -> Vec<u8> {
        self.socket.set_read_timeout(Some(SILENCE)).expect("a timeout");
        while let Ok(1..) = self.read_once() {}
        self.socket.set_read_timeout(Some(self.timeout)).expect("a timeout");
        std::mem::take(&mut self.received)
    }

    /// Discards received bytes, and returns their number.
    pub(crate) fn discard(&mut self) -> usize {
        std::mem::take(&mut self.received).len()
    }

    /// Waits until there is something to read.
    pub(crate) fn wait_for_input(&mut self) {
        self.socket.peek(&mut [MaybeUninit::uninit()]).expect("something to read");
    }

    /// Reads once; `Ok(0)` is the end.
    pub(crate) fn read_once(&mut self) -> io::Result<usize> {
        self.read_at_most(64 * 1024)
    }

    /// Reads once, at most `piece` bytes; `Ok(0)` is the end.
    pub(crate) fn read_at_most(&mut self, piece: usize) -> io::Result<usize> {
        let piece = piece.min(self.buffer.len());
        loop {
            let count = self.socket.read(&mut self.buffer[..piece])?;
            let Some(transform) = &mut self.transform else {
                self.received.extend_from_slice(&self.buffer[..count]);
                return Ok(count);
            };
            self.raw.extend_from_slice(&self.buffer[..count]);
            let received = self.received.len();
            self.has_received_final_output |= transform.open_all(&mut self.raw, &mut self.received);
            if count == 0 || self.received.len() > received {
                return Ok(count);
            }
        }
    }

    /// Whether the final output of the transform was received, and nothing after it.
    pub(crate) fn has_received_final_output(&self) -> bool {
        self.has_received_final_output && self.raw.is_empty()
    }

    /// Shuts the sending side down.
    pub(crate) fn end_input(&self) {
        self.socket.shutdown(Shutdown::Write).expect("an end of input");
    }

    /// Shuts the sending side down, and ignores errors of a broken connection.
    pub(crate) fn try_end_input(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Resets the connection. A Unix socket is reset by closing it with unread input.
    pub(crate) fn reset(mut self) {
        if self.addresses().is_none() {
            self.send_message("reset");
            return self.wait_for_input();
        }
        self.socket.set_linger(Some(Duration::ZERO)).expect("a linger time");
    }

    /// Returns a second handle to the connection.
    pub(crate) fn duplicate(&self) -> Self {
        let socket = self.socket.try_clone().expect("a duplicate of a socket");
        let transform = self.transform.as_ref().map(Inverting::duplicate);
        Self { transform, ..Self::over(socket, self.framing, self.timeout) }
    }

    /// The addresses of the client and the server, if they are TCP addresses.
    pub(crate) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let local = self.socket.local_addr().expect("an address").as_socket()?;
        Some((local, self.socket.peer_addr().expect("an address").as_socket()?))
    }

    /// The deadline of a wait that starts now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// The timeout of a check whether an address accepts connections.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the absence of output is checked.
const SILENCE: Duration = Duration::from_millis(30);

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

/// The first reply in `received`, and its length with framing.
fn decode(framing: Framing, received: &[u8]) -> Option<(Vec<u8>, usize)> {
    match framing {
        Framing::Line => {
            let end = received.iter().position(|&byte| byte == b'\n')?;
            Some((received[..end].to_vec(), end + 1))
        }
        Framing::Length => {
            let (header, rest) = received.split_first_chunk::<4>()?;
            let reply = rest.get(..u32::from_be_bytes(*header) as usize)?;
            Some((reply.to_vec(), 4 + reply.len()))
        }
        Framing::Raw => (!received.is_empty()).then(|| (received.to_vec(), received.len())),
        other => panic!("the kit's client does not know the framing {other:?}"),
    }
}

fn connect(address: &Address, timeout: Duration, buffers: Option<usize>) -> io::Result<Socket> {
    let (domain, address) = resolve(address)?;
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if let Some(bytes) = buffers {
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)?;
    }
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    if domain == Domain::UNIX {
        socket.connect(&address)?; // bounded by the write timeout
    } else {
        socket.connect_timeout(&address, timeout)?;
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
pub(crate) fn accepts_connections(address: &Address) -> bool {
    connect(address, CONNECT_TIMEOUT, None).is_ok()
}

/// Formats bytes for an error message, abbreviated.
fn abbreviated(bytes: &[u8]) -> String {
    let end = bytes.len().min(200);
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if end < bytes.len() { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}
