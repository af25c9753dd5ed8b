//! A task for each connection, on tokio: [`Tokio`] makes a multi-thread runtime of its own for each server, and
//! [`OnRuntime`] serves on one that the program has.
//!
//! Choose it for many clients that mostly wait, above all where tokio is there already. A handler that may
//! block runs on threads made for it. `serve` blocks its caller, so within a task use `start`, and await what it returns.

mod on_runtime;
mod socket;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use common::Service;
use serving::{
    Acceptor, Backend, BlockingHandlers, Capabilities, Conversation, Listener, Report, STACK_SIZE, Server,
    Socket, Stop, Wait, Workers, worker_count,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::task;

pub use crate::on_runtime::OnRuntime;
use crate::socket::AsyncSocket;

/// A task for each connection, on a tokio runtime of the server's own; or on [the program's](Self::current).
///
/// ```
/// use std::net::TcpListener;
/// use std::sync::Arc;
///
/// use anyloop::handlers::Echo;
/// use anyloop::{Framing, Service, Tokio};
///
/// # fn main() -> std::io::Result<()> {
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let service = Service::framed(Arc::new(Echo), Framing::Line);
/// let running = anyloop::start(Tokio::current(), TcpListener::bind("127.0.0.1:0")?, service)?;
/// running.stop(); // from any task or thread
/// let report = running.await?;
/// assert_eq!(report.accepted, 0);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Backend for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            "a task for each connection, on tokio",
            Workers::Chosen,
            BlockingHandlers::Offloaded,
        )
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let workers = worker_count(&service);
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        match runtime(workers) {
            Ok(runtime) => {
                let served = runtime.block_on(async {
                    accept(socket::register(listener, Interest::READABLE)?, acceptor).await
                });
                let report = server.close(served);
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
    Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("tokio")
        .thread_stack_size(STACK_SIZE)
        .enable_io()
        .build()
}

/// Gives each client a task, until the server stops.
async fn accept(listener: AsyncFd<Listener>, mut acceptor: Acceptor) -> io::Result<()> {
    poll_fn(|cx| {
        acceptor.poll_accept_all(
            cx,
            || listener.get_ref().accept(),
            // Nobody was there, so the reactor is to tell of the next.
            |cx| Poll::Ready(ready!(listener.poll_read_ready(cx)).map(|mut ready| ready.clear_ready())),
            |socket, conversation| drop(task::spawn(serve(socket, conversation))),
        )
    })
    .await
}

/// Serves a client, to its end.
async fn serve(socket: Socket, mut conversation: Conversation) {
    // Where the reactor can't take it, the conversation is dropped with it, and counted as lost.
    let Ok(socket) = AsyncSocket::new(socket) else { return };
    loop {
        match poll_fn(|cx| advance(&socket, &mut conversation, cx)).await {
            Wait::Blocking => conversation = conversation.offloaded().await,
            Wait::Over => return conversation.end(socket.into_inner()),
            Wait::Turn | Wait::Readable | Wait::Writable | Wait::Wakeup => task::yield_now().await,
        }
    }
}

/// Goes on with a conversation until it needs something else than its socket.
fn advance(socket: &AsyncSocket, conversation: &mut Conversation, cx: &mut Context<'_>) -> Poll<Wait> {
    conversation.poll_advance(socket, cx, |cx, wait| match wait {
        Wait::Writable => socket.poll_write_ready(cx),
        _ => socket.poll_read_ready(cx),
    })
}
