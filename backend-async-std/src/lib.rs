//! A task for each connection, on async-std. **Legacy**: async-std was discontinued in 2025 (RUSTSEC-2025-0052), and its
//! authors recommend smol. This backend exists for users of async-std who want to measure what a change would bring.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_io::Async;
use async_std::task;
use common::Service;
use futures_lite::future::block_on;
use serving::{
    Acceptor, Backend, BlockingHandlers, Capabilities, Conversation, Listener, Report, Server, Socket, Stop,
    Wait, Workers,
};

/// A task for each connection, on async-std. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Backend for AsyncStd {
    fn name(&self) -> &'static str {
        "async-std"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            "a task for each connection, on async-std",
            Workers::Environment("ASYNC_STD_THREAD_COUNT"),
            BlockingHandlers::Offloaded,
        )
        .with_legacy("async-std was discontinued in 2025; use smol instead")
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        // Not `async_std::task::block_on`: this thread would also poll the reactor, and pass each event on to the workers.
        let served = Async::new(listener).and_then(|listener| block_on(accept(listener, acceptor)));
        server.close(served)
    }
}

/// Accepts clients and spawns a task for each until the server stops.
async fn accept(listener: Async<Listener>, mut acceptor: Acceptor) -> io::Result<()> {
    poll_fn(|cx| {
        acceptor.poll_accept_all(
            cx,
            || listener.get_ref().accept(),
            |cx| listener.poll_readable(cx),
            |socket, conversation| drop(task::spawn(serve(socket, conversation))),
        )
    })
    .await
}

/// Serves a client until its conversation ends.
async fn serve(socket: Socket, mut conversation: Conversation) {
    // If the reactor rejects the socket, the conversation is dropped and counts as lost.
    let Ok(socket) = Async::new_nonblocking(socket) else { return };
    loop {
        match poll_fn(|cx| advance(&socket, &mut conversation, cx)).await {
            Wait::Blocking => conversation = conversation.offloaded().await,
            Wait::Over => break,
            Wait::Turn | Wait::Readable | Wait::Writable | Wait::Wakeup => task::yield_now().await,
        }
    }
    match socket.into_inner() {
        Ok(socket) => conversation.end(socket),
        Err(_) => drop(conversation),
    }
}

/// Advances a conversation until it waits for something other than its socket.
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
