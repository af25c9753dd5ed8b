//! A task for each connection, on tokio: [`Tokio`] creates a multi-thread runtime for each server, and [`OnRuntime`] uses an
//! existing runtime.
//!
//! Choose it for many mostly idle clients, above all if your program uses tokio already. Handlers that may block run on
//! dedicated threads. Other handlers may `tokio::spawn` a future that [answers later](common::Later). `serve` blocks its caller, so call `start` in a task, and await what it returns.

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

/// A task for each connection, on a tokio runtime that the server creates, or on [an existing one](Self::current).
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
                // Does not join the threads, since a handler may block one.
                runtime.shutdown_background();
                report
            }
            Err(error) => server.close(Err(error)),
        }
    }
}

/// Builds a runtime with this number of workers.
fn runtime(workers: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("tokio")
        .thread_stack_size(STACK_SIZE)
        .enable_all() // timers too, for futures that handlers spawn
        .build()
}

/// Accepts clients and spawns a task for each until the server stops.
async fn accept(listener: AsyncFd<Listener>, mut acceptor: Acceptor) -> io::Result<()> {
    poll_fn(|cx| {
        acceptor.poll_accept_all(
            cx,
            || listener.get_ref().accept(),
            // The last accept returned `WouldBlock`, so the readiness is cleared.
            |cx| Poll::Ready(ready!(listener.poll_read_ready(cx)).map(|mut ready| ready.clear_ready())),
            |socket, conversation| drop(task::spawn(serve(socket, conversation))),
        )
    })
    .await
}

/// Serves a client until its conversation ends.
async fn serve(socket: Socket, mut conversation: Conversation) {
    // If the reactor rejects the socket, the conversation is dropped and counts as lost.
    let Ok(socket) = AsyncSocket::new(socket) else { return };
    loop {
        match poll_fn(|cx| advance(&socket, &mut conversation, cx)).await {
            Wait::Blocking => conversation = conversation.offloaded().await,
            Wait::Over => return conversation.end(socket.into_inner()),
            Wait::Turn | Wait::Readable | Wait::Writable | Wait::Wakeup => task::yield_now().await,
        }
    }
}

/// Advances a conversation until it waits for something other than its socket.
fn advance(socket: &AsyncSocket, conversation: &mut Conversation, cx: &mut Context<'_>) -> Poll<Wait> {
    conversation.poll_advance(socket, cx, |cx, wait| match wait {
        Wait::Writable => socket.poll_write_ready(cx),
        _ => socket.poll_read_ready(cx),
    })
}
