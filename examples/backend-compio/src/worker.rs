//! A worker: a runtime with a task that accepts and starts the tasks of clients.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use anyloop::Listener;
use anyloop::backend::{Accepting, Item, MAX_READ, WorkerContext};
use compio::driver::op::{Interest, PollOnce};
use compio::driver::{DriverType, ProactorBuilder, SharedFd};
use compio::runtime::{ResumeUnwind, Runtime, submit};

use crate::client;

/// The number of buffers for input, each of which is in use from the completion of a receive to the turn of its task.
const BUFFERS: NonZero<u16> = NonZero::new(64).expect("it is not zero");

/// The number of tasks that other threads may have woken. A thread that wakes a further one waits for the worker.
const MAX_WOKEN: usize = 16_384;

/// Serves until the server has ended.
pub(crate) fn work((context, driver): (WorkerContext, Option<DriverType>)) -> io::Result<()> {
    let mut proactor = ProactorBuilder::new();
    proactor.buffer_pool_size(BUFFERS).buffer_pool_buffer_len(MAX_READ);
    if let Some(driver) = driver {
        proactor.driver_type(driver);
    }
    let runtime = Runtime::builder().with_proactor(proactor).sync_queue_size(MAX_WOKEN).build()?;
    // It is a task of its own, since `block_on` polls its future again and again while tasks are ready.
    let accepting = runtime.spawn(accept(context));
    runtime.block_on(accepting).resume_unwind().unwrap_or(Ok(()))
}

/// Accepts, and starts a task for each client of this worker, until the server has ended.
async fn accept(context: WorkerContext) -> io::Result<()> {
    let pool = Runtime::with_current(Runtime::buffer_pool)?;
    let notified = duplicate(context.notifier())?;
    let accept_loop = context.accept_loop.as_ref();
    let mut listener = accept_loop.map(|accept_loop| duplicate(accept_loop.listener())).transpose()?;
    let context = Rc::new(RefCell::new(context));
    let mut may_accept = true;
    let mut waits_for_listener = false;
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
        for (socket, conversation) in clients {
            let (pool, context) = (pool.clone(), Rc::clone(&context));
            let client = async move {
                client::serve(socket, conversation, pool).await;
                context.borrow().client_left();
            };
            compio::runtime::spawn(client).detach();
        }

        let mut is_notified = false;
        if context.borrow().notifier().begin_wait() {
            let mut notification = pin!(submit(PollOnce::new(notified.clone(), Interest::Readable)));
            let listener = listener.as_ref().filter(|_| waits_for_listener);
            let connection = listener.map(|fd| submit(PollOnce::new(fd.clone(), Interest::Readable)));
            let mut connection = pin!(connection);
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

/// Duplicates a descriptor, for operations that own what they wait for.
fn duplicate(descriptor: impl AsFd) -> io::Result<SharedFd<OwnedFd>> {
    Ok(SharedFd::new(descriptor.as_fd().try_clone_to_owned()?))
}
