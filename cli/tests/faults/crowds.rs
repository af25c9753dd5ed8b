//! Hostile crowds: many clients that take all they can get of a server, beside one that behaves. Each of its requests has
//! to be answered in time, the memory of the server stays within the bound for each client, and in the end every client is
//! accounted for.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::Limits;
use registry::BACKENDS;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::process::BOUND;
use crate::resources::{memory, peak_memory, this_waited_for_a_core, waited_for_a_core};
use crate::server::{Client, Server};

/// What the clients of a crowd do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// They send a byte of a message at a time, and never its end.
    Slowloris,
    /// They send messages a byte at a time, and read the replies.
    ByteWriters,
    /// They send messages without end, and read nothing.
    NeverReaders,
    /// They have messages pushed to them, and read nothing.
    DeafSubscribers,
    /// They send messages without end, and read the replies.
    Hogs,
    /// They connect, and leave at once.
    Storm,
}

/// The clients of a crowd in a normal run, and in a long one.
const SAMPLE: usize = 200;
const ALL: usize = 1000;
/// How many of them are hogs.
const HOGS: usize = 20;
/// How many requests the client that behaves makes.
const REQUESTS: usize = 300;
/// The longest message, in bytes, and so the longest reply: all handlers here reply with a message, or with less.
const MESSAGE: usize = 2048;
/// The most that 99 of 100 requests may take, without what a thread has waited for a core: several times what was measured.
const P99: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 250 });

pub(crate) fn slow_senders(backend: &str) {
    crowd(backend, Kind::Slowloris, SAMPLE);
    crowd(backend, Kind::ByteWriters, SAMPLE);
}

pub(crate) fn never_readers(backend: &str) {
    crowd(backend, Kind::NeverReaders, SAMPLE);
    crowd(backend, Kind::DeafSubscribers, SAMPLE);
}

pub(crate) fn hogs(backend: &str) {
    crowd(backend, Kind::Hogs, HOGS);
}

pub(crate) fn storm(backend: &str) {
    crowd(backend, Kind::Storm, SAMPLE);
}

fn crowd(backend: &str, kind: Kind, count: usize) {
    raise_limit();
    let handler = if kind == Kind::DeafSubscribers { "fanout" } else { "echo" };
    let flags = format!("--backend {backend} --handler {handler} --max-message {MESSAGE}");
    let server = Server::start(&flags);
    let mut client = server.connect();
    let process = server.process.id();
    ask(process, &mut client, handler); // it is served before the others
    let before = memory(process);
    let (over, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut times = thread::scope(|scope| {
        let hostile = scope.spawn(|| disturb(server.address, kind, count, &over, &rounds));
        while rounds.load(Ordering::Relaxed) < 2 && !hostile.is_finished() {
            thread::sleep(Duration::from_millis(1)); // until all of them are there
        }
        let times: Vec<_> = (0..REQUESTS).map(|_| ask(process, &mut client, handler)).collect();
        over.store(true, Ordering::Relaxed);
        hostile.join().unwrap();
        times
    });
    let grown = peak_memory(process).saturating_sub(before);
    let bound = count * memory_bound(backend, kind);
    assert!(grown <= bound as u64, "{backend}: {count} {kind:?}: {grown} bytes are more than {bound}");
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].0;
    let line = format!(
        "| {backend} | {kind:?} | {count} | {REQUESTS} | {:.1?} | {:.1?} | {:.1?} | {} |\n",
        at(50),
        at(99),
        times[times.len() - 1].0,
        grown / 1024
    );
    if let Some(record) = std::env::var_os("ANYLOOP_TEST_RECORD") {
        let file = OpenOptions::new().append(true).create(true).open(record);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
    let mut times: Vec<_> = times.into_iter().map(|(_, of_the_server)| of_the_server).collect();
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    assert!(p99 <= P99, "{backend}: a client that behaves waited for {p99:?}: {line}");
    drop(client);
    let ended = server.stop(); // its receipt adds up
    assert_eq!(ended.code, Some(0), "{backend}: {count} {kind:?}: {}", ended.log);
    let (clients, requests) = (count as u64 + 1, REQUESTS as u64 + 1);
    let of = |name: &str| ended.receipt[name].as_u64().unwrap();
    assert!(
        of("accepted") >= clients && of("messages") >= requests,
        "{backend}: {kind:?}: {}",
        ended.receipt
    );
    let panicked = &ended.receipt["reasons"]["panicked"];
    assert!(of("cut") == 0 && panicked.as_u64().unwrap_or(0) == 0, "{backend}: {kind:?}: {}", ended.receipt);
}

/// The most memory for a client of a crowd, in bytes: that of its limits, with replies as long as they are here.
fn memory_bound(backend: &str, kind: Kind) -> usize {
    let limits = Limits::default().with_max_message(MESSAGE).with_max_reply(MESSAGE);
    let limits = if kind == Kind::DeafSubscribers { limits } else { limits.with_mailbox(0) };
    let backend = BACKENDS.iter().find(|known| known.name() == backend).unwrap();
    limits.memory_bound() + backend.capabilities().read_ahead
}

/// Makes a request. Returns how long its reply took, and how long without what the machine took: the longest time for which
/// a thread of the server could have run and waited for a core, and that of this thread.
fn ask(server: u32, client: &mut Client, handler: &str) -> (Duration, Duration) {
    let message = "m".repeat(if handler == "fanout" { 1500 } else { 20 });
    let (before, own_before) = (waited_for_a_core(server), this_waited_for_a_core());
    let start = Instant::now();
    client.say(&format!("{message}\n"));
    let reply = client.hear();
    let took = start.elapsed();
    assert_eq!(reply, if handler == "fanout" { "ok" } else { &message });
    let since = |(thread, after): (_, Duration)| {
        after.saturating_sub(*before.get(&thread).unwrap_or(&Duration::ZERO))
    };
    let longest = waited_for_a_core(server).into_iter().map(since).max().unwrap_or_default();
    (took, took.saturating_sub(longest + (this_waited_for_a_core() - own_before)))
}

/// Disturbs a server until it is over, in rounds in which each client does something.
fn disturb(server: SocketAddr, kind: Kind, count: usize, over: &AtomicBool, rounds: &AtomicUsize) {
    let pipelined = "hello\n".repeat(1000);
    let mut clients: Vec<(usize, TcpStream)> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        if kind == Kind::Storm {
            clients.clear();
        }
        while clients.len() < count && !over.load(Ordering::Relaxed) {
            clients.push((0, connect(server)));
        }
        clients.retain_mut(|(sent, client)| match kind {
            Kind::Slowloris => goes_on(client.write(b"x")),
            Kind::ByteWriters => {
                let text = b"hello\n";
                *sent = (*sent + 1) % text.len();
                goes_on(client.write(&text[*sent..][..1])) && goes_on(client.read(&mut [0; 64]))
            }
            Kind::NeverReaders => goes_on(client.write(pipelined.as_bytes())),
            Kind::DeafSubscribers if *sent == 0 => {
                *sent = 1;
                goes_on(client.write(b"subscribe\n"))
            }
            Kind::DeafSubscribers | Kind::Storm => true,
            Kind::Hogs => goes_on(client.write(pipelined.as_bytes())) && goes_on(client.read(&mut [0; 8192])),
        });
        rounds.fetch_add(1, Ordering::Relaxed);
        if kind != Kind::Hogs {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether the connection is open.
fn goes_on(result: std::io::Result<usize>) -> bool {
    match result {
        Ok(count) => count > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// A client that doesn't wait for anything, with small buffers in the kernel.
fn connect(server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(8192).unwrap();
    socket.connect_timeout(&SockAddr::from(server), BOUND).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

/// Lets this process have as many open files as it may.
pub(crate) fn raise_limit() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    });
}

/// All of a crowd, on the backends that wait for events.
macro_rules! all {
    ($($test:ident $kind:ident)*) => {
        $(
            #[test]
            #[ignore = "takes seconds: run by `.ci/full`, or with `--include-ignored`"]
            fn $test() {
                for backend in ["epoll", "uring", "tokio", "smol", "async-std", "pool"] {
                    crowd(backend, Kind::$kind, if Kind::$kind == Kind::Hogs { HOGS } else { ALL });
                }
            }
        )*
    };
}

all! {
    a_thousand_slow_senders Slowloris
    a_thousand_byte_writers ByteWriters
    a_thousand_never_readers NeverReaders
    a_thousand_deaf_subscribers DeafSubscribers
    twenty_hogs Hogs
    a_storm_of_a_thousand Storm
}
