//! The interactive client: replies are shown when they arrive, above the line that is being typed.

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::Outbox;
use rustix::event::{PollFd, PollFlags, poll};
use socket2::Socket;

use super::connection::Connection;
use super::outcome::{Heard, Tally};
use super::screen::Screen;
use super::terminal::{Terminal, Typed};
use super::wire::{Messages, Replies, Trouble};
use super::{Settings, silent};
use crate::failure::Failure;

/// Sends the typed lines and shows the replies, until the user or the server ends the conversation.
pub(super) fn converse(connection: &Connection, settings: Settings) -> Result<(), Failure> {
    let socket = connection.socket();
    socket.set_nonblocking(true).map_err(super::unusable)?;
    let terminal = Terminal::open().map_err(|error| unusable(&error))?;
    let tally = Arc::new(Tally::default());
    let mut dialogue = Dialogue {
        connection,
        settings,
        messages: Messages::new(settings.framing),
        heard: Heard::new(&tally),
        tally,
        watch: Watch::start(socket, terminal.waker())?,
        terminal,
        replies: Replies::new(settings.framing, settings.max_reply),
        unsent: Vec::new(),
        leaving: false,
        until: None,
    };
    dialogue.run()?;
    let by_server = !dialogue.leaving;
    drop(dialogue);
    if by_server {
        // This is only a notice, so an error of stderr is ignored.
        let _ = writeln!(io::stderr(), "the server has ended the conversation");
    }
    Ok(())
}

struct Dialogue<'a> {
    connection: &'a Connection,
    settings: Settings,
    messages: Messages,
    tally: Arc<Tally>,
    heard: Heard,
    watch: Watch,
    terminal: Terminal,
    replies: Replies,
    /// Bytes that were not sent yet.
    unsent: Vec<u8>,
    /// Whether no more messages will be sent.
    leaving: bool,
    /// The deadline for the server to send something after that.
    until: Option<Instant>,
}

impl Dialogue<'_> {
    /// Runs until the server ends the conversation.
    fn run(&mut self) -> Result<(), Failure> {
        if self.connection.has_pending() && self.receive()? {
            return Ok(());
        }
        loop {
            self.send()?;
            while self.leaving || !self.unsent.is_empty() {
                if !self.wait()? {
                    return Err(silent(self.settings.reply_timeout));
                }
                if self.receive()? {
                    return Ok(());
                }
                self.send()?;
            }
            self.watch.begin();
            match self.terminal.read_line().map_err(|error| unusable(&error))? {
                Typed::Line(line) => {
                    let mut message = Outbox::new();
                    self.tally.message(line.as_bytes());
                    self.messages.push(line.as_bytes(), &mut message);
                    self.unsent.extend_from_slice(&self.connection.sealed(message.bytes()));
                    if line == "exit" {
                        self.leave();
                    }
                }
                Typed::End => self.leave(),
                Typed::Woken => {
                    self.watch.ended();
                    if self.receive()? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn leave(&mut self) {
        self.leaving = true;
        self.unsent.extend(self.connection.sealed_end());
        self.heard.leave();
        self.bound_silence();
    }

    fn bound_silence(&mut self) {
        self.until =
            self.settings.reply_timeout.filter(|_| self.leaving).map(|timeout| Instant::now() + timeout);
    }

    /// Waits until the socket is readable, or writable if messages are unsent. Returns whether it was in time.
    fn wait(&self) -> Result<bool, Failure> {
        if self.connection.has_pending() {
            return Ok(true);
        }
        let room = if self.unsent.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let (socket, flags) = (self.connection.socket(), PollFlags::IN | room);
        self.terminal.wait(socket, flags, self.until).map_err(|error| unusable(&error))
    }

    /// Sends as much as possible. Ends the output when everything was sent and no more messages follow.
    fn send(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match self.connection.socket().write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server does not read any more. Its earlier replies can still be read.
                Err(_) => {
                    self.unsent.clear();
                    self.tally.lost();
                }
            }
        }
        if self.leaving {
            let _ = self.connection.socket().shutdown(Shutdown::Write); // may be called repeatedly
        }
        Ok(())
    }

    /// Shows the replies that have arrived, for a limited time. Returns whether the server has ended the conversation.
    fn receive(&mut self) -> Result<bool, Failure> {
        let until = Instant::now() + LONGEST_TURN;
        let mut input = [0; 16 * 1024];
        while Instant::now() < until || self.connection.has_pending() {
            match self.connection.read(&mut input) {
                Ok(0) => return self.finish().map(|()| true),
                Ok(count) => {
                    self.bound_silence();
                    let (mut screen, heard) = (Screen::new(), &mut self.heard);
                    let shown = self.replies.receive(&input[..count], |reply, behind| {
                        heard.reply(reply);
                        screen.show(reply, behind)
                    });
                    match shown.and_then(|()| screen.flush().map_err(Trouble::Unheard)) {
                        Ok(()) => {}
                        Err(Trouble::Unheard(error)) => return Err(unusable(&error)),
                        Err(Trouble::NoReply(text)) => return Err(Failure::Failed(text)),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.leaving => return self.finish().map(|()| true),
                Err(error) => return Err(self.heard.broken(&error)),
            }
        }
        Ok(false)
    }

    /// Handles the end of the replies. An incomplete reply is shown nevertheless.
    fn finish(&self) -> Result<(), Failure> {
        let unfinished = self.replies.unfinished();
        if unfinished.is_empty() {
            return if self.leaving { self.heard.end_of_person() } else { self.heard.end() };
        }
        let mut screen = Screen::new();
        screen.show(unfinished, b"").and_then(|()| screen.flush()).map_err(|error| unusable(&error))?;
        Err(Failure::Failed("the server ended within a reply".into()))
    }
}

/// Wakes the terminal when the server has sent something.
struct Watch {
    orders: Sender<()>,
    begun: bool,
}

impl Watch {
    fn start(socket: &Socket, waker: Arc<AtomicBool>) -> Result<Self, Failure> {
        let socket = socket.try_clone().map_err(super::unusable)?;
        let (orders, received) = channel();
        thread::spawn(move || {
            for () in received {
                // Keys are handled too, however much the server sends.
                thread::sleep(TURN_OF_KEYS);
                // If it fails, the reader that is woken reports the error.
                let _ = poll(&mut [PollFd::new(&socket, PollFlags::IN)], None);
                waker.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self { orders, begun: false })
    }

    fn begin(&mut self) {
        if !self.begun {
            let _ = self.orders.send(()); // the thread lives as long as this
            self.begun = true;
        }
    }

    fn ended(&mut self) {
        self.begun = false;
    }
}

/// The error if the terminal can't be used.
pub(super) fn unusable(error: &io::Error) -> Failure {
    Failure::Failed(format!("the terminal can't be used: {error}"))
}

/// How long replies may delay keys.
const LONGEST_TURN: Duration = Duration::from_millis(100);

/// How long keys may delay replies.
const TURN_OF_KEYS: Duration = Duration::from_millis(40);
