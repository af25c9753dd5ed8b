//! Connections with a transform: their handshake, and how their input is opened.

use std::io;

use super::{Worker, nanoseconds};
use crate::engine::client::Client;

impl Worker<'_> {
    /// Handles an established connection: it is ready, or a handshake begins.
    pub(super) fn established(&mut self, place: usize) {
        let Some(client) = &self.clients[place] else { return };
        match &client.channel {
            None => self.connected(place),
            Some(channel) if channel.has_begun() => {}
            Some(_) => {
                if let Err(error) = self.advance(place, 0) {
                    self.end(place, &error);
                }
            }
        }
    }

    /// Reads once, opens what was read, and processes the plaintext. Returns the time of reading, if there was any.
    ///
    /// # Errors
    /// If the connection has ended, or has to be closed.
    pub(super) fn open(&mut self, place: usize) -> io::Result<Option<u64>> {
        let Some(client) = &mut self.clients[place] else { return Ok(None) };
        let read = client.read(&mut self.input);
        let now = nanoseconds(self.epoch.elapsed());
        self.tally.turn_to(now);
        self.composer.record_time(now);
        let count = match (read, &client.channel) {
            (Ok(None), _) => return Ok(None),
            (Ok(Some(count)), _) => count,
            (Err(error), Some(channel)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(channel.cut());
            }
            (Err(error), _) => return Err(error),
        };
        Ok(self.advance(place, count)?.then_some(now))
    }

    /// Opens this much input, and sends what the transform says to it. Returns whether there was plaintext, and the
    /// connection is open.
    fn advance(&mut self, place: usize, count: usize) -> io::Result<bool> {
        let Some(client) = &mut self.clients[place] else { return Ok(false) };
        let Some(mut channel) = client.channel.take() else { return Ok(false) };
        let (had_unsent, was_handshaking) = (client.has_unsent(), channel.is_handshaking());
        let (mut sealed, mut has_plaintext) = (std::mem::take(&mut client.unsent), false);
        let (composer, tally) = (&mut self.composer, &mut self.tally);
        let opened = channel.receive(&mut self.input[..count], &mut self.plain, &mut sealed, |plain| {
            has_plaintext = true;
            if let Some(time) = client.connecting.take() {
                tally.connect.saturating_record(time);
            }
            client.receive(plain, composer, tally)
        });
        client.unsent = sealed;
        let is_ready = was_handshaking && opened.is_ok() && !channel.is_handshaking();
        if is_ready && let Some(info) = channel.describe() {
            tally.handshakes.record(&info);
        }
        client.channel = Some(channel);
        let sent = if client.has_unsent() { client.send(&mut Vec::new()) } else { Ok(()) };
        if let Err(error) = opened {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof if client.connected => {
                    client.finish(composer, tally).and(Err(error))
                }
                io::ErrorKind::UnexpectedEof => Err(client.cut()),
                _ => Err(error),
            };
        }
        sent?;
        if client.has_unsent() != had_unsent {
            self.rearm(place)?;
        }
        match (is_ready, self.leaving) {
            (true, false) => self.connected(place),
            (true, true) => self.clients[place].iter_mut().for_each(Client::end_output),
            (false, _) => {}
        }
        Ok(has_plaintext && self.clients[place].is_some())
    }
}

impl Client {
    /// The error of a connection that was ended without an announcement.
    fn cut(&self) -> io::Error {
        self.channel.as_ref().map_or_else(|| io::ErrorKind::UnexpectedEof.into(), |channel| channel.cut())
    }
}
