//! A task for each connection, on smol. Each server has its own executor.
//!
//! Choose it for many mostly idle clients. smol is the smallest of the asynchronous runtimes. Handlers that may block run on
//! dedicated threads. Other handlers may [spawn](Smol::spawn) a future that answers later.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::thread;

use common::Service;
use serving::{
    Acceptor, Backend, BlockingHandlers, Capabilities, Conversation, Failure, Listener, Report, STACK_SIZE,
    Server, Socket, Stop, Wait, Workers, worker_count,
};
use smol::channel::{Receiver, bounded};
use smol::future::{block_on, yield_now};
use smol::{Async, Executor, Task};

/// A task for each connection, on smol. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

thread_local! {
    /// The executor of the server that this thread works for.
    static EXECUTOR: RefCell<Weak<Executor<'static>>> = const { RefCell::new(Weak::new()) };
}

impl Smol {
    /// Spawns a future on the executor of the server whose session calls this, to [answer later](common::Later). On other
    /// threads, as those for handlers that may block, spawns it on smol's global executor.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use anyloop::{Client, Flow, Framing, Handler, Replies, Service, Session};
    ///
    /// /// Answers each message after a second.
    /// struct Slow;
    ///
    /// impl Handler for Slow {
    ///     fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
    ///         Box::new(Self)
    ///     }
    /// }
    ///
    /// impl Session for Slow {
    ///     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
    ///         let (message, later) = (message.to_vec(), out.later());
    ///         anyloop::Smol::spawn(async move {
    ///             smol::Timer::after(Duration::from_secs(1)).await;
    ///             let _ = later.send(message); // fails if the client has left
    ///         })
    ///         .detach();
    ///         Flow::Continue
    ///     }
    /// }
    ///
    /// let service = Service::framed(Arc::new(Slow), Framing::Line);
    /// ```
    pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        match EXECUTOR.with_borrow(Weak::upgrade) {
            Some(executor) => executor.spawn(future),
            None => smol::spawn(future),
        }
    }
}

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
        // Dropping `_running` ends the workers.
        let (_running, ended) = bounded(1);
        let executor = Arc::new(Executor::new());
        let served = start_workers(workers, &executor, &ended, &server.failure())
            // Not `smol::block_on`: this thread would also poll the reactor, and pass each event on to the workers.
            .and_then(|()| block_on(accept(Async::new(listener)?, acceptor, &executor)));
        server.close(served)
    }
}

/// Starts the threads that run the tasks. They are not joined, since a handler may block one. A task that panics ends its
/// thread and the server. Panics of sessions are caught before.
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
            EXECUTOR.set(Arc::downgrade(&executor));
            failure.watch(|| {
                let _ = smol::block_on(executor.run(ended.recv())); // fails when the sender is dropped
                Ok(())
            });
        })?;
    }
    Ok(())
}

/// Accepts clients and spawns a task for each until the server stops.
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

/// Serves a client until its conversation ends.
async fn serve(socket: Socket, mut conversation: Conversation) {
    // If the reactor rejects the socket, the conversation is dropped and counts as lost.
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
