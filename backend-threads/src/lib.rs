//! A thread for each connection, which blocks in the kernel while it waits for its client.
//!
//! Choose it for handlers that block, and for up to a few thousand clients. Each client costs a stack, of which
//! about 12 KiB are touched, and each message a context switch.
//!
//! `SIGURG` wakes the threads when a deadline passes or the server stops, as described at [`Interrupt`]. A program that embeds
//! the server must not block this signal.

#![forbid(unsafe_code)]

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

/// The size of a thread's read buffer, in bytes: one page, since a waiting thread keeps it.
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

/// Limits the connections of the service to the number of threads with such stacks that can exist.
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

/// Starts the thread of a client. If the system can't start it, refuses the client.
fn spawn(client: Client, stack_size: usize) {
    let thread = thread::Builder::new().name("client".into()).stack_size(stack_size);
    // A failed spawn drops its closure, so the closure doesn't own the client but takes it from here.
    let shared = Arc::new(Mutex::new(Some(client)));
    let thread_shared = Arc::clone(&shared);
    let take = |shared: &Mutex<Option<Client>>| shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    let spawned = thread.spawn(move || {
        let client = take(&thread_shared);
        drop(thread_shared);
        if let Some(client) = client {
            serve(client);
        }
    });
    if let Err(error) = spawned
        && let Some(Client { socket, conversation }) = take(&shared)
    {
        conversation.refuse(socket, &error);
    }
}

/// Serves a client on the current thread.
fn serve(Client { socket, conversation }: Client) {
    match Interrupt::of_this_thread() {
        Ok(interrupt) => {
            blocking::serve(socket, conversation, &interrupt, &mut Buffers::with_capacity(READ));
        }
        Err(error) => conversation.refuse(socket, &error),
    }
}
