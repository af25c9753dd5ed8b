//! A blocking client with timeouts.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use common::{Address, Framing, Transform};
use serving::Transport;
use socket2::Socket;

use crate::ends::End;
use crate::framing::{decode, encode};
use crate::kernel;
use crate::socket::{connect, uninterrupted};
use crate::transforms::FINAL_OUTPUT;

/// A blocking client. If an operation exceeds its timeout, it panics, so that the case fails. When it reads the end, it
/// shuts its own side down, so that the server need not linger.
pub(crate) struct Client {
    socket: Socket,
    /// The address of the server, if it is a TCP address. The socket does not know it any more after a reset.
    server: Option<SocketAddr>,
    framing: Framing,
    /// Received bytes that were not returned yet.
    received: Vec<u8>,
    buffer: Box<[u8]>,
    timeout: Duration,
    /// The end of the transform, if there is one.
    end: Option<End>,
}

impl Client {
    pub(crate) fn connect(
        address: &Address,
        framing: Framing,
        timeout: Duration,
        buffers: Option<usize>,
    ) -> Self {
        let socket = connect(address, timeout, buffers).expect("a connection to the server");
        Self::over(socket, address.ip(), framing, timeout)
    }

    fn over(socket: Socket, server: Option<SocketAddr>, framing: Framing, timeout: Duration) -> Self {
        let buffer = vec![0; 64 * 1024].into();
        Self { socket, server, framing, received: Vec::new(), buffer, timeout, end: None }
    }

    /// Begins the handshake of the transform, and transforms all later bytes. The handshake continues when bytes are sent or
    /// received.
    pub(crate) fn transformed(mut self, transform: Option<Box<dyn Transform>>) -> Self {
        self.end = transform.map(End::new);
        let _ = self.write_unsent(); // the server may have refused and closed the connection
        self
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
        if self.end.is_none() {
            return self.socket.write_all(bytes.as_ref());
        }
        self.seal(bytes.as_ref())?;
        self.write_unsent()
    }

    /// Sends bytes without transforming them.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server accepts the data");
    }

    /// Transforms bytes, after the handshake.
    fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.shake_hands()?;
        self.end.iter().for_each(|end| end.seal(bytes));
        Ok(())
    }

    /// Completes the handshake of the transform.
    pub(crate) fn shake_hands(&mut self) -> io::Result<()> {
        while self.is_handshaking() {
            if self.read_once()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    fn is_handshaking(&self) -> bool {
        self.end.as_ref().is_some_and(End::is_handshaking)
    }

    /// Sends all transformed bytes.
    fn write_unsent(&mut self) -> io::Result<()> {
        let unsent = self.end.as_ref().map(End::take_unsent).unwrap_or_default();
        self.socket.write_all(&unsent)
    }

    /// Sends as much of `bytes` as one write accepts. What is transformed and can't be sent is sent before all later bytes, and
    /// counts as sent.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(end) = self.end.clone() else { return uninterrupted(|| self.socket.write(bytes)) };
        let mut unsent = end.take_unsent();
        let mut count = 0;
        if unsent.is_empty() {
            count = bytes.len().min(PIECE);
            self.seal(&bytes[..count])?;
            unsent = end.take_unsent();
        }
        let written = uninterrupted(|| self.socket.write(&unsent));
        end.put_back(&unsent[*written.as_ref().unwrap_or(&0)..]);
        if count > 0 { Ok(count) } else { written.map(|_| 0) }
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
        let received = self.read_to_cut(piece, pause);
        let is_clean = self.end.as_ref().is_none_or(|end| end.is_handshaking() || end.has_ended());
        assert!(is_clean, "the server has not announced its end");
        received
    }

    /// Like [`read_to_end_in_pieces`](Self::read_to_end_in_pieces), but the server need not announce the end.
    pub(crate) fn read_to_cut(&mut self, piece: usize, pause: Duration) -> Vec<u8> {
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
        uninterrupted(|| self.socket.peek(&mut [MaybeUninit::uninit()])).expect("something to read");
    }

    /// Reads once; `Ok(0)` is the end.
    pub(crate) fn read_once(&mut self) -> io::Result<usize> {
        self.read_at_most(64 * 1024)
    }

    /// Reads once, at most `piece` bytes; `Ok(0)` is the end. With a transform it reads until that opens something.
    pub(crate) fn read_at_most(&mut self, piece: usize) -> io::Result<usize> {
        loop {
            let received = self.received.len();
            let is_handshaking = self.is_handshaking();
            let count = self.read_raw(piece)?;
            if count == 0 || self.received.len() > received || is_handshaking != self.is_handshaking() {
                return Ok(count);
            }
        }
    }

    /// Reads once, at most `piece` bytes, also with a transform. Returns how many were read.
    pub(crate) fn read_raw(&mut self, piece: usize) -> io::Result<usize> {
        let piece = piece.min(self.buffer.len());
        let count = uninterrupted(|| self.socket.read(&mut self.buffer[..piece]))?;
        match &self.end {
            None => self.received.extend_from_slice(&self.buffer[..count]),
            Some(end) if !end.open(&self.buffer[..count], &mut self.received) => {}
            Some(_) => _ = self.write_unsent(), // if it fails, so does the next read
        }
        Ok(count)
    }

    /// Whether the final output of the transform was received, and nothing after it.
    pub(crate) fn has_received_final_output(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.has_ended() && end.unopened() == FINAL_OUTPUT)
    }

    /// Shuts the sending side down.
    pub(crate) fn end_input(&mut self) {
        self.shut_down().expect("an end of input");
    }

    /// Shuts the sending side down, and ignores errors of a broken connection.
    pub(crate) fn try_end_input(&mut self) {
        let _ = self.shut_down();
    }

    fn shut_down(&mut self) -> io::Result<()> {
        if self.end.is_some() {
            self.shake_hands()?;
            self.end.iter().for_each(End::close);
            self.write_unsent()?;
        }
        self.socket.shutdown(Shutdown::Write)
    }

    /// Resets the connection. A Unix socket is reset by closing it with unread input.
    pub(crate) fn reset(mut self) {
        self.end.iter().for_each(End::forget);
        if self.addresses().is_none() {
            self.send_message("reset");
            return self.wait_for_input();
        }
        self.socket.set_linger(Some(Duration::ZERO)).expect("a linger time");
    }

    /// Closes the connection without announcing that, which resets it if there is unread input.
    pub(crate) fn leave_unannounced(self) {
        self.end.iter().for_each(End::forget);
    }

    /// Returns a second handle to the connection, after the handshake.
    pub(crate) fn duplicate(&mut self) -> Self {
        self.shake_hands().expect("a handshake");
        let socket = self.socket.try_clone().expect("a duplicate of a socket");
        let mut duplicate = Self::over(socket, self.server, self.framing, self.timeout);
        duplicate.end.clone_from(&self.end);
        duplicate
    }

    /// The addresses of the client and the server, if they are TCP addresses.
    pub(crate) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.socket.local_addr().expect("an address").as_socket()?, self.server?))
    }

    /// The deadline of a wait that starts now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

impl Drop for Client {
    /// A client that leaves announces that. It does not wait for a server that reads nothing.
    fn drop(&mut self) {
        let Some(end) = self.end.as_ref().filter(|end| end.is_last() && !end.is_handshaking()) else {
            return;
        };
        if self.socket.set_nonblocking(true).is_ok() {
            end.close();
            let _ = self.write_unsent();
        }
    }
}

/// The most bytes that are transformed at once to be sent with one write.
const PIECE: usize = 16 * 1024;

/// How long the absence of output is checked.
const SILENCE: Duration = Duration::from_millis(30);

/// Formats bytes for an error message, abbreviated.
fn abbreviated(bytes: &[u8]) -> String {
    let end = bytes.len().min(200);
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if end < bytes.len() { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_to_be_read_after_a_reset() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().into();
        let mut client = Client::connect(&address, Framing::Line, Duration::from_secs(10), None);
        Socket::from(listener.accept().unwrap().0).set_linger(Some(Duration::ZERO)).unwrap();
        client.read_once().unwrap_err();
        client.wait_until_read();
    }
}
