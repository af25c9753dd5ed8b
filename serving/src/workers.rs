//! Workers that each have their own clients, and their inboxes.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use common::WakeQueue;

use crate::{AcceptLoop, Acceptor, Conversation, Notifier, Report, STACK_SIZE, Server, Socket};

/// The workers of a server, each of which has its own clients.
#[derive(Debug)]
pub struct WorkerGroup {
    inboxes: Vec<Arc<Inbox>>,
    stopped: AtomicBool,
}

/// The inbox of a worker. An item wakes the worker, at a cost that doesn't depend on how many clients the worker has.
#[derive(Debug)]
pub struct Inbox {
    notifier: Arc<Notifier>,
    /// The slots of clients that were woken.
    woken: Arc<WakeQueue>,
    /// `None` once the worker has ended.
    items: Mutex<Option<Vec<Item>>>,
    /// The number of clients that the worker has.
    clients: AtomicUsize,
}

/// An item in an [`Inbox`].
#[derive(Debug)]
pub enum Item {
    /// A new client.
    Client(Socket, Conversation),
    /// The conversation of the client in this slot, after it was [offloaded](Conversation::offload).
    Returned(usize, Conversation),
    /// The client in this slot has [marks](common::Marks). It may have left already, and the slot may belong to another
    /// client.
    Woken(usize),
    /// The [`Acceptor`] was woken.
    Accept,
}

/// The slot that stands for the acceptor.
const ACCEPTOR: usize = u32::MAX as usize;

impl WorkerGroup {
    fn new(count: usize) -> io::Result<Arc<Self>> {
        let inboxes = (0..count).map(|_| Inbox::new()).collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { inboxes, stopped: AtomicBool::new(false) }))
    }

    /// Serves with `count` workers until the server has ended. Each runs `work` on its own thread, which is named after the
    /// backend. `make` creates a worker from the group, the number of the worker and, for the first one, the accept loop.
    /// The threads are not joined, since a handler may block one.
    ///
    /// # Errors
    /// If a worker can't be created or started, if the listener breaks, or if a worker fails.
    pub fn serve<W: Send + 'static>(
        server: Server,
        backend: &str,
        count: usize,
        accept_loop: AcceptLoop,
        make: fn(Arc<Self>, usize, Option<AcceptLoop>) -> io::Result<W>,
        work: fn(W) -> io::Result<()>,
    ) -> io::Result<Report> {
        let failure = server.failure();
        let started = Self::new(count).and_then(|group| {
            let mut accept_loop = Some(accept_loop);
            let workers = (0..count).map(|number| make(Arc::clone(&group), number, accept_loop.take()));
            let workers = workers.collect::<io::Result<Vec<_>>>()?;
            let stop = StopOnDrop(Arc::clone(&group));
            for (number, worker) in workers.into_iter().enumerate() {
                let (inbox, failure) = (Arc::clone(group.inbox(number)), failure.clone());
                let thread = thread::Builder::new().name(format!("{backend}-{}", number + 1));
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

    /// The inbox of the worker with this number.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn inbox(&self, number: usize) -> &Arc<Inbox> {
        &self.inboxes[number]
    }

    /// Assigns a client to the worker that has the fewest clients. Among equals it prefers the `accepting` worker, since to
    /// hand over a client costs a wake-up. Returns the client if it was assigned to the `accepting` worker.
    ///
    /// This spreads the connections evenly. With a listener for each worker (SO_REUSEPORT) the kernel spreads them
    /// randomly: in a tenth of 300 trials one of two workers got 39 or more of 64 connections, or 6 or more of 8.
    pub fn assign(
        &self,
        accepting: usize,
        socket: Socket,
        conversation: Conversation,
    ) -> Option<(Socket, Conversation)> {
        let clients = |number: &usize| self.inboxes[*number].clients.load(Ordering::Relaxed);
        let others = (0..self.inboxes.len()).filter(|&number| number != accepting);
        let fewest = others.min_by_key(clients).filter(|other| clients(other) < clients(&accepting));
        let fewest = fewest.unwrap_or(accepting);
        self.inboxes[fewest].clients.fetch_add(1, Ordering::Relaxed);
        if fewest == accepting {
            return Some((socket, conversation));
        }
        self.inboxes[fewest].send(Item::Client(socket, conversation));
        None
    }

    /// Whether the server has ended, so that the workers must end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
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

impl Inbox {
    fn new() -> io::Result<Arc<Self>> {
        let notifier = Notifier::new()?;
        let woken = WakeQueue::new(notifier.waker());
        let (items, clients) = (Mutex::new(Some(Vec::new())), AtomicUsize::new(0));
        Ok(Arc::new(Self { notifier, woken, items, clients }))
    }

    /// The notifier, whose descriptor is readable when items have arrived.
    pub fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Registers the client in `slot`: a mark sends [`Item::Woken`].
    pub fn register(&self, conversation: &Conversation, slot: usize) {
        conversation.register_slot(&self.woken, slot);
    }

    /// Registers the acceptor: a wake-up sends [`Item::Accept`].
    pub fn register_acceptor(&self, acceptor: &Acceptor) {
        acceptor.register_slot(&self.woken, ACCEPTOR);
    }

    /// Sends an item. It is dropped if the worker has ended.
    pub fn send(&self, item: Item) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut *items else {
            drop(items);
            return drop(item);
        };
        open.push(item);
        drop(items);
        self.notifier.notify();
    }

    /// Takes all items, and clears the notifier.
    pub fn receive(&self) -> Vec<Item> {
        self.notifier.clear();
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = items.as_mut().map(std::mem::take).unwrap_or_default();
        drop(items);
        all.extend(self.woken.take().map(|slot| match slot {
            ACCEPTOR => Item::Accept,
            slot => Item::Woken(slot),
        }));
        all
    }

    /// Subtracts a client that has left the worker.
    pub fn client_left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// Closes the inbox of a worker that has ended: no more clients are assigned to it.
    fn close(&self) {
        self.clients.fetch_add(usize::MAX / 2, Ordering::Relaxed);
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(items);
    }
}
