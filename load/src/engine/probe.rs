//! Detects the address and the replies of a server with a probe message.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::Address;
use history::{Digest, Writer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::Socket;

use crate::engine::composer::Composer;
use crate::engine::interrupted;
use crate::engine::sources::{self, Attempt, CONNECT_TIMEOUT, no_handshake};
use crate::engine::tally::beginning;
use crate::engine::verify::first_line;
use crate::expect::{Expect, Reply};
use crate::framing::{Framing, ReplyReader};
use crate::messages::{Messages, Sizes};
use crate::plan::Plan;
use crate::transform::{Stream, is_failure, is_passing};

/// The timeout for the greeting and one reply.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The interval at which `stop` is checked.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// The length of the probe message, in bytes.
const LENGTH: usize = 31;

/// The number of the probe's connection, which is no other's, so that its message differs from all that are generated.
const NUMBER: u32 = u32::MAX;

/// What a probe message and its reply have shown of a server.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The replies to expect.
    pub expect: Expect,
    /// The message in wire format.
    message: Vec<u8>,
    /// The reply, with the bytes of the protocol and without them.
    reply: (Vec<u8>, Vec<u8>),
}

impl Probe {
    /// Records the message and its reply, on a connection of their own.
    pub fn record(&self, history: &Writer) {
        let mut recorder = history.recorder();
        let connection = recorder.open(NUMBER.into());
        let (whole, content) = &self.reply;
        if self.expect.has_answers() {
            recorder.request(connection, Digest::of(content));
            recorder.reply(connection, Digest::of(content));
        } else {
            recorder.request(connection, Digest::of(&self.message));
            recorder.judged(connection, Digest::of(whole), true);
        }
        recorder.left(connection);
    }
}

/// The first of a server's addresses that accepts a connection. `stop` ends the search.
///
/// # Errors
/// If there is none: the error of each address. `Interrupted` if `stop` was set.
pub fn reachable(addresses: &[Address], stop: &AtomicBool) -> io::Result<Address> {
    let mut failures = Vec::new();
    for address in addresses {
        match connect(address, stop) {
            Ok(_) => return Ok(address.clone()),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(io::Error::other(failures.join("; ")))
}

/// Detects the replies to expect from the server of a plan by a [`probe`].
///
/// # Errors
/// As those of [`probe`].
pub fn expectation(plan: &Plan, stop: &AtomicBool) -> io::Result<Expect> {
    probe(plan, stop).map(|probe| probe.expect)
}

/// Sends one message to the server of a plan, and examines the reply. `stop` ends the wait.
///
/// # Errors
/// If it can't be reached, refuses, sends nothing, or sends a reply of no built-in handler: the reply, and what to do.
/// `Interrupted` if `stop` was set.
pub fn probe(plan: &Plan, stop: &AtomicBool) -> io::Result<Probe> {
    let framing = plan.framing;
    let mut server = Patient::connect(plan, stop)?;
    let messages = Messages::Made(Sizes::Fixed(LENGTH));
    let mut composer = Composer::new(&messages, framing, &Expect::Echo, fastrand::Rng::with_seed(0));
    let asked = composer.payload(NUMBER, (0, LENGTH), &[]).to_vec();
    let message = framing.message(&asked);
    server.stream.write_all(&message)?;
    let mut replies = framing.replies(server);
    let mut next = |so_far: &str| next(&mut replies, framing, so_far, stop);
    let first = next("nothing")?;
    if first.1 == asked {
        return Ok(Probe { expect: Expect::Echo, message, reply: first });
    }
    if matches!(Expect::Ok.read(&first.1, 0), Reply::Right) {
        return Ok(Probe { expect: Expect::Ok, message, reply: first });
    }
    let greets = |expect: &Expect| expect.greeting() == Some(&*first.1);
    let expect = [Expect::Counter, Expect::CounterEnglish, Expect::Ack].into_iter().find(greets);
    let Some(expect) = expect else { return Err(unknown(framing, &first.0)) };
    let second = next("only a greeting")?;
    match expect.read(&second.1, 0) {
        Reply::Says(said) if *said == asked => Ok(Probe { expect, message, reply: second }),
        Reply::Right => Ok(Probe { expect, message, reply: second }),
        Reply::Says(_) | Reply::Judged(_) | Reply::Wrong => Err(unknown(framing, &second.0)),
    }
}

/// Waits for a reply.
fn next(
    replies: &mut ReplyReader<impl Read>,
    framing: Framing,
    so_far: &str,
    stop: &AtomicBool,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    replies.receive_parts().map_err(|error| {
        if stop.load(Ordering::Relaxed) {
            return interrupted();
        }
        if is_failure(&error) {
            return error;
        }
        io::Error::other(format!(
            "the server says {so_far} to a message within {TIMEOUT:?}; is it one that answers in the framing \
             `{}`? If it does so in its own way, say --expect any",
            framing.name()
        ))
    })
}

fn unknown(framing: Framing, said: &[u8]) -> io::Error {
    if framing.is_error(said) {
        return io::Error::other(format!("the server refuses: {}", first_line(said)));
    }
    let said = beginning(said);
    io::Error::other(format!(
        "the server says `{said}`, which is neither the message nor what a built-in handler says; if any reply \
         is a good one, say --expect any, and --expect greeted if that was a greeting"
    ))
}

fn not_connected(address: &Address, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't connect to {address}: {error}"))
}

/// Connects, unless `stop` is set meanwhile.
fn connect(address: &Address, stop: &AtomicBool) -> io::Result<Socket> {
    let failed = |error| not_connected(address, &error);
    let (socket, mut attempt) = sources::connect(address, 0).map_err(failed)?;
    let end = Instant::now() + CONNECT_TIMEOUT;
    while attempt != Attempt::Connected {
        if stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        if Instant::now() >= end {
            let seconds = CONNECT_TIMEOUT.as_secs();
            return Err(failed(io::Error::new(ErrorKind::TimedOut, format!("no answer within {seconds} s"))));
        }
        attempt = match attempt {
            Attempt::Underway if is_writable(&socket).map_err(failed)? => Attempt::Connected,
            Attempt::Full => {
                thread::sleep(STOP_INTERVAL);
                sources::attempt(&socket, address).map_err(failed)?
            }
            attempt => attempt,
        };
    }
    if let Some(error) = socket.take_error()? {
        return Err(failed(error));
    }
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(STOP_INTERVAL))?;
    Ok(socket)
}

/// Whether connecting has succeeded or failed; waits briefly for it.
fn is_writable(socket: &Socket) -> io::Result<bool> {
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    let moment = Timespec { tv_sec: 0, tv_nsec: STOP_INTERVAL.subsec_nanos().into() };
    match poll(&mut polled, Some(&moment)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A connection that is read until a deadline or until `stop` is set.
struct Patient<'a> {
    stream: Stream<Socket>,
    stop: &'a AtomicBool,
    end: Instant,
}

impl<'a> Patient<'a> {
    /// Connects, and makes the handshake if the plan has a transform.
    fn connect(plan: &Plan, stop: &'a AtomicBool) -> io::Result<Self> {
        let (socket, end) = (connect(&plan.address, stop)?, Instant::now() + CONNECT_TIMEOUT);
        let shaken = Stream::new(socket, plan.transform.as_ref(), || match stop.load(Ordering::Relaxed) {
            true => Err(interrupted()),
            false if Instant::now() < end => Ok(()),
            false => Err(io::Error::new(ErrorKind::TimedOut, no_handshake())),
        });
        let stream = shaken.map_err(|error| not_connected(&plan.address, &error))?;
        Ok(Self { stream, stop, end: Instant::now() + TIMEOUT })
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // The deadline is checked before each read, so that a server that sends byte after byte does not extend it.
            if self.stop.load(Ordering::Relaxed) || Instant::now() >= self.end {
                return Err(ErrorKind::TimedOut.into());
            }
            match self.stream.read(buffer) {
                Err(error) if is_passing(&error) => {}
                read => return read,
            }
        }
    }
}
