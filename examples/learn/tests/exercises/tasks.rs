//! Step 9: a message that waits for one of another client, as a task on smol and on tokio.

use std::future::Future;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyloop::{Backend, Client, Flow, Framing, Handler, Replies, Service, Session, Smol, Tokio};
use smol::channel::{Receiver, Sender, unbounded};

use crate::{connect, expect, say};

/// Answers `take` with the next text that any client gives by `give TEXT`.
#[derive(Clone)]
struct Exchange<S> {
    given: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    /// All that differs between the runtimes.
    spawn: S,
}

impl<S: Fn(Task) + Clone + Send + Sync + 'static> Handler for Exchange<S> {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(self.clone())
    }
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl<S: Fn(Task) + Clone + Send + Sync + 'static> Session for Exchange<S> {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        if let Some(text) = message.strip_prefix(b"give ") {
            let _ = self.given.0.try_send(text.to_vec()); // the channel is open as long as a session is
            out.send(b"given");
        } else {
            let (given, later) = (self.given.1.clone(), out.later());
            (self.spawn)(Box::pin(async move {
                // The task gives its thread back here, until there is a text.
                if let Ok(text) = given.recv().await {
                    let _ = later.send(text); // fails if the client has left
                }
            }));
        }
        Flow::Continue
    }
}

/// Has one worker serve a client that waits and another one that ends the wait.
fn exchange(backend: impl Backend + 'static, spawn: impl Fn(Task) + Clone + Send + Sync + 'static) {
    let handler = Arc::new(Exchange { given: unbounded(), spawn });
    let service = Service::framed(handler, Framing::Line).with_workers(NonZeroUsize::new(1));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let running = anyloop::start(backend, listener, service).expect("a server");
    let (first, second) = (connect(address), connect(address));
    say(&first, "take\n");
    say(&second, "give bread\n");
    expect(&second, "given\n");
    expect(&first, "bread\n");
    drop((first, second));
    running.stop();
    running.wait().expect("it ends");
}

#[test]
fn on_smol() {
    exchange(Smol, |task| Smol::spawn(task).detach());
}

#[test]
fn on_tokio() {
    exchange(Tokio, |task| drop(tokio::spawn(task)));
}
