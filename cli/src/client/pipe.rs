//! The client of scripts: sends the lines of standard input, and writes the replies to standard output.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Write};
use std::net::Shutdown;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use common::Outbox;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::connection::Connection;
use super::outcome::{Heard, Tally};
use super::screen::{Screen, unheard};
use super::wire::{Lines, Messages, Replies, Trouble};
use super::{Settings, silent, unusable};
use crate::failure::Failure;

/// Sends each line of standard input and shows each reply, concurrently. At the end of standard input it ends its
/// output, and then the server ends the conversation.
pub(super) fn converse(connection: Connection, settings: Settings) -> Result<(), Failure> {
    let connection = Arc::new(connection);
    // Writes have the same timeout as replies.
    connection.socket().set_write_timeout(settings.reply_timeout).map_err(unusable)?;
    let (input_ended, input) = io::pipe().map_err(unusable)?;
    let tally = Arc::new(Tally::default());
    let mut heard = Heard::new(&tally);
    let failed = Arc::new(OnceLock::new());
    let sender =
        Sender { connection: Arc::clone(&connection), tally, failed: Arc::clone(&failed), _input: input };
    thread::spawn(move || sender.send_all(settings));
    let mut input = ReplyInput { connection: &connection, input: Some(input_ended), settings };
    let shown = show_replies(&mut input, &mut heard);
    // If the server has ended first, unsent input is ignored.
    match failed.get() {
        Some(text) => Err(Failure::Failed(String::clone(text))),
        None => shown,
    }
}

/// Sends standard input on a separate thread.
struct Sender {
    connection: Arc<Connection>,
    tally: Arc<Tally>,
    /// The error if standard input could not be sent.
    failed: Arc<OnceLock<String>>,
    /// Closed on drop, when no more will be sent.
    _input: PipeWriter,
}

impl Sender {
    fn send_all(&self, settings: Settings) {
        let end = match self.send_lines(settings) {
            Ok(()) => Shutdown::Write,
            Err(Unsent::Input(error)) => {
                let _ = self.failed.set(format!("can't read standard input: {error}"));
                Shutdown::Write
            }
            Err(Unsent::Message(error)) if is_timeout(&error) => {
                let _ = self.failed.set(silent(settings.reply_timeout).to_string());
                Shutdown::Both
            }
            Err(Unsent::Message(_)) => {
                self.tally.lost();
                Shutdown::Write
            }
        };
        match end {
            Shutdown::Write => self.connection.end_output(),
            // The server may have closed the connection already.
            end => drop(self.connection.socket().shutdown(end)),
        }
    }

    /// Sends standard input up to its end, or until the server does not read any more.
    fn send_lines(&self, settings: Settings) -> Result<(), Unsent> {
        let mut lines = Lines::new(io::stdin().lock());
        let messages = Messages::new(settings.framing);
        let mut out = Outbox::new();
        while let Some(line) = lines.next().map_err(Unsent::Input)? {
            self.tally.message(line);
            messages.push(line, &mut out);
            if out.len() >= BATCH || lines.may_wait() {
                self.send(out.bytes()).map_err(Unsent::Message)?;
                out = Outbox::new();
            }
        }
        self.send(out.bytes()).map_err(Unsent::Message)
    }

    /// Sends all bytes. Fails if the server neither reads nor sends anything within the timeout.
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sealed = self.connection.sealed(bytes);
        let mut bytes = &*sealed;
        while !bytes.is_empty() {
            let replies = self.tally.replies();
            match self.connection.socket().write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) && replies != self.tally.replies() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Why sending has ended.
enum Unsent {
    Input(io::Error),
    Message(io::Error),
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn show_replies(source: &mut ReplyInput<'_>, heard: &mut Heard) -> Result<(), Failure> {
    let Settings { framing, max_reply, .. } = source.settings;
    let mut replies = Replies::new(framing, max_reply);
    let mut screen = Screen::new();
    let mut input = vec![0; BATCH];
    loop {
        let count = match source.listen(&mut input) {
            Ok(Some(0)) => break,
            Ok(Some(count)) => count,
            Ok(None) => return Err(silent(source.settings.reply_timeout)),
            Err(error) => return Err(heard.broken(&error)),
        };
        let shown = replies.receive(&input[..count], |reply, end| {
            heard.reply(reply);
            screen.show(reply, end)
        });
        match shown.and_then(|()| screen.flush().map_err(Trouble::Unheard)) {
            Ok(()) => {}
            Err(Trouble::Unheard(error)) => return unheard(&error),
            Err(Trouble::NoReply(text)) => return Err(Failure::Failed(text)),
        }
    }
    let unfinished = replies.unfinished();
    if unfinished.is_empty() {
        return heard.end();
    }
    let _ = screen.show(unfinished, b"").and_then(|()| screen.flush()); // the failure below is more important
    Err(Failure::Failed("the server ended within a reply".into()))
}

/// Reads replies: without a timeout while messages may be sent, and with the reply timeout after that.
struct ReplyInput<'a> {
    connection: &'a Connection,
    /// Closed at the end of standard input; `None` after that.
    input: Option<PipeReader>,
    settings: Settings,
}

impl ReplyInput<'_> {
    /// Reads bytes from the server; `None` if the reply timeout has expired.
    fn listen(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            if !self.wait()? {
                return Ok(None);
            }
            match self.connection.read(buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                read => return read.map(Some),
            }
        }
    }

    /// Waits until the socket is readable. Returns whether it was in time.
    fn wait(&mut self) -> io::Result<bool> {
        let mut since = Instant::now();
        loop {
            if self.connection.has_pending() {
                return Ok(true);
            }
            let bound = self.settings.reply_timeout.filter(|_| self.input.is_none());
            let rest = bound.map(|bound| bound.saturating_sub(since.elapsed()));
            let timeout = rest.and_then(|rest| Timespec::try_from(rest).ok());
            let mut events = vec![PollFd::new(self.connection.socket(), PollFlags::IN)];
            events.extend(self.input.as_ref().map(|input| PollFd::new(input, PollFlags::IN)));
            let ready = match poll(&mut events, timeout.as_ref()) {
                Err(Errno::INTR) => continue,
                ready => ready?,
            };
            let has_ended = events.get(1).is_some_and(|input| !input.revents().is_empty());
            if !events[0].revents().is_empty() {
                return Ok(true);
            }
            if has_ended {
                self.input = None;
                since = Instant::now();
            } else if ready == 0 {
                return Ok(false); // the timeout has expired
            }
        }
    }
}

/// The size of reads, and of the batches in which messages are sent, in bytes.
const BATCH: usize = 64 * 1024;
