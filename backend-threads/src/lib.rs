//! A thread for each connection: the model that most servers begin with, and the one whose code reads like
//! the conversation itself. A thread that waits for its client is blocked in the kernel.
//!
//! Choose it for handlers that block, and for up to a few thousand clients. Each costs a stack, of which
//! some 12 KiB are touched, and each message a switch of threads.
//!
//! The threads are woken by `SIGURG` when a deadline passes or the server stops, as [`Interrupt`] explains; a program
//! that embeds the server leaves that signal alone.

mod limit;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use common::Service;
use serving::{
    Backend, BlockingHandlers, Buffers, Capabilities, Conversation, Interrupt, Listener, Report, STACK_SIZE,
    Server, Socket, Stop, Workers, blocking,
};

/// A thread for each connection. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

/// What a thread reads at once, in bytes: a page. It stays with the thread while that waits.
const READ: usize = 4096;

impl Backend for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a thread for each connection", Workers::PerConnection, BlockingHandlers::OwnThread)
            .with_max_connections(limit::max_threads(STACK_SIZE))
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let stack_size = service.stack_size.map_or(STACK_SIZE, Into::into);
        let (server, acceptor) = Server::open(self, &listener, limited(service, stack_size), stop)?;
        server.close(acceptor.accept_all(listener, Listener::accept_blocking, |socket, conversation| {
            spawn(Client { socket, conversation }, stack_size);
        }))
    }
}

/// The service with no more connections than there may be threads with such stacks.
fn limited(service: Arc<Service>, stack_size: usize) -> Arc<Service> {
    let most = limit::max_threads(stack_size);
    if service.limits.max_connections <= most {
        return service;
    }
    let limits = service.limits.with_max_connections(most);
    Arc::new(Service::clone(&service).with_limits(limits))
}

struct Client {
    socket: Socket,
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
            blocking::serve(socket, conversation, &interrupt, &mut Buffers::with_capacity(READ));
        }
        Err(error) => conversation.refuse(socket, &error),
    }
}
