//! A task for each connection, on smol: an executor of its own, on as many threads as there are cores.
//!
//! Choose it for many clients that mostly wait, with the smallest of the asynchronous runtimes. A handler
//! that may block runs on threads made for it.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use common::Service;
use serving::{
    Acceptor, Backend, BlockingHandlers, Capabilities, Conversation, Failure, Listener, Report, STACK_SIZE,
    Server, Socket, Stop, Wait, Workers, worker_count,
};
use smol::channel::{Receiver, bounded};
use smol::future::{block_on, yield_now};
use smol::{Async, Executor};

/// A task for each connection, on smol. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Backend for Smol {
    fn name(&self) -> &'static str {
        "smol"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a task for each connection, on smol", Workers::Chosen, BlockingHandlers::Offloaded)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let workers = worker_count(&service);
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        // When `_running` is dropped, the workers end.
        let (_running, ended) = bounded(1);
        let executor = Arc::new(Executor::new());
        let served = start_workers(workers, &executor, &ended, &server.failure())
            // Without the reactor: a thread that waits for new clients there as well would hand every event on.
            .and_then(|()| block_on(accept(Async::new(listener)?, acceptor, &executor)));
        server.close(served)
    }
}

/// Starts the threads that run the tasks. They are not waited for at the end: a handler may hold one. A task that panics
/// ends its thread, and so the server; a session's panic never gets there.
fn start_workers(
    count: usize,
    executor: &Arc<Executor<'static>>,
    ended: &Receiver<()>,
    failure: &Failure,
) -> io::Result<()> {
    for number in 1..=count {
        let (executor, ended, failure) = (Arc::clone(executor), ended.clone(), failure.clone());
        let worker = thread::Builder::new().name(format!("smol-{number}")).stack_size(STACK_SIZE);
        worker.spawn(move || {
            failure.watch(|| {
                let _ = smol::block_on(executor.run(ended.recv())); // an error is what ends it
                Ok(())
            });
        })?;
    }
    Ok(())
}

/// Gives each client a task, until the server stops.
async fn accept(
    listener: Async<Listener>,
    mut acceptor: Acceptor,
    executor: &Executor<'static>,
) -> io::Result<()> {
    poll_fn(|cx| {
        acceptor.poll_accept_all(
            cx,
            || listener.get_ref().accept(),
            |cx| listener.poll_readable(cx),
            |socket, conversation| executor.spawn(serve(socket, conversation)).detach(),
        )
    })
    .await
}

/// Serves a client, to its end.
async fn serve(socket: Socket, mut conversation: Conversation) {
    // Where the reactor can't take it, the conversation is dropped with it, and counted as lost.
    let Ok(socket) = Async::new_nonblocking(socket) else { return };
    loop {
        match poll_fn(|cx| advance(&socket, &mut conversation, cx)).await {
            Wait::Blocking => conversation = conversation.offloaded().await,
            Wait::Over => break,
            Wait::Turn | Wait::Readable | Wait::Writable | Wait::Wakeup => yield_now().await,
        }
    }
    match socket.into_inner() {
        Ok(socket) => conversation.end(socket),
        Err(_) => drop(conversation),
    }
}

/// Goes on with a conversation until it needs something else than its socket.
fn advance(socket: &Async<Socket>, conversation: &mut Conversation, cx: &mut Context<'_>) -> Poll<Wait> {
    conversation.poll_advance(socket.get_ref(), cx, |cx, wait| match wait {
        Wait::Writable => socket.poll_writable(cx),
        // The first answer may be about input that has been read. The second arms the reactor, which reports what has
        // arrived since: so no read finds nothing.
        _ => match socket.poll_readable(cx) {
            Poll::Ready(Ok(())) => socket.poll_readable(cx),
            other => other,
        },
    })
}
