//! The servers that one writes by hand, to measure anyloop's backends against.
//!
//! Each answers a line with the same line, and is what a good engineer writes for that on one runtime,
//! without anyloop: *plain*, as the runtime's own examples have it, or *careful*, with the replies to all that
//! has arrived in one write. The *floor* moves bytes and looks at none.
//!
//! What they all lack is what a server needs beside: a limit on connections, on the length of a line, on what
//! is held for a client that doesn't read; deadlines; a drain. So what a backend costs more than its careful
//! server is the price of these.

#[cfg(feature = "async-std")]
mod async_std_tasks;
#[cfg(target_os = "linux")]
mod epoll_loops;
#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
mod line_client;
#[cfg(target_os = "linux")]
mod rayon_pool;
mod sequential;
mod smol_tasks;
mod threads;
mod tokio_tasks;
#[cfg(target_os = "linux")]
mod uring;

use std::io;
use std::net::TcpListener;

/// A server that was written by hand.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its name.
    pub name: &'static str,
    /// How it works, in a few words.
    pub model: &'static str,
    /// The backend whose counterpart it is; none if it is everybody's.
    pub backend: Option<&'static str>,
    /// How much care was taken.
    pub kind: Kind,
    /// How many clients it serves at a time; `None` is any number.
    pub max_connections: Option<usize>,
    /// Serves on so many workers, where it has workers, until the process ends; it returns only to say why it
    /// can't. What goes wrong with a client ends that client alone.
    pub serve: fn(TcpListener, usize) -> io::Result<()>,
}

/// How much care was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As the examples have it: a write for each line, on a socket as it comes. So the kernel gathers small
    /// writes while earlier ones are unacknowledged (`TCP_NODELAY` is for those who know of it).
    Plain,
    /// The replies to all that has arrived in one write, which goes out at once.
    Careful,
    /// Bytes are sent back, and nothing is looked at.
    Floor,
}

impl Server {
    /// Whether this system can run it.
    pub fn is_supported(&self) -> bool {
        #[cfg(target_os = "linux")]
        if self.backend == Some("uring") {
            return uring::is_supported();
        }
        true
    }
}

/// The server of this name.
pub fn find(name: &str) -> Option<&'static Server> {
    SERVERS.iter().find(|server| server.name == name)
}

/// All of them.
pub static SERVERS: &[Server] = &[
    #[cfg(target_os = "linux")]
    Server {
        name: "floor",
        model: "a bare poller for each worker, which sends back what it received",
        backend: None,
        kind: Kind::Floor,
        max_connections: None,
        serve: floor::serve,
    },
    Server {
        max_connections: Some(1),
        ..plain("sequential-plain", "sequential", "one client at a time", sequential::plain)
    },
    plain("threads-plain", "threads", "a thread for each connection", threads::plain),
    careful("threads-careful", "threads", "a thread for each connection, batched writes", threads::careful),
    #[cfg(target_os = "linux")]
    careful(
        "pool-careful",
        "pool",
        "a rayon pool at one poller, edge-triggered, batched writes",
        rayon_pool::careful,
    ),
    #[cfg(feature = "async-std")]
    plain("async-std-plain", "async-std", "a task for each connection", async_std_tasks::plain),
    #[cfg(feature = "async-std")]
    careful(
        "async-std-careful",
        "async-std",
        "a task for each connection, batched writes",
        async_std_tasks::careful,
    ),
    plain("smol-plain", "smol", "a task for each connection", smol_tasks::plain),
    careful("smol-careful", "smol", "a task for each connection, batched writes", smol_tasks::careful),
    plain("tokio-framed", "tokio", "a task for each connection, Framed with LinesCodec", tokio_tasks::framed),
    careful("tokio-careful", "tokio", "a task for each connection, batched writes", tokio_tasks::careful),
    #[cfg(target_os = "linux")]
    careful("epoll-careful", "epoll", "a bare poller for each worker, batched writes", epoll_loops::careful),
    #[cfg(target_os = "linux")]
    careful(
        "uring-raw",
        "uring",
        "an io_uring for each worker, which sends back what it received",
        uring::raw,
    ),
];

type Serve = fn(TcpListener, usize) -> io::Result<()>;

const fn plain(name: &'static str, backend: &'static str, model: &'static str, serve: Serve) -> Server {
    Server { name, model, backend: Some(backend), kind: Kind::Plain, max_connections: None, serve }
}

const fn careful(name: &'static str, backend: &'static str, model: &'static str, serve: Serve) -> Server {
    Server { kind: Kind::Careful, ..plain(name, backend, model, serve) }
}

/// The service: a line is answered with itself. `line` may have its end, and may lack it at the end of input.
fn answer(line: &[u8], replies: &mut Vec<u8>) {
    let message = line.strip_suffix(b"\n").unwrap_or(line);
    replies.extend_from_slice(message.strip_suffix(b"\r").unwrap_or(message));
    replies.push(b'\n');
}

/// Whether more can be answered before anything more must be read.
fn has_line(buffered: &[u8]) -> bool {
    memchr::memchr(b'\n', buffered).is_some()
}
