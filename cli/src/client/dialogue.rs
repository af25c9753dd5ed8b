//! The conversation of a person: replies are shown as they come, above the line that is being typed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use common::Framing;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::editor::Typed;
use super::pipe::explain;
use super::terminal::{RawMode, Terminal};
use super::wire::{Replies, Trouble, push_message};
use super::{LEAVE_TIMEOUT, vanished};
use crate::failure::Failure;

/// Sends what is typed and shows what is replied, until one of the two ends it.
pub(super) fn converse(socket: &TcpStream, framing: Framing, max_reply: usize) -> Result<(), Failure> {
    socket.set_nonblocking(true).map_err(|error| vanished(&error))?;
    let raw = RawMode::enter().map_err(|error| unusable(&error))?;
    let mut dialogue = Dialogue {
        socket,
        framing,
        max_reply,
        terminal: Terminal::default(),
        replies: Replies::new(framing, max_reply),
        unsent: Vec::new(),
        leaving: None,
    };
    let ended = dialogue.run();
    drop(raw);
    let by_server = ended?;
    if by_server && dialogue.leaving.is_none() {
        // A notice, and no reply: where it can't be seen, nothing is missing.
        let _ = writeln!(io::stderr(), "the server has ended the conversation");
    }
    Ok(())
}

struct Dialogue<'a> {
    socket: &'a TcpStream,
    framing: Framing,
    max_reply: usize,
    terminal: Terminal,
    replies: Replies,
    /// Messages that the server has not taken yet.
    unsent: Vec<u8>,
    /// Until when to wait for the server's end, once the user leaves.
    leaving: Option<Instant>,
}

impl Dialogue<'_> {
    /// Goes on to the end; tells whether it was the server's.
    fn run(&mut self) -> Result<bool, Failure> {
        loop {
            self.send()?;
            if self.leaving.is_none() {
                self.terminal.prompt().map_err(|error| unusable(&error))?;
            }
            let (keys, replies) = self.wait()?;
            if replies && self.receive()? {
                return Ok(true);
            }
            if keys && !self.terminal.read_keys().map_err(|error| unusable(&error))? {
                return Ok(false);
            }
            while self.unsent.len() < MOST_UNSENT
                && let Some(typed) = self.terminal.typed().map_err(|error| unusable(&error))?
            {
                if self.obey(typed)? {
                    return Ok(false);
                }
            }
        }
    }

    /// Waits until there are keys or replies, or room for what is unsent. Tells which of the first two.
    fn wait(&self) -> Result<(bool, bool), Failure> {
        let timeout = match self.leaving.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(rest) if rest.is_zero() => {
                let seconds = LEAVE_TIMEOUT.as_secs();
                return Err(Failure::Failed(format!("the server did not end within {seconds} s of `exit`")));
            }
            rest => rest.and_then(|rest| Timespec::try_from(rest).ok()),
        };
        let room = if self.unsent.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        // A terminal from which more comes than the server takes has to wait, too.
        let keys = if self.unsent.len() < MOST_UNSENT { PollFlags::IN } else { PollFlags::empty() };
        let keyboard = io::stdin();
        let mut ready = [PollFd::new(&keyboard, keys), PollFd::new(self.socket, PollFlags::IN | room)];
        match poll(&mut ready, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok((false, false)),
            Err(error) => return Err(unusable(&error.into())),
        }
        let ended = PollFlags::HUP | PollFlags::ERR;
        Ok((
            ready[0].revents().intersects(PollFlags::IN | ended),
            ready[1].revents().intersects(PollFlags::IN | ended),
        ))
    }

    /// Does what was typed; tells whether it is all over.
    fn obey(&mut self, typed: Typed) -> Result<bool, Failure> {
        match typed {
            Typed::Line(_) if self.leaving.is_some() => {}
            Typed::Line(line) => {
                push_message(self.framing, line.as_bytes(), &mut self.unsent).map_err(Failure::Failed)?;
                if line == "exit" {
                    self.leave();
                }
            }
            Typed::Leave if self.leaving.is_some() => return Ok(true),
            Typed::Leave => self.leave(),
        }
        Ok(false)
    }

    fn leave(&mut self) {
        self.leaving = Some(Instant::now() + LEAVE_TIMEOUT);
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

    /// Shows the replies that have come; tells whether they were the last.
    fn receive(&mut self) -> Result<bool, Failure> {
        let mut input = [0; 16 * 1024];
        match (&mut &*self.socket).read(&mut input) {
            Ok(0) => {}
            Ok(count) => {
                let terminal = &self.terminal;
                let shown = self.replies.receive(&input[..count], |reply| terminal.show(reply));
                return match shown {
                    Ok(()) => Ok(false),
                    Err(Trouble::Unheard(error)) => Err(unusable(&error)),
                    Err(trouble) => explain(trouble, self.max_reply).map(|()| true),
                };
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(false);
            }
            Err(_) if self.leaving.is_some() => {}
            Err(error) => return Err(vanished(&error)),
        }
        match self.replies.unfinished() {
            [] => Ok(true),
            unfinished => {
                self.terminal.show(unfinished).map_err(|error| unusable(&error))?;
                Err(Failure::Failed("the server ended within a reply".into()))
            }
        }
    }
}

/// The terminal can't be used.
pub(super) fn unusable(error: &io::Error) -> Failure {
    Failure::Failed(format!("the terminal can't be used: {error}"))
}

/// Keys wait while the server has so many bytes of messages still to take.
const MOST_UNSENT: usize = 64 * 1024;
