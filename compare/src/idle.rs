//! How much memory a server needs for connections that say nothing.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::MemorySample;
use load::framing::Framing;

/// Connections that have exchanged one message each, and say nothing any more. They are closed when this is
/// dropped.
#[derive(Debug)]
pub(super) struct Idle {
    address: SocketAddr,
    framing: Framing,
    greets: bool,
    /// What each sends.
    message: Vec<u8>,
    connections: Vec<TcpStream>,
}

/// The idle connections with which memory is measured.
pub(super) struct Ladder<'a> {
    pub(super) counts: &'a [usize],
    pub(super) framing: Framing,
    /// Whether the server says something first.
    pub(super) greets: bool,
    /// The message that each exchanges, as it is sent.
    pub(super) message: Vec<u8>,
}

/// The memory of a server, which `memory` tells, with each of these counts of idle connections, from the fewest to the
/// most. The same process holds them all: what the next ones cost is seen on top of those before.
///
/// # Errors
/// If the server doesn't take or answer one of them, or the system doesn't tell its memory. What was measured
/// before is in `measured`. `Interrupted` if `is_stopped` said so.
pub(super) fn memory(
    idle: &mut Idle,
    memory: &dyn Fn() -> Option<u64>,
    counts: &[usize],
    is_stopped: &dyn Fn() -> bool,
    measured: &mut Vec<MemorySample>,
) -> io::Result<()> {
    let unknown = || io::Error::new(ErrorKind::Unsupported, "the system doesn't tell its memory");
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

/// In this time a server puts away what it needed for the last message.
const SETTLE: Duration = Duration::from_millis(100);

/// How often its memory is read until it is steady: until it changes by less than this part of it from one reading to the
/// next. What changes still is flagged.
const READINGS: usize = 4;
const STEADY: u64 = 100;

/// How long a server may take to answer one message. More than a second would be felt at an interruption.
const PATIENCE: Duration = Duration::from_millis(900);

/// How many connections come from one address: the system looks long for a free port where many are taken.
const PER_SOURCE: usize = 5000;

impl Idle {
    /// None yet.
    pub(super) fn new(address: SocketAddr, ladder: &Ladder<'_>) -> Self {
        let Ladder { framing, greets, .. } = *ladder;
        Self { address, framing, greets, message: ladder.message.clone(), connections: Vec::new() }
    }

    /// Makes one more, and exchanges a message on it.
    fn add(&mut self) -> io::Result<()> {
        let mut stream = connect(self.address, self.connections.len())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&self.message)?;

        // They end with this one exchange: the server says nothing after it.
        let mut replies = self.framing.replies(&stream).to(&self.message);
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
        let is_open = |stream: &&TcpStream| {
            let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
            // A server may say something to who is idle.
            peeked.map_or_else(|error| error.kind() == ErrorKind::WouldBlock, |length| length > 0)
        };
        self.connections.iter().filter(is_open).count()
    }
}

/// The address from which a connection comes; `None` is the usual one, the only one that some servers trust, as Redis
/// does in its protected mode.
fn source(number: usize) -> Option<[u8; 4]> {
    let source = number / PER_SOURCE;
    (source > 0).then_some([127, (source / 250 % 250) as u8, (source % 250) as u8, 1])
}

/// Connects, on Linux from one of several source addresses: it has the whole of 127.0.0.0/8 as its own.
fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if cfg!(target_os = "linux")
        && address.ip().is_loopback()
        && address.is_ipv4()
        && let Some(source) = source(number)
    {
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0))))?;
    }
    socket.connect_timeout(&SockAddr::from(address), PATIENCE)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

    fn idle(address: SocketAddr, greets: bool) -> Idle {
        let message = b"hello\n".to_vec();
        Idle::new(address, &Ladder { counts: &[], framing: Framing::Line, greets, message })
    }

    /// A server that greets, answers one line on each connection, and keeps it open. Tells from where they came.
    fn serve(greeting: &'static str, count: usize) -> (SocketAddr, thread::JoinHandle<Vec<SocketAddr>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut held = Vec::new();
            for _ in 0..count {
                let (mut stream, from) = listener.accept().unwrap();
                stream.write_all(greeting.as_bytes()).unwrap();
                BufReader::new(&stream).skip_until(b'\n').unwrap();
                stream.write_all(b"reply\n").unwrap();
                held.push((stream, from));
            }
            held.into_iter().map(|(_, from)| from).collect()
        });
        (address, server)
    }

    #[test]
    fn each_exchanges_a_message() {
        for (greeting, greets) in [("", false), ("Hello World!\n", true)] {
            let (address, server) = serve(greeting, 3);
            let mut idle = idle(address, greets);
            for _ in 0..3 {
                idle.add().unwrap();
            }
            assert_eq!(idle.connections.len(), 3);
            assert_eq!(server.join().unwrap().len(), 3);
        }
    }

    /// What is measured with these counts, where the memory is what `bytes` says, one reading after the other.
    fn measured(idle: &mut Idle, counts: &[usize], bytes: &dyn Fn(u64) -> u64) -> Vec<MemorySample> {
        let (readings, mut measured) = (Cell::new(0), Vec::new());
        let read = || {
            readings.set(readings.get() + 1);
            Some(bytes(readings.get()))
        };
        memory(idle, &read, counts, &|| false, &mut measured).unwrap();
        measured
    }

    #[test]
    fn memory_is_measured_at_each_count() {
        let (address, server) = serve("", 1002);
        let mut idle = idle(address, false);
        let measured = measured(&mut idle, &[0, 2, 1002], &|reading| 7_000_000 + reading);
        let readings: Vec<_> = measured.iter().map(|sample| (sample.connections, sample.bytes)).collect();
        assert_eq!(readings, [(0, 7_000_002), (2, 7_000_004), (1002, 7_000_006)], "it is read twice");
        // The server closes them when it has had all.
        assert_eq!(server.join().unwrap().len(), 1002);
    }

    #[test]
    fn what_is_doubtful_is_flagged() {
        let mut idle = idle("127.0.0.1:9".parse().unwrap(), false);
        let growing = measured(&mut idle, &[0], &|reading| reading << 20);
        assert_eq!(growing[0].flags, ["its memory still grew by 1024 KiB in 100 ms"]);
        let settling = measured(&mut idle, &[0], &|reading| if reading == 1 { 9 << 20 } else { 8 << 20 });
        assert_eq!((settling[0].bytes, settling[0].flags.len()), (8 << 20, 0));

        let (address, server) = serve("", 3);
        let mut idle = self::idle(address, false);
        (0..3).for_each(|_| idle.add().unwrap());
        server.join().unwrap();
        let left = measured(&mut idle, &[3], &|_| 1 << 20);
        assert_eq!(left[0].flags, ["the server had closed 3 of 3 idle connections"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn many_come_from_several_addresses() {
        assert_eq!(source(PER_SOURCE - 1), None);
        assert_eq!(source(PER_SOURCE), Some([127, 0, 1, 1]));
        let (address, server) = serve("", 1);
        let mut connection = connect(address, PER_SOURCE).unwrap();
        connection.write_all(b"hello\n").unwrap();
        let from = server.join().unwrap();
        assert_eq!(from[0].ip(), std::net::IpAddr::from([127, 0, 1, 1]));
    }

    #[test]
    fn a_server_that_hangs_up_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || drop(listener.accept()));
        assert!(idle(address, false).add().is_err());
        server.join().unwrap();
    }

    #[test]
    fn it_stops_when_told() {
        let mut idle = idle("127.0.0.1:9".parse().unwrap(), false);
        let mut measured = Vec::new();
        let error = memory(&mut idle, &|| None, &[5], &|| true, &mut measured).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(measured, []);
    }
}
