//! The conversation of a person: replies are shown as they come, above the line that is being typed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::Outbox;
use rustix::event::{PollFd, PollFlags, poll};

use super::pipe::{Screen, explain};
use super::terminal::{Terminal, Typed};
use super::wire::{Messages, Replies, Trouble};
use super::{LEAVE_TIMEOUT, vanished};
use crate::catalogue::Framing;
use crate::failure::Failure;

/// Sends what is typed and shows what is replied, until one of the two ends it.
pub(super) fn converse(socket: &TcpStream, framing: Framing, max_reply: usize) -> Result<(), Failure> {
    socket.set_nonblocking(true).map_err(|error| vanished(&error))?;
    let terminal = Terminal::open().map_err(|error| unusable(&error))?;
    let mut dialogue = Dialogue {
        socket,
        messages: Messages::new(framing),
        max_reply,
        watch: Watch::start(socket, terminal.waker())?,
        terminal,
        replies: Replies::new(framing, max_reply),
        unsent: Vec::new(),
        leaving: None,
    };
    dialogue.run()?;
    let by_server = dialogue.leaving.is_none();
    drop(dialogue);
    if by_server {
        // A notice, and no reply: where it can't be seen, nothing is missing.
        let _ = writeln!(io::stderr(), "the server has ended the conversation");
    }
    Ok(())
}

struct Dialogue<'a> {
    socket: &'a TcpStream,
    messages: Messages,
    max_reply: usize,
    watch: Watch,
    terminal: Terminal,
    replies: Replies,
    /// Messages that the server has not taken yet.
    unsent: Vec<u8>,
    /// Until when to wait for the server's end, once the user leaves.
    leaving: Option<Instant>,
}

impl Dialogue<'_> {
    /// Goes on to the server's end.
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            self.send()?;
            while self.leaving.is_some() || !self.unsent.is_empty() {
                if !self.wait()? {
                    let seconds = LEAVE_TIMEOUT.as_secs();
                    return Err(Failure::Failed(format!("the server did not end within {seconds} s")));
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
        self.leaving = Some(Instant::now() + LEAVE_TIMEOUT);
    }

    /// Waits until there are replies, or room for what is unsent. Tells whether there were in time.
    fn wait(&self) -> Result<bool, Failure> {
        let room = if self.unsent.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        self.terminal.wait(self.socket, PollFlags::IN | room, self.leaving).map_err(|error| unusable(&error))
    }

    /// Sends as much as the server takes; and once all is sent, that no more will come.
    fn send(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match (&mut &*self.socket).write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server hears no more. What it has said before is still there to be read.
                Err(_) => self.unsent.clear(),
            }
        }
        if self.leaving.is_some() {
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
                    let mut screen = Screen::new();
                    let shown = self
                        .replies
                        .receive(&input[..count], |reply| screen.show(reply))
                        .and_then(|()| screen.flush().map_err(Trouble::Unheard));
                    match shown {
                        Ok(()) => {}
                        Err(Trouble::Unheard(error)) => return Err(unusable(&error)),
                        Err(trouble) => return explain(trouble, self.max_reply).map(|()| true),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.leaving.is_some() => return self.finish().map(|()| true),
                Err(error) => return Err(vanished(&error)),
            }
        }
        Ok(false)
    }

    /// The server has ended: what it has not said to the end is shown nevertheless.
    fn finish(&self) -> Result<(), Failure> {
        let unfinished = self.replies.unfinished();
        if unfinished.is_empty() {
            return Ok(());
        }
        let mut screen = Screen::new();
        screen.show(unfinished).and_then(|()| screen.flush()).map_err(|error| unusable(&error))?;
        Err(Failure::Failed("the server ended within a reply".into()))
    }
}

/// Wakes the terminal once the server has said something.
struct Watch {
    orders: Sender<()>,
    begun: bool,
}

impl Watch {
    fn start(socket: &TcpStream, waker: Arc<AtomicBool>) -> Result<Self, Failure> {
        let socket = socket.try_clone().map_err(|error| vanished(&error))?;
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
