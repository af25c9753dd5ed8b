//! A task for each connection, on tokio: a multi-thread runtime of its own, with as many workers as there are
//! cores.
//!
//! Choose it for many clients that mostly wait, above all where tokio is there already. A handler that may
//! block runs on tokio's pool of blocking threads. From within a task, `serve` is to be called by
//! `spawn_blocking`, as everything that blocks.

mod socket;

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use common::{
    Accepting, Acceptor, Admission, Backend, BlockingHandlers, Buffers, Capabilities, Conversation, Report,
    Server, Service, Stop, Wait, Workers,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task;

use crate::socket::{Polled, Socket};

/// A task for each connection, on tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Backend for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "a task for each connection, on tokio",
            max_connections: None,
            workers: Workers::Chosen,
            blocking_handlers: BlockingHandlers::Offloaded,
            legacy: None,
        }
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let workers = service.worker_count();
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        match runtime(workers) {
            Ok(runtime) => {
                let report = server.close(runtime.block_on(accept(listener, acceptor)));
                // Its threads are not waited for: a handler may hold one.
                runtime.shutdown_background();
                report
            }
            Err(error) => server.close(Err(error)),
        }
    }
}

/// A runtime of this server's own: the number of workers is its own affair, and so is its end.
fn runtime(workers: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(workers).thread_name("tokio").enable_io().build()
}

/// Gives each client a task, until the server stops.
async fn accept(listener: TcpListener, mut acceptor: Acceptor) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    poll_fn(|cx| {
        acceptor.register(cx.waker());
        loop {
            match acceptor.what_now() {
                Accepting::Accept => {
                    let accepted = ready!(listener.poll_accept(cx));
                    let accepted = accepted.map(|(socket, client)| (Socket(socket), client));
                    if let Admission::Client(socket, conversation) = acceptor.admit(accepted) {
                        task::spawn(serve(socket, conversation));
                    }
                }
                Accepting::Wait => return Poll::Pending,
                Accepting::Stopped => return Poll::Ready(acceptor.close()),
            }
        }
    })
    .await
}

/// Serves a client, to its end.
async fn serve(mut socket: Socket, mut conversation: Conversation) {
    loop {
        match poll_fn(|cx| advance(&mut socket, &mut conversation, cx)).await {
            Wait::Readable | Wait::Writable | Wait::Turn => task::yield_now().await,
            Wait::Blocking => {
                let run = task::spawn_blocking(|| {
                    Buffers::of_this_thread(|buffers| conversation.run(buffers));
                    conversation
                });
                // Where it can't be run, the conversation is dropped, and counted as lost.
                let Ok(back) = run.await else { return };
                conversation = back;
            }
            Wait::Over => return conversation.end(socket),
        }
    }
}

/// Goes on with a conversation until it needs something else than its socket.
fn advance(socket: &mut Socket, conversation: &mut Conversation, cx: &mut Context<'_>) -> Poll<Wait> {
    conversation.register(cx.waker());
    loop {
        let mut polled = Polled::new(socket, cx);
        // The thread's buffers are lent for the advance alone, never across an await.
        let wait = Buffers::of_this_thread(|buffers| conversation.advance(&mut polled, buffers));
        let ready = match wait {
            Wait::Readable => ready!(socket.0.poll_read_ready(cx)),
            Wait::Writable => ready!(socket.0.poll_write_ready(cx)),
            Wait::Turn | Wait::Blocking | Wait::Over => return Poll::Ready(wait),
        };
        if ready.is_err() {
            conversation.lose();
        }
    }
}
