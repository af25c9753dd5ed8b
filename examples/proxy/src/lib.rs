//! A proxy: it passes each line of its many clients to an upstream server, over few connections.
//!
//! ```sh
//! cargo run --release -p anyloop-cli -- serve --handler echo --listen 127.0.0.1:9999
//! cargo run --release -p anyloop-example-proxy -- serve --upstream 127.0.0.1:9999
//! cargo run --release -p anyloop-example-proxy -- client 127.0.0.1:8888
//! ```
//!
//! The upstream server answers each line with one line, and sends no greeting. Each of the connections to it has a thread of
//! its own, so that waiting for it delays nobody else, on any backend. A message is sent at most once: if the reply to it is
//! lost, the client gets an error, and decides whether to send it again.
//!
//! | error | meaning |
//! | --- | --- |
//! | `ERR upstream busy` | too many messages wait for a connection |
//! | `ERR upstream down` | it can't be connected to |
//! | `ERR upstream lost` | it has ended the connection before its reply |
//! | `ERR upstream timeout` | it has not replied in time |
//! | `ERR upstream reply-too-long` | its reply is longer than [`MAX_REPLY`] |
//! | `ERR line-end` | the message is no single line |
//!
//! After each of them the conversation goes on, and the next message is sent over a new connection if necessary. A message
//! that waits longer than `--answer-timeout` ends its conversation.

#![forbid(unsafe_code)]

mod connection;
mod pool;
#[cfg(test)]
mod tests;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyloop::{Client, Flow, Handler, Replies, Session};

pub use connection::MAX_REPLY;
use pool::Pool;

/// The upstream server, and how it is used.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The host name or IP address, and the port: `db.example:7000`. A name is looked up for each connection.
    pub address: String,
    /// The number of connections to it, and of threads.
    pub connections: NonZeroUsize,
    /// The maximum number of messages that wait for one of the connections.
    pub waiting: NonZeroUsize,
    /// How long a connection may take to be made, and how long a reply may take.
    pub timeout: Duration,
}

impl Upstream {
    /// 8 connections, for which 1000 messages may wait, and a timeout of 5 seconds.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            connections: NonZeroUsize::new(8).expect("it is not zero"),
            waiting: NonZeroUsize::new(1000).expect("it is not zero"),
            timeout: Duration::from_secs(5),
        }
    }
}

/// A proxy. Its threads end when it and its sessions are dropped.
#[derive(Debug)]
pub struct Proxy(Arc<Pool>);

impl Proxy {
    /// Starts the threads. They connect when there are messages, so the upstream server may be started later.
    ///
    /// # Errors
    /// If a thread can't be started.
    pub fn start(upstream: Upstream) -> io::Result<Self> {
        Ok(Self(Arc::new(Pool::start(upstream)?)))
    }
}

impl Handler for Proxy {
    fn open(&self, client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Passing { pool: Arc::clone(&self.0), framed: client.framed })
    }
}

/// The session of a client.
struct Passing {
    pool: Arc<Pool>,
    /// Whether messages have no line ends.
    framed: bool,
}

impl Session for Passing {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        let line = if self.framed { message } else { message.trim_ascii_end() };
        if line.contains(&b'\n') {
            out.reject("line-end: a message is one line, without a line feed in it");
        } else {
            self.pool.ask(line, out.later());
        }
        Flow::Continue
    }
}
