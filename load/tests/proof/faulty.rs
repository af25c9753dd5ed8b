//! An echo server for lines, with a fault that a test injects.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::Address;
use socket2::Socket;

use super::transport::{Place, listen};

/// A server that echoes lines, but for what a test tells it to do wrong. It has a thread for each connection,
/// An echo server for lines, with a fault that a test injects. It has a thread per connection, and ends with the test.
pub(crate) struct Faulty {
    place: Place,
    connections: Arc<AtomicUsize>,
}

/// The fault: a function that is called with each line before it is echoed.
type Fault = dyn Fn(&mut Replies, &[u8]) + Send + Sync;

/// Writes to a connection.
pub(crate) struct Replies {
    socket: Socket,
    count: u64,
    skip: bool,
    held: Option<Vec<u8>>,
}

impl Faulty {
    /// A server without a fault.
    pub(crate) fn good() -> Self {
        Self::each_connection(|_, _| ())
    }

    /// A server that calls a function with each line before it is echoed.
    pub(crate) fn each_connection(fault: impl Fn(&mut Replies, &[u8]) + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(fault))
    }

    /// A server that sends a greeting.
    pub(crate) fn greeting(
        greeting: &'static str,
        fault: impl Fn(&mut Replies, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(greeting), Arc::new(fault))
    }

    fn serve(greeting: Option<&'static str>, fault: Arc<Fault>) -> Self {
        let (listener, place) = listen();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                counted.fetch_add(1, Ordering::SeqCst);
                let fault = Arc::clone(&fault);
                thread::spawn(move || converse(socket, greeting, &*fault));
            }
        });
        Self { place, connections }
    }

    pub(crate) fn address(&self) -> Address {
        self.place.0.clone()
    }

    /// How many clients have come so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Replies {
    /// Which line it is, from 1.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Says a line.
    pub(crate) fn say(&mut self, line: &[u8]) {
        let _ = self.socket.write_all(&[line, b"\n"].concat());
    }

    /// Says a part of a line.
    pub(crate) fn say_part(&mut self, part: &[u8]) {
        let _ = self.socket.write_all(part);
    }

    /// Does not echo this line.
    pub(crate) fn skip(&mut self) {
        self.skip = true;
    }

    /// Echoes this line after the next.
    pub(crate) fn hold(&mut self, line: &[u8]) {
        self.held = Some(line.to_vec());
        self.skip = true;
    }

    /// Ends the connection.
    pub(crate) fn end(&mut self) {
        self.skip = true;
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn converse(socket: Socket, greeting: Option<&str>, fault: &Fault) {
    let _ = socket.set_tcp_nodelay(true); // a Unix socket has no such thing
    let Ok(reading) = socket.try_clone() else { return };
    let mut replies = Replies { socket, count: 0, skip: false, held: None };
    if let Some(greeting) = greeting {
        replies.say(greeting.as_bytes());
    }
    for line in BufReader::new(reading).split(b'\n').map_while(Result::ok) {
        replies.count += 1;
        replies.skip = false;
        let held = replies.held.take();
        fault(&mut replies, &line);
        if !replies.skip {
            replies.say(&line);
        }
        if let Some(held) = held {
            replies.say(&held);
        }
    }
}
