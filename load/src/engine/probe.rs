//! What a server says, found out by asking it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::engine::message::{Reply, Text};
use crate::plan::Expect;

/// How long the server may take for its greeting and one reply.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The size of the message that asks, in bytes.
const SIZE: usize = 32;

/// Finds out what the replies of a server should be: sends it one message, and looks at what it says.
///
/// # Errors
/// If it can't be reached, refuses, says nothing, or says what none of the handlers would: what it said, and
/// what to do then.
pub fn expectation(address: SocketAddr) -> io::Result<Expect> {
    let mut socket = TcpStream::connect(address)
        .map_err(|error| io::Error::new(error.kind(), format!("can't connect to {address}: {error}")))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    let text = Text::new(SIZE);
    let mut message = Vec::new();
    text.write(0, 0, SIZE, &mut message);
    socket.write_all(&message)?;
    let mut lines = BufReader::new(socket);
    let first = line(&mut lines, "nothing")?;
    if text.is(&first, 0, 0, SIZE) {
        return Ok(Expect::Echo);
    }
    let greets = |expect: &Expect| expect.greeting() == Some(&*first);
    let expect = [Expect::Counter, Expect::CounterEnglish, Expect::Ack].into_iter().find(greets);
    let Some(expect) = expect else { return Err(unknown(&first)) };
    let second = line(&mut lines, "only a greeting")?;
    match expect.read(&second, 0) {
        Reply::Says(message) if text.is(message, 0, 0, SIZE) => Ok(expect),
        Reply::Right => Ok(expect),
        Reply::Says(_) | Reply::Wrong => Err(unknown(&second)),
    }
}

/// Reads a line, without its end.
fn line(lines: &mut impl BufRead, so_far: &str) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let read = io::Read::take(&mut *lines, 4096).read_until(b'\n', &mut line);
    if read.is_err() || line.pop() != Some(b'\n') {
        return Err(io::Error::other(format!(
            "the server says {so_far} to a line within {TIMEOUT:?}; is it one that answers lines? If it does so \
             in its own way, say --expect any"
        )));
    }
    Ok(line)
}

fn unknown(said: &[u8]) -> io::Error {
    let said = said[..said.len().min(60)].escape_ascii();
    if said.to_string().starts_with("ERR ") {
        return io::Error::other(format!("the server refuses: {said}"));
    }
    io::Error::other(format!(
        "the server says `{said}`, which is neither the message nor what a built-in handler says; if any line is \
         a good reply, say --expect any"
    ))
}
