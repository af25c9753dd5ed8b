//! The conversation of a person: replies are shown as they come, above the line that is being typed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::Outbox;
use rustix::event::{PollFd, PollFlags, poll};
use socket2::Socket;

use super::outcome::{Heard, Tally};
use super::screen::Screen;
use super::terminal::{Terminal, Typed};
use super::wire::{Messages, Replies, Trouble};
use super::{Manner, silent};
use crate::failure::Failure;

/// Sends what is typed and shows what is replied, until one of the two ends it.
pub(super) fn converse(socket: &Socket, manner: Manner) -> Result<(), Failure> {
    socket.set_nonblocking(true).map_err(super::unusable)?;
    let terminal = Terminal::open().map_err(|error| unusable(&error))?;
    let tally = Arc::new(Tally::default());
    let mut dialogue = Dialogue {
        socket,
        manner,
        messages: Messages::new(manner.framing),
        heard: Heard::new(&tally),
        tally,
        watch: Watch::start(socket, terminal.waker())?,
        terminal,
        replies: Replies::new(manner.framing, manner.max_reply),
        unsent: Vec::new(),
        leaving: false,
        until: None,
    };
    dialogue.run()?;
    let by_server = !dialogue.leaving;
    drop(dialogue);
    if by_server {
        // A notice, and no reply: where it can't be seen, nothing is missing.
        let _ = writeln!(io::stderr(), "the server has ended the conversation");
    }
    Ok(())
}

struct Dialogue<'a> {
    socket: &'a Socket,
    manner: Manner,
    messages: Messages,
    tally: Arc<Tally>,
    heard: Heard,
    watch: Watch,
    terminal: Terminal,
    replies: Replies,
    /// Messages that the server has not taken yet.
    unsent: Vec<u8>,
    /// Whether no more will be said to the server.
    leaving: bool,
    /// Until when the server may be silent then.
    until: Option<Instant>,
}

impl Dialogue<'_> {
    /// Goes on to the server's end.
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            self.send()?;
            while self.leaving || !self.unsent.is_empty() {
                if !self.wait()? {
                    return Err(silent(self.manner.reply_timeout));
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
                    self.unsent.extend_from_slice(message.bytes());
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
        self.bound_silence();
    }

    fn bound_silence(&mut self) {
        self.until =
            self.manner.reply_timeout.filter(|_| self.leaving).map(|timeout| Instant::now() + timeout);
    }

    /// Waits until there are replies, or room for what is unsent. Tells whether there were in time.
    fn wait(&self) -> Result<bool, Failure> {
        let room = if self.unsent.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        self.terminal.wait(self.socket, PollFlags::IN | room, self.until).map_err(|error| unusable(&error))
    }

    /// Sends as much as the server takes; and once all is sent, that no more will come.
    fn send(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match (&mut &*self.socket).write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server hears no more. What it has said before is still there to be read.
                Err(_) => {
                    self.unsent.clear();
                    self.tally.lost();
                }
            }
        }
        if self.leaving {
            let _ = self.socket.shutdown(Shutdown::Write); // again does no harm
        }
        Ok(())
    }

    /// Shows the replies that have come, but not for ever; tells whether they were the last.
    fn receive(&mut self) -> Result<bool, Failure> {
        let until = Instant::now() + LONGEST_TURN;
        let mut input = [0; 16 * 1024];
        while Instant::now() < until {
            match (&mut &*self.socket).read(&mut input) {
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

    /// The server has ended: what it has not said to the end is shown nevertheless.
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

/// Wakes the terminal once the server has said something.
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
                // Keys get their turn, too, however much the server says.
                thread::sleep(TURN_OF_KEYS);
                // Where it fails, whoever is woken sees why.
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

/// The terminal can't be used.
pub(super) fn unusable(error: &io::Error) -> Failure {
    Failure::Failed(format!("the terminal can't be used: {error}"))
}

/// How long keys may have to wait for replies.
const LONGEST_TURN: Duration = Duration::from_millis(100);

/// How long replies may have to wait for keys.
const TURN_OF_KEYS: Duration = Duration::from_millis(40);
