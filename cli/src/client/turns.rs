//! The conversation of the classic socket tutorial's client: a reply, a message, a reply, in turns. In `raw`
//! there is no other way to tell where a reply ends than that the server waits for the next message.

use std::io::{self, ErrorKind, Read, StdinLock, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::Socket;

use super::dialogue::unusable as unusable_terminal;
use super::outcome::{Heard, Tally};
use super::screen::{Screen, unheard};
use super::terminal::{Terminal, Typed};
use super::wire::Lines;
use super::{Manner, silent, unusable};
use crate::failure::Failure;

/// Takes turns with a person.
pub(super) fn at_terminal(socket: &Socket, manner: Manner) -> Result<(), Failure> {
    let mut terminal = Terminal::open().map_err(|error| unusable_terminal(&error))?;
    converse(socket, &mut terminal, manner)
}

/// Takes turns with the lines of standard input.
pub(super) fn through_pipe(socket: &Socket, manner: Manner) -> Result<(), Failure> {
    converse(socket, &mut Lines::new(io::stdin().lock()), manner)
}

/// Who says the messages.
trait Speaker {
    /// The next message; `None` is the end.
    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure>;

    /// Whether it is a person, who sees what the server does and knows when to leave.
    const IS_PERSON: bool;

    /// Waits until the server says something, or `until` then. Tells whether it did.
    fn listen(&self, socket: &Socket, until: Option<Instant>) -> Result<bool, Failure>;
}

impl Speaker for Terminal {
    const IS_PERSON: bool = true;

    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match self.read_line().map_err(|error| unusable_terminal(&error))? {
                Typed::Line(line) => return Ok(Some(line.into_bytes())),
                Typed::End => return Ok(None),
                Typed::Woken => {}
            }
        }
    }

    fn listen(&self, socket: &Socket, until: Option<Instant>) -> Result<bool, Failure> {
        self.wait(socket, PollFlags::IN, until).map_err(|error| unusable_terminal(&error))
    }
}

impl Speaker for Lines<StdinLock<'_>> {
    const IS_PERSON: bool = false;

    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let line =
            self.next().map_err(|error| Failure::Failed(format!("can't read standard input: {error}")))?;
        Ok(line.map(<[u8]>::to_vec))
    }

    fn listen(&self, socket: &Socket, until: Option<Instant>) -> Result<bool, Failure> {
        loop {
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                return Ok(false);
            }
            let timeout = rest.and_then(|rest| Timespec::try_from(rest).ok());
            match poll(&mut [PollFd::new(socket, PollFlags::IN)], timeout.as_ref()) {
                Ok(count) => return Ok(count > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(unusable(error.into())),
            }
        }
    }
}

fn converse<S: Speaker>(socket: &Socket, speaker: &mut S, manner: Manner) -> Result<(), Failure> {
    let tally = Arc::new(Tally::default());
    let mut turns = Turns { socket, heard: Heard::new(&tally), tally };
    // The server has the first word; but if it has none, somebody has to begin.
    let mut timeout = Some(GREETING_TIMEOUT);
    loop {
        match turns.receive(speaker, timeout)? {
            Received::End => return turns.heard.end(),
            Received::Reply(reply) => {
                if let Err(error) = show(&reply) {
                    return unheard(&error);
                }
            }
            Received::Nothing if turns.tally.messages() == 0 => {}
            Received::Nothing => return Err(silent(timeout)),
        }
        timeout = manner.reply_timeout.filter(|_| !S::IS_PERSON);
        let message = loop {
            match speaker.message()? {
                Some(message) if message.is_empty() => {} // in `raw` it can't be said
                message => break message,
            }
        };
        let Some(message) = message else { return turns.leave(speaker, manner) };
        turns.tally.message(&message);
        if turns.socket.write_all(&message).is_err() {
            turns.tally.lost();
            continue; // the server hears no more: what it said last is there to be received
        }
        if message == b"exit" {
            return turns.leave(speaker, manner);
        }
    }
}

struct Turns<'a> {
    socket: &'a Socket,
    tally: Arc<Tally>,
    heard: Heard,
}

enum Received {
    Reply(Vec<u8>),
    /// The server has said nothing for too long.
    Nothing,
    End,
}

impl Turns<'_> {
    fn receive(&mut self, speaker: &impl Speaker, timeout: Option<Duration>) -> Result<Received, Failure> {
        if !speaker.listen(self.socket, timeout.map(|timeout| Instant::now() + timeout))? {
            return Ok(Received::Nothing);
        }
        let mut buffer = [0; LONGEST];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(Received::End),
                Ok(count) => {
                    self.heard.reply(&buffer[..count]);
                    return Ok(Received::Reply(buffer[..count].to_vec()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.heard.broken(&error)),
            }
        }
    }

    /// Tells the server that no more will come, and shows what it still says until it ends as well.
    fn leave<S: Speaker>(&mut self, speaker: &S, manner: Manner) -> Result<(), Failure> {
        let _ = self.socket.shutdown(Shutdown::Write); // the server may have been faster
        loop {
            match self.receive(speaker, manner.reply_timeout) {
                // One that closes without having read everything resets the connection: it has ended all the same.
                Ok(Received::End) | Err(_) if S::IS_PERSON => return self.heard.end_of_person(),
                Ok(Received::End) | Err(_) => return self.heard.end(),
                Ok(Received::Nothing) => return Err(silent(manner.reply_timeout)),
                Ok(Received::Reply(reply)) => {
                    if let Err(error) = show(&reply) {
                        return unheard(&error);
                    }
                }
            }
        }
    }
}

fn show(reply: &[u8]) -> io::Result<()> {
    let mut screen = Screen::new();
    screen.show(reply, b"").and_then(|()| screen.flush())
}

/// The buffer of the tutorial's client, in bytes.
const LONGEST: usize = 1024;

/// How long the server may take to greet.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
