//! A backend on [compio]: a compio runtime for each worker, and a task for each client.
//!
//! ```sh
//! cargo run --release -p anyloop-example-backend-compio -- serve --backend compio
//! cargo run --release -p anyloop-example-backend-compio -- compare --backends compio,epoll,uring
//! ```
//!
//! It was written with `docs/write-a-backend.md` alone. Since compio owns a buffer from the start of an operation to its
//! completion, a task drives its conversation by [`Step`](anyloop::backend::Step)s.

mod client;

use std::cell::RefCell;
use std::future::poll_fn;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::{io, mem};

use anyloop::backend::{
    Accepting, BlockingHandlers, Capabilities, Item, MAX_READ, WorkerContext, WorkerGroup, Workers,
};
use anyloop::{Backend, Listener, Report, Service, Stop};
use compio::driver::op::{Interest, PollOnce};
use compio::driver::{DriverType, ProactorBuilder, SharedFd};
use compio::runtime::{ResumeUnwind, Runtime, spawn, submit};

/// A compio runtime for each worker, and a task for each client.
#[derive(Clone, Copy, Debug, Default)]
pub enum Compio {
    /// On io_uring if the system supports it, or else on epoll. Each runtime finds out when it starts.
    #[default]
    Suggested,
    /// On epoll.
    Polling,
}

impl Backend for Compio {
    fn name(&self) -> &'static str {
        "compio"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("a compio runtime for each worker", Workers::Chosen, BlockingHandlers::Offloaded)
            .with_read_ahead(MAX_READ)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let make = match self {
            Self::Suggested => |context| Ok((context, None)),
            Self::Polling => |context| Ok((context, Some(DriverType::Poll))),
        };
        WorkerGroup::serve(self, listener, service, stop, make, work)
    }
}

/// The number of buffers for input, each of which is in use from the completion of a receive to the turn of its task.
const BUFFERS: NonZero<u16> = NonZero::new(64).expect("it is not zero");

/// The number of tasks that other threads may have woken. A thread that wakes a further one waits for the worker.
const MAX_WOKEN: usize = 16_384;

/// Serves on this thread until the server has ended.
fn work((context, driver): (WorkerContext, Option<DriverType>)) -> io::Result<()> {
    let mut proactor = ProactorBuilder::new();
    proactor.buffer_pool_size(BUFFERS).buffer_pool_buffer_len(MAX_READ);
    if let Some(driver) = driver {
        proactor.driver_type(driver);
    }
    let runtime = Runtime::builder().with_proactor(proactor).sync_queue_size(MAX_WOKEN).build()?;
    // It is spawned, since `block_on` polls its own future again and again while tasks are ready.
    runtime.block_on(runtime.spawn(accept(context))).resume_unwind().unwrap_or(Ok(()))
}

/// Accepts, and starts a task for each client of this worker, until the server has ended.
async fn accept(context: WorkerContext) -> io::Result<()> {
    let pool = Runtime::with_current(Runtime::buffer_pool)?;
    // Operations own what they wait for.
    let duplicate = |descriptor: BorrowedFd<'_>| descriptor.try_clone_to_owned().map(SharedFd::new);
    let notified = duplicate(context.notifier().as_fd())?;
    let accept_loop = context.accept_loop.as_ref();
    let mut listener = accept_loop.map(|it| duplicate(it.listener().as_fd())).transpose()?;
    let context = Rc::new(RefCell::new(context));
    let (mut may_accept, mut waits_for_listener) = (true, false);
    while !context.borrow().is_stopped() {
        let mut clients = Vec::new();
        for item in context.borrow().receive() {
            match item {
                Item::Client(socket, conversation) => clients.push((socket, conversation)),
                Item::Accept => may_accept = true,
                Item::Returned(..) | Item::Woken(_) => {} // no client is registered by a slot
            }
        }
        if mem::take(&mut may_accept) && listener.is_some() {
            let (accepted, accepting) = context.borrow_mut().accept(Listener::accept);
            clients.extend(accepted);
            waits_for_listener = accepting == Accepting::Accept;
            if accepting == Accepting::Stopped {
                // The duplicate is closed before the server may end, so that no client connects to it.
                if let Some(listener) = listener.take() {
                    listener.take().await;
                }
                context.borrow_mut().accept_loop = None;
            }
        }
        for client in clients {
            spawn(client::serve(client, pool.clone(), Rc::clone(&context))).detach();
        }

        let mut is_notified = false;
        if context.borrow().notifier().begin_wait() {
            let mut notification = pin!(submit(PollOnce::new(notified.clone(), Interest::Readable)));
            let listener = listener.as_ref().filter(|_| waits_for_listener).cloned();
            let mut connection = pin!(listener.map(|it| submit(PollOnce::new(it, Interest::Readable))));
            poll_fn(|cx| {
                is_notified = notification.as_mut().poll(cx).is_ready();
                may_accept = connection.as_mut().as_pin_mut().is_some_and(|poll| poll.poll(cx).is_ready());
                if is_notified || may_accept { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        context.borrow().notifier().end_wait();
        if is_notified {
            context.borrow().notifier().drain();
        }
    }
    Ok(())
}
