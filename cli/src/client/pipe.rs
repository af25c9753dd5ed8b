//! The conversation of a program: lines in, replies out, as fast as both go.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use common::Outbox;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::Socket;

use super::outcome::{Heard, Tally};
use super::screen::{Screen, unheard};
use super::wire::{Lines, Messages, Replies, Trouble};
use super::{Manner, silent, unusable};
use crate::failure::Failure;

/// Sends each line of standard input and shows every reply, both at once, so that neither waits for the
/// other. The server ends it, after it has been told that no more will come.
pub(super) fn converse(socket: &Socket, manner: Manner) -> Result<(), Failure> {
    let mut output = socket.try_clone().map_err(unusable)?;
    // While nothing is heard, nothing may be waited for longer than this either.
    output.set_write_timeout(manner.reply_timeout).map_err(unusable)?;
    let (input_ended, input) = io::pipe().map_err(unusable)?;
    let tally = Arc::new(Tally::default());
    let mut heard = Heard::new(&tally);
    let failed = Arc::new(OnceLock::new());
    let sender = Sender { tally, failed: Arc::clone(&failed), _input: input };
    thread::spawn(move || sender.send_all(&mut output, manner));
    let shown = show_replies(&mut Ear { socket, input: Some(input_ended), manner }, &mut heard);
    // Where the server was first, some input may be left: it would not have been heard.
    match failed.get() {
        Some(text) => Err(Failure::Failed(String::clone(text))),
        None => shown,
    }
}

/// Sends standard input, on a thread of its own.
struct Sender {
    tally: Arc<Tally>,
    /// Why standard input could not be sent.
    failed: Arc<OnceLock<String>>,
    /// Closed when no more will be sent.
    _input: PipeWriter,
}

impl Sender {
    fn send_all(&self, socket: &mut Socket, manner: Manner) {
        let end = match self.send_lines(socket, manner) {
            Ok(()) => Shutdown::Write,
            Err(Unsent::Input(error)) => {
                let _ = self.failed.set(format!("can't read standard input: {error}"));
                Shutdown::Write
            }
            Err(Unsent::Message(error)) if is_timeout(&error) => {
                let _ = self.failed.set(silent(manner.reply_timeout).to_string());
                Shutdown::Both
            }
            Err(Unsent::Message(_)) => {
                self.tally.lost();
                Shutdown::Write
            }
        };
        // The server may have closed already, and then knows.
        let _ = socket.shutdown(end);
    }

    /// Sends standard input to its end, or until the server hears no more.
    fn send_lines(&self, socket: &mut Socket, manner: Manner) -> Result<(), Unsent> {
        let mut lines = Lines::new(io::stdin().lock());
        let messages = Messages::new(manner.framing);
        let mut out = Outbox::new();
        while let Some(line) = lines.next().map_err(Unsent::Input)? {
            self.tally.message(line);
            messages.push(line, &mut out);
            if out.len() >= BATCH || lines.may_wait() {
                self.send(socket, out.bytes()).map_err(Unsent::Message)?;
                out = Outbox::new();
            }
        }
        self.send(socket, out.bytes()).map_err(Unsent::Message)
    }

    /// Sends it all, unless the server neither takes nor says anything for too long.
    fn send(&self, socket: &mut Socket, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let replies = self.tally.replies();
            match socket.write(bytes) {
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

fn show_replies(ear: &mut Ear<'_>, heard: &mut Heard) -> Result<(), Failure> {
    let Manner { framing, max_reply, .. } = ear.manner;
    let mut replies = Replies::new(framing, max_reply);
    let mut screen = Screen::new();
    let mut input = vec![0; BATCH];
    loop {
        let count = match ear.listen(&mut input) {
            Ok(Some(0)) => break,
            Ok(Some(count)) => count,
            Ok(None) => return Err(silent(ear.manner.reply_timeout)),
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
    let _ = screen.show(unfinished, b"").and_then(|()| screen.flush()); // the failure below is the graver one
    Err(Failure::Failed("the server ended within a reply".into()))
}

/// Hears what the server says: without a bound while there may be more to be said to it, and after that only if it
/// is not silent for too long.
struct Ear<'a> {
    socket: &'a Socket,
    /// Ends with our own input; `None` after that.
    input: Option<PipeReader>,
    manner: Manner,
}

impl Ear<'_> {
    /// Reads what the server says; `None` is too long a silence.
    fn listen(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            if !self.wait()? {
                return Ok(None);
            }
            match (&mut &*self.socket).read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.map(Some),
            }
        }
    }

    /// Waits until there is something to read. Tells whether there was in time.
    fn wait(&mut self) -> io::Result<bool> {
        let mut since = Instant::now();
        loop {
            let bound = self.manner.reply_timeout.filter(|_| self.input.is_none());
            let rest = bound.map(|bound| bound.saturating_sub(since.elapsed()));
            let timeout = rest.and_then(|rest| Timespec::try_from(rest).ok());
            let mut events = vec![PollFd::new(self.socket, PollFlags::IN)];
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
                return Ok(false); // the bound is over
            }
        }
    }
}

/// How much is read, or collected before it is sent, at once, in bytes.
const BATCH: usize = 64 * 1024;
