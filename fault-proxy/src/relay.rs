//! Passes the bytes of one connection on, in both directions, by its script.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;

use crate::proxy::Counters;
use crate::script::{Ending, Fault, Script, Shape};

/// How much of a direction is kept. Beyond that the sender has to wait.
const MOST_KEPT: usize = 64 * 1024;

/// How much is read at once.
const READ: usize = 16 * 1024;

/// The longest pause behind a piece of what was split, so that it is seldom read together with the next one.
const GAP: Duration = Duration::from_micros(300);

/// Passes the bytes of a connection on until both directions have ended, or until `stop` ends.
pub(crate) fn relay(
    client: TcpStream,
    server: TcpStream,
    script: &Script,
    stop: &UnixStream,
    counters: &Counters,
) {
    // A connection that fails is reset on the other side as well.
    let ended = run([&client, &server], script, stop, counters);
    if !matches!(ended, Ok(How::Closed)) {
        for socket in [&client, &server] {
            // It may be gone already. With this, closing it resets it.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
}

/// How a connection ends.
enum How {
    Closed,
    Reset,
}

fn run(
    [client, server]: [&TcpStream; 2],
    script: &Script,
    stop: &UnixStream,
    counters: &Counters,
) -> io::Result<How> {
    for socket in [client, server] {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
    }
    let ending = |is_up| script.ending.filter(|ending| ending.is_up == is_up);
    let mut up = Direction::new(client, server, &script.up, ending(true));
    let mut down = Direction::new(server, client, &script.down, ending(false));
    let mut buffer = vec![0; READ];
    loop {
        let now = Instant::now();
        for direction in [&mut up, &mut down] {
            if let Some(fault) = direction.advance(now, &mut buffer, counters)? {
                counters.count(fault);
                match fault {
                    Fault::Reset => return Ok(How::Reset),
                    Fault::Truncate => return Ok(How::Closed),
                    _ => {}
                }
            }
        }
        // A server that has ended its side has said all, and takes no more.
        if down.is_over && (up.is_over || up.is_broken) {
            return Ok(How::Closed);
        }
        if wait(&up, &down, stop)? {
            return Ok(How::Reset);
        }
    }
}

/// Waits until one of them can advance. Returns whether the proxy stops.
fn wait(up: &Direction<'_>, down: &Direction<'_>, stop: &UnixStream) -> io::Result<bool> {
    let now = Instant::now();
    let wanted = |reads: bool, writes: bool| {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, reads);
        flags.set(PollFlags::OUT, writes);
        flags
    };
    let wants = [
        (up.from, wanted(up.wants_input(), down.is_due(now))),
        (down.from, wanted(down.wants_input(), up.is_due(now))),
    ];
    let mut events = vec![PollFd::new(stop, PollFlags::IN)];
    // A socket of which nothing is wanted would report its end again and again.
    let wants = wants.iter().filter(|(_, flags)| !flags.is_empty());
    events.extend(wants.map(|(socket, flags)| PollFd::new(*socket, *flags)));
    let due = [up, down].into_iter().filter_map(Direction::due).filter(|due| *due > now).min();
    let timeout = due.map(|due| due - now).and_then(|time| Timespec::try_from(time).ok());
    match poll(&mut events, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(!events[0].revents().is_empty()),
        Err(error) => Err(error.into()),
    }
}

/// One direction of a connection.
struct Direction<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    shape: &'a Shape,
    ending: Option<Ending>,
    random: Rng,
    /// The bytes that are kept, and the pieces in which they are passed on: when, and how many.
    kept: VecDeque<u8>,
    pieces: VecDeque<(Instant, usize)>,
    /// How many bytes were read.
    read: u64,
    /// Until when what comes next stands still.
    held: Option<Instant>,
    is_stalled: bool,
    /// Whether the sender has ended it.
    is_ended: bool,
    /// Whether no more is kept: the sender has ended it, or the script has. What still comes is discarded, since closing
    /// a socket with unread input would drop what it has not yet sent.
    is_at_end: bool,
    /// Whether the receiver takes no more.
    is_broken: bool,
    /// Whether everything was passed on, the end included.
    is_over: bool,
}

impl<'a> Direction<'a> {
    fn new(from: &'a TcpStream, to: &'a TcpStream, shape: &'a Shape, ending: Option<Ending>) -> Self {
        Self {
            from,
            to,
            shape,
            ending,
            random: Rng::with_seed(shape.seed),
            kept: VecDeque::new(),
            pieces: VecDeque::new(),
            read: 0,
            held: None,
            is_stalled: false,
            is_ended: false,
            is_at_end: false,
            is_broken: false,
            is_over: false,
        }
    }

    fn wants_input(&self) -> bool {
        !self.is_ended && (self.discards() || self.kept.len() < MOST_KEPT)
    }

    fn discards(&self) -> bool {
        self.is_at_end || self.is_broken
    }

    /// When the next piece is due.
    fn due(&self) -> Option<Instant> {
        self.pieces.front().filter(|_| !self.is_broken).map(|(due, _)| *due)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// Reads, and passes on what is due. Returns the fault that ends the connection now.
    ///
    /// # Errors
    /// If the sender has reset the connection.
    fn advance(&mut self, now: Instant, buffer: &mut [u8], counters: &Counters) -> io::Result<Option<Fault>> {
        if self.wants_input() {
            match self.from.read(buffer) {
                Ok(0) => (self.is_ended, self.is_at_end) = (true, true),
                Ok(_) if self.discards() => {}
                Ok(count) => self.keep(&buffer[..count], now, counters),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        while self.is_due(now) {
            if !self.pass_on() {
                break;
            }
        }
        if !self.is_at_end || self.is_over || !(self.pieces.is_empty() || self.is_broken) {
            return Ok(None);
        }
        self.is_over = true;
        let fault = self.ending.filter(|ending| self.read >= ending.after).map(|ending| ending.fault);
        if fault != Some(Fault::Reset) {
            // The receiver may have ended the connection.
            let _ = self.to.shutdown(Shutdown::Write);
        }
        Ok(fault)
    }

    /// Keeps bytes that have arrived, in pieces, as far as the script allows.
    fn keep(&mut self, bytes: &[u8], now: Instant, counters: &Counters) {
        let Shape { delay, jitter, split, coalesce, stall, throttle, .. } = *self.shape;
        let left = self.ending.map_or(u64::MAX, |ending| ending.after - self.read);
        let bytes = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        self.is_at_end = left <= bytes.len() as u64;
        self.read += bytes.len() as u64;
        if let Some((_, time)) = stall.filter(|(at, _)| !self.is_stalled && self.read > *at) {
            self.is_stalled = true;
            self.held = self.held.max(Some(now + time));
            counters.count(Fault::Stall);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = split.map_or(rest.len(), |most| self.random.usize(1..=most).min(rest.len()));
            let (piece, others) = rest.split_at(most);
            rest = others;
            self.kept.extend(piece);
            let collected = self.pieces.back_mut().filter(|(due, _)| coalesce.is_some() && *due > now);
            if let (Some((enough, _)), Some((due, length))) = (coalesce, collected) {
                *length += piece.len();
                counters.count(Fault::Coalesce);
                if *length < enough {
                    continue;
                }
                *due = self.held.map_or(now, |held| held.max(now));
                continue;
            }
            let mut due = now + delay + jitter.mul_f64(self.random.f64());
            due = self.held.map_or(due, |held| held.max(due));
            if let Some(rate) = throttle {
                due += Duration::from_secs_f64(piece.len() as f64 / rate as f64);
            }
            if split.is_some() {
                due += GAP.mul_f64(self.random.f64());
            }
            self.held = Some(due);
            let collecting = coalesce.map_or(Duration::ZERO, |(_, time)| time);
            self.pieces.push_back((due + collecting, piece.len()));
            let applied = [
                (!delay.is_zero(), Fault::Delay),
                (!jitter.is_zero(), Fault::Jitter),
                (split.is_some(), Fault::Split),
                (throttle.is_some(), Fault::Throttle),
            ];
            applied.into_iter().filter(|(is, _)| *is).for_each(|(_, fault)| counters.count(fault));
        }
    }

    /// Passes the next piece on, with one write. Returns whether all of it was taken.
    fn pass_on(&mut self) -> bool {
        let Some((_, length)) = self.pieces.front_mut() else { return false };
        let (first, second) = self.kept.as_slices();
        let bytes = if first.is_empty() { second } else { first };
        match self.to.write(&bytes[..bytes.len().min(*length)]) {
            Ok(count) => {
                self.kept.drain(..count);
                *length -= count;
                if *length == 0 {
                    self.pieces.pop_front();
                }
                true
            }
            Err(error) => {
                // What the receiver has said before it ended is still passed on.
                self.is_broken = !is_passing(&error);
                false
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
