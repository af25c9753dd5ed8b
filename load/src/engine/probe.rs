//! What a server says, found out by asking it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::engine::message::{Reply, Text};
use crate::framing::{Framing, Replies};
use crate::plan::Expect;

/// How long the server may take for its greeting and one reply.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The length of the message that asks, in bytes.
const LENGTH: usize = 31;

/// Finds out what the replies of a server should be: sends it one message, and looks at what it says.
///
/// # Errors
/// If it can't be reached, refuses, says nothing, or says what none of the handlers would: what it said, and
/// what to do then.
pub fn expectation(address: SocketAddr, framing: Framing) -> io::Result<Expect> {
    let mut socket = TcpStream::connect(address)
        .map_err(|error| io::Error::new(error.kind(), format!("can't connect to {address}: {error}")))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    let text = Text::new(LENGTH);
    socket.write_all(&framing.message(&text.payload(0, 0, LENGTH)))?;
    let mut replies = framing.replies(socket);
    let first = next(&mut replies, framing, "nothing")?;
    if text.is(&first, 0, 0, LENGTH) {
        return Ok(Expect::Echo);
    }
    let greets = |expect: &Expect| expect.greeting() == Some(&*first);
    let expect = [Expect::Counter, Expect::CounterEnglish, Expect::Ack].into_iter().find(greets);
    let Some(expect) = expect else { return Err(unknown(&first)) };
    let second = next(&mut replies, framing, "only a greeting")?;
    match expect.read(&second, 0) {
        Reply::Says(message) if text.is(message, 0, 0, LENGTH) => Ok(expect),
        Reply::Right => Ok(expect),
        Reply::Says(_) | Reply::Wrong => Err(unknown(&second)),
    }
}

/// Waits for a reply.
fn next(replies: &mut Replies<impl Read>, framing: Framing, so_far: &str) -> io::Result<Vec<u8>> {
    replies.next().map_err(|_| {
        io::Error::other(format!(
            "the server says {so_far} to a message within {TIMEOUT:?}; is it one that answers in the framing \
             `{}`? If it does so in its own way, say --expect any",
            framing.name()
        ))
    })
}

fn unknown(said: &[u8]) -> io::Error {
    let said = said[..said.len().min(60)].escape_ascii();
    if said.to_string().starts_with("ERR ") {
        return io::Error::other(format!("the server refuses: {said}"));
    }
    io::Error::other(format!(
        "the server says `{said}`, which is neither the message nor what a built-in handler says; if any reply \
         is a good one, say --expect any, and --expect greeted if that was a greeting"
    ))
}
