//! The conversation of the classic socket tutorial's client: a reply, a message, a reply, in turns. In `raw`
//! there is no other way to tell where a reply ends than that the server waits for the next message.

use std::io::{self, ErrorKind, Read, StdinLock, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::dialogue::unusable;
use super::pipe::{Screen, explain};
use super::terminal::{Terminal, Typed};
use super::wire::{Lines, Trouble};
use super::{LEAVE_TIMEOUT, vanished};
use crate::failure::Failure;

/// Takes turns with a person.
pub(super) fn at_terminal(socket: &TcpStream) -> Result<(), Failure> {
    let mut terminal = Terminal::open().map_err(|error| unusable(&error))?;
    converse(socket, &mut terminal)
}

/// Takes turns with the lines of standard input.
pub(super) fn through_pipe(socket: &TcpStream) -> Result<(), Failure> {
    converse(socket, &mut Lines::new(io::stdin().lock()))
}

/// Who says the messages.
trait Speaker {
    /// The next message; `None` is the end.
    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure>;

    /// Waits until the server says something, or `until` then. Tells whether it did.
    fn listen(&self, socket: &TcpStream, until: Option<Instant>) -> Result<bool, Failure>;
}

impl Speaker for Terminal {
    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match self.read_line().map_err(|error| unusable(&error))? {
                Typed::Line(line) => return Ok(Some(line.into_bytes())),
                Typed::End => return Ok(None),
                Typed::Woken => {}
            }
        }
    }

    fn listen(&self, socket: &TcpStream, until: Option<Instant>) -> Result<bool, Failure> {
        self.wait(socket, PollFlags::IN, until).map_err(|error| unusable(&error))
    }
}

impl Speaker for Lines<StdinLock<'_>> {
    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let line =
            self.next().map_err(|error| Failure::Failed(format!("can't read standard input: {error}")))?;
        Ok(line.map(<[u8]>::to_vec))
    }

    fn listen(&self, socket: &TcpStream, until: Option<Instant>) -> Result<bool, Failure> {
        loop {
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                return Ok(false);
            }
            let timeout = rest.and_then(|rest| Timespec::try_from(rest).ok());
            match poll(&mut [PollFd::new(socket, PollFlags::IN)], timeout.as_ref()) {
                Ok(count) => return Ok(count > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(vanished(&error.into())),
            }
        }
    }
}

fn converse(mut socket: &TcpStream, speaker: &mut impl Speaker) -> Result<(), Failure> {
    // The server has the first word; but if it has none, somebody has to begin.
    let mut patience = Some(Instant::now() + GREETING_TIMEOUT);
    loop {
        match receive(socket, speaker, patience)? {
            Received::End => return Ok(()),
            Received::Reply(reply) => {
                if let Err(error) = show(&reply) {
                    return explain(Trouble::Unheard(error), 0);
                }
            }
            Received::Nothing => {}
        }
        patience = None;
        let message = loop {
            match speaker.message()? {
                Some(message) if message.is_empty() => {} // in `raw` it can't be said
                message => break message,
            }
        };
        let Some(message) = message else { return leave(socket, speaker) };
        if socket.write_all(&message).is_err() {
            continue; // the server hears no more: what it said last is there to be received
        }
        if message == b"exit" {
            return leave(socket, speaker);
        }
    }
}

enum Received {
    Reply(Vec<u8>),
    /// The server has said nothing for too long.
    Nothing,
    End,
}

fn receive(
    mut socket: &TcpStream,
    speaker: &impl Speaker,
    until: Option<Instant>,
) -> Result<Received, Failure> {
    if !speaker.listen(socket, until)? {
        return Ok(Received::Nothing);
    }
    let mut buffer = [0; LONGEST];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(Received::End),
            Ok(count) => return Ok(Received::Reply(buffer[..count].to_vec())),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(vanished(&error)),
        }
    }
}

/// Tells the server that no more will come, and shows what it still says until it ends as well.
fn leave(socket: &TcpStream, speaker: &impl Speaker) -> Result<(), Failure> {
    let _ = socket.shutdown(Shutdown::Write); // the server may have been faster
    let until = Instant::now() + LEAVE_TIMEOUT;
    loop {
        match receive(socket, speaker, Some(until)) {
            // One that closes without having read everything resets the connection: it has ended all the same.
            Ok(Received::End) | Err(_) => return Ok(()),
            Ok(Received::Nothing) => {
                let seconds = LEAVE_TIMEOUT.as_secs();
                return Err(Failure::Failed(format!("the server did not end within {seconds} s")));
            }
            Ok(Received::Reply(reply)) => {
                if let Err(error) = show(&reply) {
                    return explain(Trouble::Unheard(error), 0);
                }
            }
        }
    }
}

fn show(reply: &[u8]) -> io::Result<()> {
    let mut screen = Screen::new();
    screen.show(reply).and_then(|()| screen.flush())
}

/// The buffer of the tutorial's client, in bytes.
const LONGEST: usize = 1024;

/// How long the server may take to greet.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
