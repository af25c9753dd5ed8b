//! A blocking connection of a client, through a transform if there is one.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use super::{Channel, TransformHook};

/// A blocking connection through a transform, or without one. Dropping it announces the end, so that the server does not
/// take the connection for one that was cut off.
#[derive(Debug)]
pub struct Stream<S: Write> {
    socket: S,
    channel: Option<Channel>,
    /// What the channel has opened.
    opened: VecDeque<u8>,
}

impl<S: Read + Write> Stream<S> {
    /// Makes the handshake on a connected socket, if there is a transform. `check` is called before each read, and decides
    /// whether to go on.
    ///
    /// # Errors
    /// Those of [`Channel::shake`].
    pub fn new(
        mut socket: S,
        hook: Option<&TransformHook>,
        check: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Self> {
        let mut channel = hook.map(TransformHook::channel).transpose()?;
        let early = channel.as_mut().map(|channel| channel.shake(&mut socket, check)).transpose()?;
        Ok(Self { socket, channel, opened: early.unwrap_or_default().into() })
    }
}

impl<S: Write> Stream<S> {
    /// The socket.
    pub fn socket(&self) -> &S {
        &self.socket
    }
}

impl<S: Read + Write> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.opened.is_empty() {
            let count = self.socket.read(buffer)?;
            let Some(channel) = &mut self.channel else { return Ok(count) };
            if count == 0 {
                return Err(channel.cut());
            }
            let (opened, mut sealed) = (&mut self.opened, Vec::new());
            channel.receive(&mut buffer[..count], &mut Vec::new(), &mut sealed, |plain| {
                opened.extend(&*plain);
                Ok(())
            })?;
            self.socket.write_all(&sealed)?;
        }
        self.opened.read(buffer)
    }
}

impl<S: Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(channel) = &mut self.channel else { return self.socket.write(bytes) };
        let mut sealed = Vec::new();
        channel.seal(bytes, &mut sealed);
        self.socket.write_all(&sealed)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl<S: Write> Drop for Stream<S> {
    fn drop(&mut self) {
        if let Some(channel) = &mut self.channel {
            let mut sealed = Vec::new();
            channel.close(&mut sealed);
            let _ = self.socket.write_all(&sealed); // the server may have ended it
        }
    }
}
