//! A task for each connection, on async-std. **Legacy**: async-std was discontinued in 2025
//! (RUSTSEC-2025-0052), and its authors advise smol; so does this backend, which is kept for those who have
//! async-std in production and want to see what a change would bring.

mod socket;

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_std::task;
use common::{
    Accepting, Acceptor, Admission, Backend, BlockingHandlers, Buffers, Capabilities, Conversation, Report,
    Server, Service, Stop, Wait, Workers,
};

use crate::socket::{Polled, Socket};

/// A task for each connection, on async-std.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Backend for AsyncStd {
    fn name(&self) -> &'static str {
        "async-std"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "a task for each connection, on async-std",
            max_connections: None,
            workers: Workers::Environment("ASYNC_STD_THREAD_COUNT"),
            blocking_handlers: BlockingHandlers::Offloaded,
            legacy: Some("async-std was discontinued in 2025; smol is the advice"),
        }
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let served = task::block_on(accept(listener.into(), acceptor));
        server.close(served)
    }
}

/// Gives each client a task, until the server stops.
async fn accept(listener: async_std::net::TcpListener, mut acceptor: Acceptor) -> io::Result<()> {
    loop {
        let mut accept = pin!(listener.accept());
        let accepted = poll_fn(|cx| {
            acceptor.register(cx.waker());
            match acceptor.what_now() {
                Accepting::Accept => accept.as_mut().poll(cx).map(Some),
                Accepting::Wait => Poll::Pending,
                Accepting::Stopped => Poll::Ready(None),
            }
        });
        let Some(accepted) = accepted.await else { return acceptor.close() };
        let accepted = accepted.map(|(socket, client)| (Socket(socket), client));
        if let Admission::Client(socket, conversation) = acceptor.admit(accepted) {
            task::spawn(serve(socket, conversation));
        }
    }
}

/// Serves a client, to its end.
async fn serve(socket: Socket, mut conversation: Conversation) {
    loop {
        match poll_fn(|cx| advance(&socket, &mut conversation, cx)).await {
            Wait::Readable | Wait::Writable | Wait::Turn => task::yield_now().await,
            Wait::Blocking => {
                conversation = task::spawn_blocking(|| {
                    Buffers::of_this_thread(|buffers| conversation.run(buffers));
                    conversation
                })
                .await;
            }
            Wait::Over => return conversation.end(socket),
        }
    }
}

/// Goes on with a conversation until it needs something else than its socket.
fn advance(socket: &Socket, conversation: &mut Conversation, cx: &mut Context<'_>) -> Poll<Wait> {
    conversation.register(cx.waker());
    // Twice, since only a socket that has blocked wakes the task: the first advance does what there is to
    // do, and the second finds that there is no more; or there is, and others come first.
    for _ in 0..2 {
        let mut polled = Polled::new(socket, cx);
        // The thread's buffers are lent for the advance alone, never across an await.
        let wait = Buffers::of_this_thread(|buffers| conversation.advance(&mut polled, buffers));
        match wait {
            Wait::Readable | Wait::Writable if polled.is_pending() => return Poll::Pending,
            Wait::Readable | Wait::Writable => {}
            Wait::Turn | Wait::Blocking | Wait::Over => return Poll::Ready(wait),
        }
    }
    Poll::Ready(Wait::Turn)
}
