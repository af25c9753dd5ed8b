//! A thread for each connection: the model that most servers begin with, and the one whose code reads like
//! the conversation itself. A thread that waits for its client is blocked in the kernel.
//!
//! Choose it for handlers that block, and for up to a few thousand clients. Each costs a stack, of which
//! some 12 KiB are touched, and each message a switch of threads.

mod limit;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use common::{
    Accepting, Acceptor, Admission, Backend, Bell, BlockingHandlers, Buffers, Capabilities, Conversation,
    Interrupt, Report, Server, Service, Stop, Workers, blocking,
};

/// A thread for each connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

/// The stack of a connection's thread, in bytes, unless the service asks for another. The built-in handlers
/// were seen to run on half of it in a release build, and pages that are not touched cost nothing.
const STACK_SIZE: usize = 128 * 1024;

/// What a thread reads at once, in bytes: a page. It stays with the thread while that waits.
const READ: usize = 4096;

impl Backend for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "a thread for each connection",
            max_connections: Some(limit::max_threads()),
            workers: Workers::PerConnection,
            blocking_handlers: BlockingHandlers::OwnThread,
            legacy: None,
        }
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let stack_size = service.stack_size.map_or(STACK_SIZE, Into::into);
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        server.close(accept(listener, acceptor, stack_size))
    }
}

/// Gives each client a thread, until the server stops.
fn accept(listener: TcpListener, mut acceptor: Acceptor, stack_size: usize) -> io::Result<()> {
    let bell = Bell::new()?;
    acceptor.register(&bell.waker());
    loop {
        match acceptor.what_now() {
            Accepting::Accept => match acceptor.admit(listener.accept()) {
                Admission::Client(socket, conversation) => spawn(Client { socket, conversation }, stack_size),
                Admission::None => {}
                Admission::Nobody => bell.wait_readable(&listener)?,
            },
            Accepting::Wait => bell.wait()?,
            Accepting::Stopped => return acceptor.close(),
        }
    }
}

struct Client {
    socket: TcpStream,
    conversation: Conversation,
}

/// Starts the thread of a client. Where the system has none left, that client is refused.
fn spawn(client: Client, stack_size: usize) {
    let thread = thread::Builder::new().name("client".into()).stack_size(stack_size);
    // A failed spawn drops its closure: what the thread is to take with it is left for it to fetch.
    let handover = Arc::new(Mutex::new(Some(client)));
    let fetched = Arc::clone(&handover);
    let fetch =
        |handover: &Mutex<Option<Client>>| handover.lock().unwrap_or_else(PoisonError::into_inner).take();
    let spawned = thread.spawn(move || {
        let client = fetch(&fetched);
        drop(fetched);
        if let Some(client) = client {
            serve(client);
        }
    });
    if let Err(error) = spawned
        && let Some(Client { socket, conversation }) = fetch(&handover)
    {
        conversation.refuse(socket, &error);
    }
}

/// Serves a client, on its thread.
fn serve(Client { socket, conversation }: Client) {
    match Interrupt::of_this_thread() {
        Ok(interrupt) => {
            blocking::converse(socket, conversation, &interrupt, &mut Buffers::with_capacity(READ));
        }
        Err(error) => conversation.refuse(socket, &error),
    }
}
