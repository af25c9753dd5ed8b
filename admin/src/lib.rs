//! Metrics and health checks of an anyloop server, over HTTP.
//!
//! [`start`] serves them on a listener of their own, on a thread for each of at most [`MAX_CONNECTIONS`] connections:
//!
//! | path | response |
//! | --- | --- |
//! | `/metrics` | the [metrics](Metrics), in OpenMetrics, or in Prometheus' text format if only that is accepted |
//! | `/healthz` | 200 while the process serves |
//! | `/readyz` | 200 if a load balancer should send the server more clients, otherwise 503 with the [reason](serving::NotReady) |
//! | `/` | these paths |
//!
//! The metrics are read at a scrape, from what the server has published last: at most 250 ms ago. So they cost nothing while a
//! message is served, a scrape doesn't depend on how many clients are connected, and neither waits for the other.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::sync::Arc;
//!
//! use anyloop::handlers::Echo;
//! use anyloop::{Framing, Service, admin};
//!
//! # fn main() -> std::io::Result<()> {
//! let service = Service::framed(Arc::new(Echo), Framing::Line);
//! let running = anyloop::start(anyloop::Threads, TcpListener::bind("127.0.0.1:0")?, service)?;
//! let admin = admin::start(TcpListener::bind("127.0.0.1:0")?, running.monitor())?;
//!
//! let mut scrape = TcpStream::connect(admin.address())?;
//! scrape.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
//! let mut response = String::new();
//! scrape.read_to_string(&mut response)?;
//! assert!(response.contains("\nanyloop_open_connections 0\n"));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod http;
mod metrics;
#[cfg(target_os = "linux")]
mod process;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use backend_threads::Threads;
use common::{Limits, Overload, Service};
use prometheus_client::registry::Registry;
use serving::{Listener, Monitor, Running, SERVER_DESCRIPTORS};

use crate::http::Http;

pub use metrics::{Metrics, registry};
pub use prometheus_client;

/// The most connections at once. Further ones wait until another one ends.
pub const MAX_CONNECTIONS: usize = 32;

/// The most descriptors that are open for it at once, with its listener.
pub const DESCRIPTORS: usize = SERVER_DESCRIPTORS + MAX_CONNECTIONS + 1;

/// The longest request, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// The longest response, in bytes, which bounds what a program adds to the registry.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;

/// An idle connection keeps its place for this long: less than the interval between two scrapes, since who
/// scrapes can connect again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time from the first byte of a request to its last, and without progress in sending the response.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The stack of a connection's thread, in bytes.
const STACK_SIZE: NonZeroUsize = NonZeroUsize::new(256 * 1024).unwrap();

/// Serves the metrics and health checks of an observed server on this listener, until the returned `Running` is dropped. It
/// may serve on after the observed server has ended.
///
/// It runs on the backend `Threads`, whose threads are woken by `SIGURG`, so a program must not block this signal. It has neither
/// encryption nor authentication: listen on a loopback address, a Unix socket, or a network that is trusted.
///
/// # Errors
/// Those of [`serving::start`].
pub fn start(listener: impl Into<Listener>, monitor: Monitor) -> io::Result<Running> {
    start_with_registry(listener, registry(&monitor), monitor)
}

/// Like [`start`], with a [`registry`] to which metrics of the program's own were added, or with another one.
///
/// # Errors
/// Those of [`serving::start`].
pub fn start_with_registry(
    listener: impl Into<Listener>,
    registry: Registry,
    monitor: Monitor,
) -> io::Result<Running> {
    serving::start(Threads, listener, service(Http::new(registry, monitor)))
}

fn service(http: Http) -> Service {
    let limits = Limits::default()
        .with_max_connections(MAX_CONNECTIONS)
        .with_overload(Overload::Queue)
        .with_max_message(MAX_REQUEST)
        .with_max_reply(MAX_RESPONSE)
        .with_idle_timeout(IDLE_TIMEOUT)
        .with_message_timeout(TIMEOUT)
        .with_write_timeout(TIMEOUT);
    Service::new(Arc::new(http)).with_limits(limits).with_stack_size(STACK_SIZE)
}
