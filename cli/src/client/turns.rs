//! A client that alternates between receiving a reply and sending a message, as in many socket tutorials. In `raw`, the
//! bytes of each read are taken for a reply, since nothing else marks its end.

use std::io::{self, ErrorKind, StdinLock};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::connection::Connection;
use super::dialogue::unusable as unusable_terminal;
use super::outcome::{Heard, Tally};
use super::screen::{Screen, unheard};
use super::terminal::{Terminal, Typed};
use super::wire::Lines;
use super::{Settings, silent, unusable};
use crate::failure::Failure;

/// Takes turns with an interactive user.
pub(super) fn at_terminal(connection: &Connection, settings: Settings) -> Result<(), Failure> {
    let mut terminal = Terminal::open().map_err(|error| unusable_terminal(&error))?;
    converse(connection, &mut terminal, settings)
}

/// Takes turns with the lines of standard input.
pub(super) fn through_pipe(connection: &Connection, settings: Settings) -> Result<(), Failure> {
    converse(connection, &mut Lines::new(io::stdin().lock()), settings)
}

/// The source of the messages.
trait Source {
    /// The next message; `None` at the end.
    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure>;

    /// Whether the source is an interactive user, who decides when to leave.
    const IS_INTERACTIVE: bool;

    /// Waits until the server sends something, at most until `until`. Returns whether it did.
    fn listen(&self, connection: &Connection, until: Option<Instant>) -> Result<bool, Failure>;
}

impl Source for Terminal {
    const IS_INTERACTIVE: bool = true;

    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match self.read_line().map_err(|error| unusable_terminal(&error))? {
                Typed::Line(line) => return Ok(Some(line.into_bytes())),
                Typed::End => return Ok(None),
                Typed::Woken => {}
            }
        }
    }

    fn listen(&self, connection: &Connection, until: Option<Instant>) -> Result<bool, Failure> {
        self.wait(connection.socket(), PollFlags::IN, until).map_err(|error| unusable_terminal(&error))
    }
}

impl Source for Lines<StdinLock<'_>> {
    const IS_INTERACTIVE: bool = false;

    fn message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let line =
            self.next().map_err(|error| Failure::Failed(format!("can't read standard input: {error}")))?;
        Ok(line.map(<[u8]>::to_vec))
    }

    fn listen(&self, connection: &Connection, until: Option<Instant>) -> Result<bool, Failure> {
        loop {
            let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                return Ok(false);
            }
            let timeout = rest.and_then(|rest| Timespec::try_from(rest).ok());
            match poll(&mut [PollFd::new(connection.socket(), PollFlags::IN)], timeout.as_ref()) {
                Ok(count) => return Ok(count > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(unusable(error.into())),
            }
        }
    }
}

fn converse<S: Source>(connection: &Connection, source: &mut S, settings: Settings) -> Result<(), Failure> {
    let tally = Arc::new(Tally::default());
    let mut turns = Turns { connection, heard: Heard::new(&tally), tally };
    // The server may send a greeting first. If there is none in time, the client begins.
    let mut timeout = Some(GREETING_TIMEOUT);
    loop {
        match turns.receive(source, timeout)? {
            Received::End => return turns.heard.end(),
            Received::Reply(reply) => {
                if let Err(error) = show(&reply) {
                    return unheard(&error);
                }
            }
            Received::Nothing if turns.tally.messages() == 0 => {}
            Received::Nothing => return Err(silent(timeout)),
        }
        timeout = settings.reply_timeout.filter(|_| !S::IS_INTERACTIVE);
        let message = loop {
            match source.message()? {
                Some(message) if message.is_empty() => {} // can't be sent in `raw`
                message => break message,
            }
        };
        let Some(message) = message else { return turns.leave(source, settings) };
        turns.tally.message(&message);
        if turns.connection.send(&message).is_err() {
            turns.tally.lost();
            continue; // the server does not read any more, but its last reply can be received
        }
        if message == b"exit" {
            return turns.leave(source, settings);
        }
    }
}

struct Turns<'a> {
    connection: &'a Connection,
    tally: Arc<Tally>,
    heard: Heard,
}

enum Received {
    Reply(Vec<u8>),
    /// The server has sent nothing within the timeout.
    Nothing,
    End,
}

impl Turns<'_> {
    fn receive(&mut self, source: &impl Source, timeout: Option<Duration>) -> Result<Received, Failure> {
        let until = timeout.map(|timeout| Instant::now() + timeout);
        let mut buffer = [0; BUFFER];
        loop {
            if !self.connection.has_pending() && !source.listen(self.connection, until)? {
                return Ok(Received::Nothing);
            }
            match self.connection.read(&mut buffer) {
                Ok(0) => return Ok(Received::End),
                Ok(count) => {
                    self.heard.reply(&buffer[..count]);
                    return Ok(Received::Reply(buffer[..count].to_vec()));
                }
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(self.heard.broken(&error)),
            }
        }
    }

    /// Ends the output, and shows the remaining replies until the server ends the conversation.
    fn leave<S: Source>(&mut self, source: &S, settings: Settings) -> Result<(), Failure> {
        self.connection.end_output();
        if S::IS_INTERACTIVE {
            self.heard.leave();
        }
        loop {
            match self.receive(source, settings.reply_timeout) {
                // A server that closes with unread input resets the connection, which is an end too.
                Ok(Received::End) | Err(_) if S::IS_INTERACTIVE => return self.heard.end_of_person(),
                Ok(Received::End) | Err(_) => return self.heard.end(),
                Ok(Received::Nothing) => return Err(silent(settings.reply_timeout)),
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

/// The size of the read buffer, in bytes.
const BUFFER: usize = 1024;

/// How long to wait for a greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
