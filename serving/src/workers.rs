//! Workers that each have their own clients, and their inboxes.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;

use common::sync::Mutex;
use common::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use common::{Address, Service, WakeQueue};

use crate::{
    AcceptLoop, Accepting, Backend, Conversation, Listener, Notifier, Report, STACK_SIZE, Server, Socket,
    Stop, worker_count,
};

/// The workers of a server, each of which has its own clients.
#[derive(Debug)]
pub struct WorkerGroup {
    inboxes: Vec<Arc<Inbox>>,
    stopped: AtomicBool,
}

/// A worker's access to its inbox and to the other workers. What others put into the inbox wakes the worker, at a cost that
/// doesn't depend on how many clients it has.
#[derive(Debug)]
pub struct WorkerContext {
    group: Arc<WorkerGroup>,
    inbox: Arc<Inbox>,
    /// The accept loop of the server, which the first worker has until it drops it.
    pub accept_loop: Option<AcceptLoop>,
}

/// An item in the inbox of a worker.
#[derive(Debug)]
pub enum Item {
    /// A new client.
    Client(Socket, Conversation),
    /// The conversation of the client in this slot, after it was [offloaded](WorkerContext::offload).
    Returned(usize, Conversation),
    /// The client in this slot has [marks](common::Marks). It may have left already, and the slot may belong to another
    /// client.
    Woken(usize),
    /// The [`Acceptor`](crate::Acceptor) was woken.
    Accept,
}

impl WorkerGroup {
    /// Serves with as many workers as the service asks for, until the server has ended. `make` creates a worker. Each runs
    /// `work` on its own thread, which is named after the backend. The threads are not joined, since a handler may block one.
    ///
    /// # Errors
    /// Those of [`Server::open`]. If a worker can't be created or started, if the listener breaks, or if a worker fails.
    pub fn serve<W: Send + 'static>(
        backend: &dyn Backend,
        listener: Listener,
        service: Arc<Service>,
        stop: &Stop,
        make: fn(WorkerContext) -> io::Result<W>,
        work: fn(W) -> io::Result<()>,
    ) -> io::Result<Report> {
        let count = worker_count(&service);
        let (server, acceptor) = Server::open(backend, &listener, service, stop)?;
        let (accept_loop, failure) = (AcceptLoop::new(listener, acceptor), server.failure());
        let started = Self::new(count).and_then(|group| {
            let mut accept_loop = Some(accept_loop);
            let inboxes = group.inboxes.iter();
            let contexts = inboxes.map(|inbox| WorkerContext::new(&group, inbox, accept_loop.take()));
            let workers = contexts.map(make).collect::<io::Result<Vec<_>>>()?;
            let stop = StopOnDrop(Arc::clone(&group));
            // The first one accepts, and starts last: clients may take all descriptors, which the others need for their start.
            for (number, (worker, inbox)) in workers.into_iter().zip(&group.inboxes).enumerate().rev() {
                let (inbox, failure) = (Arc::clone(inbox), failure.clone());
                let thread = thread::Builder::new().name(format!("{}-{}", backend.name(), number + 1));
                thread.stack_size(STACK_SIZE).spawn(move || {
                    failure.watch(|| work(worker));
                    inbox.close();
                })?;
            }
            Ok(stop)
        });
        match started {
            Ok(_stop) => server.close(Ok(())),
            Err(error) => server.close(Err(error)),
        }
    }

    fn new(count: usize) -> io::Result<Arc<Self>> {
        let inboxes = (0..count).map(|_| Inbox::new()).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { inboxes, stopped: AtomicBool::new(false) }))
    }
}

/// Stops a group when it is dropped.
struct StopOnDrop(Arc<WorkerGroup>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.0.inboxes.iter().for_each(|inbox| inbox.notifier.notify());
    }
}

impl WorkerContext {
    fn new(group: &Arc<WorkerGroup>, inbox: &Arc<Inbox>, mut accept_loop: Option<AcceptLoop>) -> Self {
        if let Some(accept_loop) = &mut accept_loop {
            accept_loop.acceptor().register_slot(&inbox.woken, ACCEPTOR);
        }
        Self { group: Arc::clone(group), inbox: Arc::clone(inbox), accept_loop }
    }

    /// Whether the server has ended, so that the worker must end.
    pub fn is_stopped(&self) -> bool {
        self.group.stopped.load(Ordering::SeqCst)
    }

    /// The notifier of the inbox. Call its [`begin_wait`](Notifier::begin_wait) and [`end_wait`](Notifier::end_wait) around
    /// each wait, and [receive](Self::receive) the items if it was notified.
    pub fn notifier(&self) -> &Notifier {
        &self.inbox.notifier
    }

    /// Takes all items from the inbox.
    pub fn receive(&self) -> Vec<Item> {
        self.inbox.receive()
    }

    /// Accepts a bounded number of clients, as [`AcceptLoop::turn`] does, and assigns each to the worker that has the fewest
    /// clients. Returns those of this worker. After [`Accepting::Stopped`], the accept loop is to be dropped.
    pub fn accept(
        &mut self,
        accept: fn(&Listener) -> io::Result<(Socket, Address)>,
    ) -> (Vec<(Socket, Conversation)>, Accepting) {
        let mut own = Vec::new();
        let Some(mut accept_loop) = self.accept_loop.take() else { return (own, Accepting::Stopped) };
        let accepting =
            accept_loop.turn(accept, |socket, conversation| own.extend(self.assign(socket, conversation)));
        self.accept_loop = Some(accept_loop);
        (own, accepting)
    }

    /// Assigns a client to the worker that has the fewest clients. Among equals it prefers this worker, since to hand over a
    /// client costs a wake-up. Returns the client if it was assigned to this worker.
    ///
    /// This spreads the connections evenly. With a listener for each worker (SO_REUSEPORT) the kernel spreads them
    /// randomly: in a tenth of 300 trials one of two workers got 39 or more of 64 connections, or 6 or more of 8.
    fn assign(&self, socket: Socket, conversation: Conversation) -> Option<(Socket, Conversation)> {
        let clients = |inbox: &&Arc<Inbox>| inbox.clients.load(Ordering::Relaxed);
        let others = self.group.inboxes.iter().filter(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
        let fewest = others.min_by_key(clients).filter(|other| clients(other) < clients(&&self.inbox));
        let assigned = fewest.unwrap_or(&self.inbox);
        assigned.clients.fetch_add(1, Ordering::Relaxed);
        if fewest.is_none() {
            return Some((socket, conversation));
        }
        assigned.send(Item::Client(socket, conversation));
        None
    }

    /// Registers the client in `slot`: a mark sends [`Item::Woken`].
    pub fn register(&self, conversation: &Conversation, slot: usize) {
        conversation.register_slot(&self.inbox.woken, slot);
    }

    /// [Offloads](Conversation::offload) the conversation of the client in `slot`, and then sends [`Item::Returned`].
    pub fn offload(&self, conversation: Conversation, slot: usize) {
        let inbox = Arc::clone(&self.inbox);
        conversation.offload(move |conversation| inbox.send(Item::Returned(slot, conversation)));
    }

    /// Subtracts a client that has left the worker.
    pub fn client_left(&self) {
        self.inbox.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The inbox of a worker.
#[derive(Debug)]
struct Inbox {
    notifier: Arc<Notifier>,
    /// The slots of clients that were woken.
    woken: Arc<WakeQueue>,
    /// `None` once the worker has ended.
    items: Mutex<Option<Vec<Item>>>,
    /// The number of clients that the worker has.
    clients: AtomicUsize,
}

/// The slot that stands for the acceptor.
const ACCEPTOR: usize = u32::MAX as usize;

impl Inbox {
    fn new() -> io::Result<Arc<Self>> {
        let notifier = Notifier::new()?;
        let woken = WakeQueue::new(notifier.waker());
        let (items, clients) = (Mutex::new(Some(Vec::new())), AtomicUsize::new(0));
        Ok(Arc::new(Self { notifier, woken, items, clients }))
    }

    /// Sends an item. It is dropped if the worker has ended.
    fn send(&self, item: Item) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut *items else {
            drop(items);
            return drop(item);
        };
        open.push(item);
        drop(items);
        self.notifier.notify();
    }

    fn receive(&self) -> Vec<Item> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = items.as_mut().map(std::mem::take).unwrap_or_default();
        drop(items);
        all.extend(self.woken.take().map(|slot| match slot {
            ACCEPTOR => Item::Accept,
            slot => Item::Woken(slot),
        }));
        all
    }

    /// Closes the inbox of a worker that has ended: no more clients are assigned to it.
    fn close(&self) {
        self.clients.fetch_add(usize::MAX / 2, Ordering::Relaxed);
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(items);
    }
}

/// For shuttle: `RUSTFLAGS="--cfg shuttle" cargo test -p anyloop-serving --lib models`.
#[cfg(all(test, shuttle))]
mod models {
    use std::os::fd::AsFd;

    use common::{Cell, Marks};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use shuttle::thread;

    use super::*;

    /// Waits as a worker does, without blocking the thread of the model. Fails if nobody will end the wait.
    fn wait(notifier: &Notifier, others: &AtomicUsize) {
        if notifier.begin_wait() {
            loop {
                let ended = others.load(Ordering::SeqCst) == 0;
                let mut polled = [PollFd::from_borrowed_fd(notifier.as_fd(), PollFlags::IN)];
                if poll(&mut polled, Some(&Timespec::default())).unwrap() > 0 {
                    notifier.drain();
                    break;
                }
                assert!(!ended, "a wake-up was lost");
                thread::yield_now();
            }
        }
        notifier.end_wait();
    }

    /// Marks and items reach a worker, whether it waits or is busy.
    #[test]
    fn a_worker_misses_nothing() {
        let model = || {
            let inbox = Inbox::new().unwrap();
            let cell = Arc::new(Cell::default());
            let others = Arc::new(AtomicUsize::new(3));
            let run = |act: fn(&Inbox, &Cell)| {
                let (inbox, cell, others) = (Arc::clone(&inbox), Arc::clone(&cell), Arc::clone(&others));
                thread::spawn(move || {
                    act(&inbox, &cell);
                    others.fetch_sub(1, Ordering::SeqCst);
                });
            };
            run(|_, cell| cell.mark(Marks::EXPIRED));
            run(|_, cell| cell.mark(Marks::CUT));
            run(|inbox, _| inbox.send(Item::Accept));
            cell.register_slot(&inbox.woken, 7);
            inbox.notifier.end_wait(); // it is busy, as after every wait
            let (mut marks, mut accepted) = (Marks::NONE, false);
            while marks != Marks::EXPIRED | Marks::CUT || !accepted {
                for item in inbox.receive() {
                    match item {
                        Item::Woken(slot) => {
                            assert_eq!(slot, 7);
                            marks = marks | cell.take_marks();
                        }
                        Item::Accept => accepted = true,
                        other => panic!("{other:?}"),
                    }
                }
                if marks != Marks::EXPIRED | Marks::CUT || !accepted {
                    wait(&inbox.notifier, &others);
                }
            }
        };
        shuttle::check_random(model, 5_000);
    }
}
