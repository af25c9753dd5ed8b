//! The conversation of a program: lines in, replies out, as fast as both go.

use std::io::{self, BufWriter, ErrorKind, Read, StdoutLock, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;

use common::Outbox;

use super::vanished;
use super::wire::{Lines, Messages, Replies, Trouble};
use crate::catalogue::Framing;
use crate::escape::escaped;
use crate::failure::Failure;
use crate::quantity::Size;

/// Sends each line of standard input and shows every reply, both at once, so that neither waits for the
/// other. The server ends it, after it has been told that no more will come.
pub(super) fn converse(socket: &TcpStream, framing: Framing, max_reply: usize) -> Result<(), Failure> {
    let failed = Arc::new(OnceLock::new());
    let unsent = Arc::clone(&failed);
    let mut output = socket.try_clone().map_err(|error| vanished(&error))?;
    thread::spawn(move || {
        if let Err(text) = send_lines(&mut output, framing) {
            let _ = unsent.set(text); // nobody else sets it
        }
        // The server may have closed already, and then knows.
        let _ = output.shutdown(Shutdown::Write);
    });
    show_replies(socket, framing, max_reply)?;
    // Where the server was first, some input may be left: it would not have been heard.
    failed.get().map_or(Ok(()), |text| Err(Failure::Failed(text.clone())))
}

/// Sends standard input to its end, or until the server hears no more: that the reader will see.
fn send_lines(socket: &mut TcpStream, framing: Framing) -> Result<(), String> {
    let mut lines = Lines::new(io::stdin().lock());
    let messages = Messages::new(framing);
    let mut out = Outbox::new();
    loop {
        let line = lines.next().map_err(|error| format!("can't read standard input: {error}"))?;
        let Some(line) = line else { break };
        messages.push(line, &mut out);
        if out.len() >= BATCH || lines.may_wait() {
            if socket.write_all(out.bytes()).is_err() {
                return Ok(());
            }
            out = Outbox::new();
        }
    }
    let _ = socket.write_all(out.bytes());
    Ok(())
}

fn show_replies(mut socket: &TcpStream, framing: Framing, max_reply: usize) -> Result<(), Failure> {
    let mut replies = Replies::new(framing, max_reply);
    let mut screen = Screen::new();
    let mut input = vec![0; BATCH];
    loop {
        let shown = match socket.read(&mut input) {
            Ok(0) => break,
            Ok(count) => replies.receive(&input[..count], |reply| screen.show(reply)),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(vanished(&error)),
        };
        let shown = shown.and_then(|()| screen.flush().map_err(Trouble::Unheard));
        if let Err(trouble) = shown {
            return explain(trouble, max_reply);
        }
    }
    let unfinished = replies.unfinished();
    if unfinished.is_empty() {
        return Ok(());
    }
    let _ = screen.show(unfinished).and_then(|()| screen.flush()); // the failure below is the graver one
    Err(Failure::Failed("the server ended within a reply".into()))
}

/// What trouble with replies means to who called the client. Whoever reads them may have seen enough.
pub(super) fn explain(trouble: Trouble, max_reply: usize) -> Result<(), Failure> {
    match trouble {
        Trouble::Unheard(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Trouble::Unheard(error) => Err(Failure::Failed(format!("can't write to standard output: {error}"))),
        Trouble::TooLong => Err(Failure::Failed(format!(
            "a reply is longer than {}; raise --max-reply if the server may say so much",
            Size(max_reply)
        ))),
    }
}

/// Standard output, a line for each reply.
pub(super) struct Screen(BufWriter<StdoutLock<'static>>);

impl Screen {
    pub(super) fn new() -> Self {
        Self(BufWriter::with_capacity(BATCH, io::stdout().lock()))
    }

    pub(super) fn show(&mut self, reply: &[u8]) -> io::Result<()> {
        writeln!(self.0, "{}", escaped(reply))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// How much is read, or collected before it is sent, at once, in bytes.
const BATCH: usize = 64 * 1024;
