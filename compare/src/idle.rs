//! How much memory a server needs for idle connections.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::MemorySample;
use load::framing::Framing;
use load::plan::TransformHook;
use load::transform::Stream;

/// Connections that have exchanged one message each and are idle. They are closed when this is dropped.
#[derive(Debug)]
pub(super) struct Idle {
    address: SocketAddr,
    framing: Framing,
    greets: bool,
    /// The message that each sends, framed.
    message: Vec<u8>,
    transform: Option<TransformHook>,
    connections: Vec<Stream<TcpStream>>,
}

/// How many idle connections to open, and what each sends.
pub(super) struct IdlePlan<'a> {
    pub(super) counts: &'a [usize],
    pub(super) framing: Framing,
    /// Whether the server sends a greeting.
    pub(super) greets: bool,
    /// The message that each exchanges, framed.
    pub(super) message: Vec<u8>,
    /// The layer below the messages.
    pub(super) transform: Option<TransformHook>,
}

/// Measures the memory of a server, which `memory` reads, at each of these counts of idle connections, in ascending
/// order. The connections stay open, so that each count adds to those before it.
///
/// # Errors
/// If the server doesn't accept or answer one of them, or the system doesn't report its memory. What was measured
/// before is in `measured`. `Interrupted` if `is_stopped` returned true.
pub(super) fn memory(
    idle: &mut Idle,
    memory: &dyn Fn() -> Option<u64>,
    counts: &[usize],
    is_stopped: &dyn Fn() -> bool,
    measured: &mut Vec<MemorySample>,
) -> io::Result<()> {
    let unknown = || io::Error::new(ErrorKind::Unsupported, "the system doesn't report its memory");
    for &count in counts {
        while idle.connections.len() < count {
            if is_stopped() {
                return Err(ErrorKind::Interrupted.into());
            }
            idle.add()?;
        }
        let (mut before, mut bytes) = (None, None);
        for _ in 0..READINGS {
            thread::sleep(SETTLE);
            (before, bytes) = (bytes, Some(memory().ok_or_else(unknown)?));
            if before.zip(bytes).is_some_and(|(before, bytes)| before.abs_diff(bytes) <= before / STEADY) {
                break;
            }
        }
        let bytes = bytes.ok_or_else(unknown)?;
        let mut flags = Vec::new();
        if let Some(before) = before.filter(|before| before.abs_diff(bytes) > before / STEADY) {
            let (more, time) = (before.abs_diff(bytes) / 1024, SETTLE.as_millis());
            let changed = if bytes > before { "grew" } else { "shrank" };
            flags.push(format!("its memory still {changed} by {more} KiB in {time} ms"));
        }
        let open = idle.open();
        if open < count {
            flags.push(format!("the server had closed {} of {count} idle connections", count - open));
        }
        measured.push(MemorySample { connections: count, bytes, flags, ..MemorySample::default() });
    }
    Ok(())
}

/// The time in which a server frees what it needed for the last message.
const SETTLE: Duration = Duration::from_millis(100);

/// Memory is read at most this often, until two readings in a row differ by no more than a `STEADY`th. If the last two
/// still differ by more, the sample is flagged.
const READINGS: usize = 4;
const STEADY: u64 = 100;

/// How long a server may take to answer one message. Less than a second, because an interruption has to wait for it.
const TIMEOUT: Duration = Duration::from_millis(900);

/// How many connections use one source address: finding a free port takes long when many are taken.
const PER_SOURCE: usize = 5000;

impl Idle {
    /// No connections yet.
    pub(super) fn new(address: SocketAddr, plan: &IdlePlan<'_>) -> Self {
        let IdlePlan { framing, greets, .. } = *plan;
        let (message, transform) = (plan.message.clone(), plan.transform.clone());
        Self { address, framing, greets, message, transform, connections: Vec::new() }
    }

    /// Opens one more, and exchanges a message on it.
    fn add(&mut self) -> io::Result<()> {
        let socket = connect(self.address, self.connections.len())?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let end = Instant::now() + TIMEOUT;
        let mut stream = Stream::new(socket, self.transform.as_ref(), || match Instant::now() < end {
            true => Ok(()),
            false => Err(io::Error::new(ErrorKind::TimedOut, "the server did not complete the handshake")),
        })?;
        stream.write_all(&self.message)?;

        // The reader may be dropped afterwards: the server sends nothing after this exchange.
        let mut replies = self.framing.replies(&mut stream).to(&self.message);
        for _ in 0..1 + usize::from(self.greets) {
            replies.receive().map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => {
                    io::Error::new(error.kind(), "the server ended an idle connection")
                }
                _ => error,
            })?;
        }
        self.connections.push(stream);
        Ok(())
    }

    /// How many of them the server has not closed.
    fn open(&self) -> usize {
        let is_open = |stream: &&Stream<TcpStream>| {
            let mut socket = stream.socket();
            let is_ready = socket.set_nonblocking(true).is_ok();
            // A server may send something to an idle client, and TLS announces its end. It is not used any more.
            let mut read = || socket.read(&mut [0; 1024]);
            let end = std::iter::repeat_with(&mut read).find(|read| !matches!(read, Ok(1..)));
            is_ready && matches!(end, Some(Err(error)) if error.kind() == ErrorKind::WouldBlock)
        };
        self.connections.iter().filter(is_open).count()
    }
}

/// The source address of a connection; `None` is the default, 127.0.0.1, which is the only one that some servers trust
/// (Redis in protected mode).
fn source(number: usize) -> Option<[u8; 4]> {
    let source = number / PER_SOURCE;
    (source > 0).then_some([127, (source / 250 % 250) as u8, (source % 250) as u8, 1])
}

/// Connects; on Linux from one of several source addresses, since all of 127.0.0.0/8 is local there.
fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(target_os = "linux")
        && address.ip().is_loopback()
        && address.is_ipv4()
        && let Some(source) = source(number)
    {
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0))))?;
    }
    socket.connect_timeout(&SockAddr::from(address), TIMEOUT)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
