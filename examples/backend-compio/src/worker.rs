//! A worker: a runtime with a task that receives what other threads send it, and accepts if it is the first worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use anyloop::Listener;
use anyloop::backend::{Accepting, Conversation, Item, MAX_READ, Socket, WorkerContext};
use compio::driver::op::{Interest, PollOnce};
use compio::driver::{DriverType, ProactorBuilder, SharedFd};
use compio::runtime::{BufferPool, ResumeUnwind, Runtime, submit};

use crate::client;

/// How many buffers a worker has for input. They are in use from a completion to the turn of its task.
const BUFFERS: NonZero<u16> = NonZero::new(64).expect("it is not zero");

/// What a worker is made of before its thread starts.
pub(crate) struct Worker {
    pub(crate) context: WorkerContext,
    /// The driver to use, or `None` to let compio choose.
    pub(crate) driver: Option<DriverType>,
}

/// Serves until the server has ended.
pub(crate) fn work(worker: Worker) -> io::Result<()> {
    let mut proactor = ProactorBuilder::new();
    proactor.buffer_pool_size(BUFFERS).buffer_pool_buffer_len(MAX_READ);
    if let Some(driver) = worker.driver {
        proactor.driver_type(driver);
    }
    let runtime = Runtime::builder().with_proactor(proactor).build()?;
    let shared = Rc::new(Shared {
        context: RefCell::new(worker.context),
        clients: RefCell::default(),
        pool: runtime.buffer_pool()?,
        is_polling: runtime.driver_type().is_polling(),
    });
    // It is a task of its own, since `block_on` polls its future again and again while tasks are ready.
    let dispatcher = runtime.spawn(dispatch(shared));
    runtime.block_on(dispatcher).resume_unwind().unwrap_or(Ok(()))
}

/// What the tasks of a worker share.
pub(crate) struct Shared {
    context: RefCell<WorkerContext>,
    clients: RefCell<HashMap<usize, Rc<Mailbox>>>,
    pub(crate) pool: BufferPool,
    pub(crate) is_polling: bool,
}

/// What the dispatcher passes to the task of a client.
#[derive(Default)]
pub(crate) struct Mailbox {
    waker: Cell<Option<Waker>>,
    returned: Cell<Option<Conversation>>,
}

impl Mailbox {
    /// Registers the task that polls with `cx`, to be woken by the next item.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.waker.set(Some(cx.waker().clone()));
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Shared {
    /// Registers the conversation of a client, whose slot is never used again.
    pub(crate) fn register(&self, conversation: &Conversation, slot: usize) -> Rc<Mailbox> {
        let mailbox = Rc::new(Mailbox::default());
        self.clients.borrow_mut().insert(slot, Rc::clone(&mailbox));
        self.context.borrow().register(conversation, slot);
        mailbox
    }

    /// Runs the handler of a client on another thread.
    pub(crate) async fn offload(
        &self,
        conversation: Conversation,
        slot: usize,
        mailbox: &Mailbox,
    ) -> Conversation {
        self.context.borrow().offload(conversation, slot);
        poll_fn(|cx| match mailbox.returned.take() {
            Some(conversation) => Poll::Ready(conversation),
            None => {
                mailbox.register(cx);
                Poll::Pending
            }
        })
        .await
    }

    /// Forgets a client that has left.
    pub(crate) fn leave(&self, slot: usize) {
        self.clients.borrow_mut().remove(&slot);
        self.context.borrow().client_left();
    }
}

/// Receives the items of the worker and accepts, until the server has ended.
async fn dispatch(shared: Rc<Shared>) -> io::Result<()> {
    // Operations own what they wait for.
    let notified = duplicate(shared.context.borrow().notifier())?;
    let mut listener = match &shared.context.borrow().accept_loop {
        Some(accept_loop) => Some(duplicate(accept_loop.listener())?),
        None => None,
    };
    let mut last_slot = 0;
    let mut start = |socket: Socket, conversation: Conversation| {
        last_slot += 1;
        compio::runtime::spawn(client::serve(Rc::clone(&shared), last_slot, socket, conversation)).detach();
    };
    let mut accepts = listener.is_some();
    let mut polls_listener = false;
    loop {
        let items = shared.context.borrow().receive();
        for item in items {
            match item {
                Item::Client(socket, conversation) => start(socket, conversation),
                Item::Accept => accepts = true,
                Item::Returned(slot, conversation) => {
                    if let Some(mailbox) = shared.clients.borrow().get(&slot) {
                        mailbox.returned.set(Some(conversation));
                        mailbox.wake();
                    }
                }
                Item::Woken(slot) => {
                    if let Some(mailbox) = shared.clients.borrow().get(&slot) {
                        mailbox.wake();
                    }
                }
            }
        }
        if mem::take(&mut accepts) && listener.is_some() {
            let (clients, accepting) = shared.context.borrow_mut().accept(Listener::accept);
            clients.into_iter().for_each(|(socket, conversation)| start(socket, conversation));
            polls_listener = accepting == Accepting::Accept;
            if accepting == Accepting::Stopped {
                // The duplicate is closed first, so that the system refuses clients once the server has ended.
                if let Some(listener) = listener.take() {
                    listener.take().await;
                }
                shared.context.borrow_mut().accept_loop = None;
            }
        }
        if shared.context.borrow().is_stopped() {
            return Ok(());
        }

        let may_wait = shared.context.borrow().notifier().begin_wait();
        let mut is_notified = false;
        if may_wait {
            let mut notified = pin!(submit(PollOnce::new(notified.clone(), Interest::Readable)));
            let mut connected = pin!(
                listener
                    .as_ref()
                    .filter(|_| polls_listener)
                    .map(|listener| submit(PollOnce::new(listener.clone(), Interest::Readable)))
            );
            poll_fn(|cx| {
                is_notified = notified.as_mut().poll(cx).is_ready();
                if let Some(connected) = connected.as_mut().as_pin_mut() {
                    accepts |= connected.poll(cx).is_ready();
                }
                if is_notified || accepts { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        let context = shared.context.borrow();
        context.notifier().end_wait();
        if is_notified {
            context.notifier().drain();
        }
    }
}

/// Duplicates a descriptor, for the operations that wait for it.
fn duplicate(descriptor: impl AsFd) -> io::Result<SharedFd<OwnedFd>> {
    Ok(SharedFd::new(descriptor.as_fd().try_clone_to_owned()?))
}
