//! Step 8: a handler that computes on a thread of its own, and answers later.

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier};
use std::thread;

use anyloop::{Client, Epoll, Flow, Framing, Handler, Replies, Service, Session};

use crate::{connect, expect, say};

/// Computes each message that is not `hello` on a thread of its own. A client's next message is read when this one is
/// answered, so it has one such thread at most.
struct Computes<F>(Arc<F>);

impl<F: Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static> Handler for Computes<F> {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl<F: Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static> Session for Computes<F> {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if message == b"hello" {
            out.send(message);
            return Flow::Continue;
        }
        let (compute, message, later) = (Arc::clone(&self.0), message.to_vec(), out.later());
        thread::spawn(move || {
            let _ = later.send(compute(message)); // fails if the client has left
        });
        Flow::Continue
    }
}

#[test]
fn a_computation_delays_nobody() {
    let goes_on = Arc::new(Barrier::new(2));
    let waits = Arc::clone(&goes_on);
    let computes = Computes(Arc::new(move |message| {
        waits.wait();
        message
    }));
    let service = Service::framed(Arc::new(computes), Framing::Line).with_workers(NonZeroUsize::new(1));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let running = anyloop::start(Epoll, listener, service).expect("a server");

    let (busy, other) = (connect(address), connect(address));
    say(&busy, "compute\nhello\n");
    say(&other, "hello\n");
    expect(&other, "hello\n"); // though the computation has not ended
    goes_on.wait();
    expect(&busy, "compute\nhello\n");
    drop((busy, other));
    running.stop();
    running.wait().expect("it ends");
}
