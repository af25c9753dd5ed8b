//! A server that pushes each message to its subscribers, with a fault that a test injects.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use common::Address;
use socket2::Socket;

use super::super::transport::{Place, listen};

/// A server with a thread per connection, which ends with the test. It replies `ok` to each line. A connection that says
/// `subscribe` is pushed the lines of all others from then on.
pub(crate) struct Fanout {
    place: Place,
}

/// The fault: a function that is called for each push with the subscriber and the line, and writes what is pushed.
type Fault = dyn Fn(&mut Subscriber, &[u8]) + Send + Sync;

/// The reply to a line. An error leaves it unpushed.
type Reply = dyn Fn(&[u8]) -> String + Send + Sync;

/// A subscriber of the server.
pub(crate) struct Subscriber {
    socket: Socket,
    number: usize,
    count: u64,
    held: Vec<u8>,
}

struct Service {
    greeting: &'static str,
    word: &'static str,
    reply: Box<Reply>,
    fault: Box<Fault>,
    subscribers: Mutex<Vec<Subscriber>>,
}

impl Fanout {
    /// A server without a fault.
    pub(crate) fn good() -> Self {
        Self::pushing(Subscriber::push)
    }

    /// A server that calls a function with each push, in place of pushing it.
    pub(crate) fn pushing(fault: impl Fn(&mut Subscriber, &[u8]) + Send + Sync + 'static) -> Self {
        Self::replying(|_| "ok".to_owned(), fault)
    }

    /// The same with these replies.
    pub(crate) fn replying(
        reply: impl Fn(&[u8]) -> String + Send + Sync + 'static,
        fault: impl Fn(&mut Subscriber, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        Self::serve("", "subscribe", reply, fault)
    }

    /// The same with a greeting, and another word to subscribe.
    pub(crate) fn serve(
        greeting: &'static str,
        word: &'static str,
        reply: impl Fn(&[u8]) -> String + Send + Sync + 'static,
        fault: impl Fn(&mut Subscriber, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        let (listener, place) = listen();
        let (reply, fault) = (Box::new(reply), Box::new(fault));
        let service = Arc::new(Service { greeting, word, reply, fault, subscribers: Mutex::default() });
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let service = Arc::clone(&service);
                thread::spawn(move || service.converse(socket));
            }
        });
        Self { place }
    }

    pub(crate) fn address(&self) -> Address {
        self.place.0.clone()
    }
}

impl Subscriber {
    /// Which subscriber it is, from 0.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Which push it is, from 1.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Pushes a line.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let _ = self.socket.write_all(&[line, b"\n"].concat()); // it may be gone
    }

    /// Keeps a line, and returns the one that was kept.
    pub(crate) fn hold(&mut self, line: &[u8]) -> Vec<u8> {
        std::mem::replace(&mut self.held, line.to_vec())
    }

    /// Ends the connection.
    pub(crate) fn end(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both); // it may be gone
    }
}

impl Service {
    fn subscribers(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.subscribers.lock().expect("nobody panics")
    }

    fn converse(&self, socket: Socket) {
        let _ = socket.set_tcp_nodelay(true); // a Unix socket has no such thing
        let Ok(mut replies) = socket.try_clone() else { return };
        let _ = replies.write_all(self.greeting.as_bytes());
        for line in BufReader::new(socket).split(b'\n').map_while(Result::ok) {
            let said = (self.reply)(&line);
            if line == self.word.as_bytes() {
                let mut subscribers = self.subscribers();
                let _ = replies.write_all(format!("{said}\n").as_bytes());
                let Ok(socket) = replies.try_clone() else { return };
                let number = subscribers.len();
                subscribers.push(Subscriber { socket, number, count: 0, held: Vec::new() });
                continue;
            }
            if !said.starts_with("ERR ") {
                for subscriber in &mut *self.subscribers() {
                    subscriber.count += 1;
                    (self.fault)(subscriber, &line);
                }
            }
            if replies.write_all(format!("{said}\n").as_bytes()).is_err() {
                break;
            }
        }
        let _ = replies.shutdown(Shutdown::Both); // a subscriber's socket stays open otherwise
    }
}
