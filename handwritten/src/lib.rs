//! Handwritten echo servers with which anyloop's backends are compared.
//!
//! Each answers a line with the same line, as a good engineer would write it on one runtime without anyloop: *plain*,
//! as in the runtime's own examples, or *careful*, with one write for the replies to all lines that have arrived. The
//! *raw* loops send bytes back without parsing them. One careful server speaks TLS, for which it needs a [`Certificate`].
//!
//! They all lack features of a production server: limits on connections, on the length of a line and on the memory for
//! a client that doesn't read; deadlines; a drain. The difference between a backend and its careful server is the cost
//! of these.

#[cfg(feature = "async-std")]
mod async_std_tasks;
mod certificate;
#[cfg(target_os = "linux")]
mod epoll_loops;
#[cfg(target_os = "linux")]
mod line_client;
#[cfg(target_os = "linux")]
mod poll_loops;
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

pub use certificate::Certificate;

/// A handwritten server.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its name.
    pub name: &'static str,
    /// How it works, in a few words.
    pub model: &'static str,
    /// The backend whose counterpart it is; `None` if it is the counterpart of all, over TLS if it speaks that.
    pub backend: Option<&'static str>,
    /// How it is written.
    pub kind: Kind,
    /// How many clients it serves at a time; `None` if there is no limit.
    pub max_connections: Option<usize>,
    /// How it is run.
    pub serve: Serve,
}

/// A function that serves on this many workers, if the server has workers, until the process ends. It returns only with
/// an error. An error of a client ends that client only.
#[derive(Clone, Copy, Debug)]
pub enum Serve {
    /// It serves over TCP.
    Tcp(fn(TcpListener, usize) -> io::Result<()>),
    /// It serves over TLS, with this certificate.
    Tls(fn(TcpListener, usize, Certificate) -> io::Result<()>),
}

/// How a server is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As in examples: a write for each line, and default socket options. So the kernel delays small writes while
    /// earlier ones are unacknowledged (`TCP_NODELAY` is not set).
    Plain,
    /// One write for the replies to all lines that have arrived, with `TCP_NODELAY`.
    Careful,
    /// Sends bytes back without parsing them.
    Raw,
}

impl Server {
    /// Whether it speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        matches!(self.serve, Serve::Tls(_))
    }

    /// Whether this system supports it.
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
        name: "poll-raw",
        model: "a bare poller for each worker, which sends back what it received",
        backend: None,
        kind: Kind::Raw,
        max_connections: None,
        serve: Serve::Tcp(poll_loops::raw),
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
    Server {
        name: "tokio-tls",
        model: "a task for each connection, TLS by tokio-rustls, batched writes",
        backend: None,
        kind: Kind::Careful,
        max_connections: None,
        serve: Serve::Tls(tokio_tasks::tls),
    },
];

type ServeTcp = fn(TcpListener, usize) -> io::Result<()>;

const fn plain(name: &'static str, backend: &'static str, model: &'static str, serve: ServeTcp) -> Server {
    let serve = Serve::Tcp(serve);
    Server { name, model, backend: Some(backend), kind: Kind::Plain, max_connections: None, serve }
}

const fn careful(name: &'static str, backend: &'static str, model: &'static str, serve: ServeTcp) -> Server {
    Server { kind: Kind::Careful, ..plain(name, backend, model, serve) }
}

/// The service: a line is answered with itself. `line` includes its line end, which may be missing at the end of input.
fn answer(line: &[u8], replies: &mut Vec<u8>) {
    let message = line.strip_suffix(b"\n").unwrap_or(line);
    replies.extend_from_slice(message.strip_suffix(b"\r").unwrap_or(message));
    replies.push(b'\n');
}

/// Whether the buffer contains another complete line.
fn has_line(buffered: &[u8]) -> bool {
    memchr::memchr(b'\n', buffered).is_some()
}
